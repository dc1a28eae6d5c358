// The plan, unpacked once into flat arrays: a seat is an index into them and nothing more.
import { t } from "../lib/words.js";

export class Plan {
  // `categories` are the price categories in the order of the legend; a section's colour and
  // shape follow from its position there.
  constructor(document, categories) {
    const rows = document.sections.flatMap((section) => section.rows);
    this.seats = rows.reduce((most, row) => row.seats.reduce((n, seat) => Math.max(n, seat[0] + 1), most), 0);
    this.width = document.width;
    this.height = document.height;
    this.x = new Float32Array(this.seats);
    this.y = new Float32Array(this.seats);
    this.sectionOf = new Uint16Array(this.seats);
    this.wheelchair = new Set();
    this.numbers = new Array(this.seats);
    this.sections = document.sections.map((section, at) => this.#section(section, at, categories));
  }

  #section(section, at, categories) {
    const category = Math.max(0, categories.findIndex((c) => String(c.id) === String(section.category)));
    const rows = section.rows.map((row) => this.#row(row, at));
    const seats = Uint32Array.from(rows.flatMap((row) => row.seats));
    const outline = Float32Array.from(section.outline);
    const box = boxOf(outline);
    return { at, name: section.name, category, rows, seats, outline, box, pitch: this.#pitch(rows), ...centre(outline, box) };
  }

  #row(row, section) {
    for (const [seat, label, x, y, flags] of row.seats) {
      this.x[seat] = x;
      this.y[seat] = y;
      this.sectionOf[seat] = section;
      this.numbers[seat] = label;
      if (flags?.includes("w")) this.wheelchair.add(seat);
    }
    return { name: row.row, seats: row.seats.map((seat) => seat[0]) };
  }

  // The distance of neighbours in a row: the middle one of those looked at.
  #pitch(rows) {
    const found = [];
    for (const row of rows.slice(0, 12)) {
      for (let i = 1; i < Math.min(row.seats.length, 8); i++) {
        const a = row.seats[i - 1], b = row.seats[i];
        found.push(Math.hypot(this.x[a] - this.x[b], this.y[a] - this.y[b]));
      }
    }
    found.sort((a, b) => a - b);
    return found[found.length >> 1] || 20;
  }

  rowOf(seat) {
    return this.sections[this.sectionOf[seat]].rows.find((row) => row.seats.includes(seat)).name;
  }

  describe(seat) {
    return [this.sections[this.sectionOf[seat]].name, t("row {row}, seat {seat}", { row: this.rowOf(seat), seat: this.numbers[seat] })].join(", ");
  }

  sectionAt(x, y) {
    return this.sections.find((section) => inBox(section.box, x, y) && inside(section.outline, x, y));
  }

  // The seat under a point, or -1. Sections whose box is near are the spatial index.
  seatAt(x, y, reach = 0) {
    let best = -1, nearest = Infinity;
    for (const section of this.sections) {
      const most = Math.max(section.pitch * 0.55, reach);
      if (!inBox(section.box, x, y, most)) continue;
      for (const seat of section.seats) {
        const distance = Math.hypot(this.x[seat] - x, this.y[seat] - y);
        if (distance < most && distance < nearest) { best = seat; nearest = distance; }
      }
    }
    return best;
  }
}

function boxOf(outline) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < outline.length; i += 2) {
    box[0] = Math.min(box[0], outline[i]);
    box[1] = Math.min(box[1], outline[i + 1]);
    box[2] = Math.max(box[2], outline[i]);
    box[3] = Math.max(box[3], outline[i + 1]);
  }
  return box;
}

// The middle of the area, where a label sits well, and the side of a square of its size; of the box, should the outline have no area.
function centre(outline, box) {
  let area = 0, cx = 0, cy = 0;
  for (let i = 0; i < outline.length; i += 2) {
    const j = (i + 2) % outline.length;
    const cross = outline[i] * outline[j + 1] - outline[j] * outline[i + 1];
    area += cross;
    cx += (outline[i] + outline[j]) * cross;
    cy += (outline[i + 1] + outline[j + 1]) * cross;
  }
  if (Math.abs(area) < 1e-6) return { cx: (box[0] + box[2]) / 2, cy: (box[1] + box[3]) / 2, side: 0 };
  return { cx: cx / (3 * area), cy: cy / (3 * area), side: Math.sqrt(Math.abs(area) / 2) };
}

const inBox = (box, x, y, margin = 0) =>
  x >= box[0] - margin && y >= box[1] - margin && x <= box[2] + margin && y <= box[3] + margin;

// Even-odd rule: count the edges that a ray to the right crosses.
function inside(outline, x, y) {
  let odd = false;
  for (let i = 0, j = outline.length - 2; i < outline.length; j = i, i += 2) {
    const above = outline[i + 1] > y, before = outline[j + 1] > y;
    if (above !== before && x < ((outline[j] - outline[i]) * (y - outline[i + 1])) / (outline[j + 1] - outline[i + 1]) + outline[i]) odd = !odd;
  }
  return odd;
}
