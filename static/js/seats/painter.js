// Draws the plan. Far away: sections, filled as high as their share of free seats. Near: seats.
//
// Only what is in view is drawn. When seats change and the camera stands still, only those seats
// are wiped and drawn again. Seats of one look are one path: the cost of 20,000 small seats is
// the cost of a few fills.
import { money, t } from "../lib/words.js";
import { left } from "./list.js";
import { AVAILABLE, HELD, OFF_SALE, SOLD } from "./states.js";

const PRICE_FROM_PX = 12; // size of a label from which its price can be read too
const SEATS_FROM_PX = 6.5; // distance of neighbours on the screen from which seats are drawn
const SHAPES_FROM_PX = 11;
const NUMBERS_FROM_PX = 24;
const ROWS_FROM_PX = 15;
const LOST_MS = 1_600;
const MOST_DIRTY = 3_000; // above, drawing everything is quicker
const MAX_RATIO = 2;
const FONT = "system-ui, sans-serif";

export class Painter {
  #canvas; #context; #plan; #states; #categories; #currency; #colours; #ratio = 1;
  #all = true; #dirty = new Set(); #asked = false; #lost = new Map(); #labels = new Map();
  mine = new Set();
  wanted = new Set();
  filter = null; // the index of the only category shown bright, or null
  hover = -1;
  camera = null;

  constructor(canvas, plan, states, categories, currency) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { alpha: false });
    this.#plan = plan;
    this.#states = states;
    this.#categories = categories;
    this.#currency = currency;
    this.recolour();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
  }

  recolour() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const names = ["paper", "surface", "ink", "soft", "line", "accent", "accent-ink", "bad"];
    this.#colours = Object.fromEntries(names.map((name) => [name, colour(name)]));
    this.#colours.category = this.#categories.map((_, i) => colour(`cat-${i % 8}`));
    this.redraw();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    this.#ratio = Math.min(MAX_RATIO, window.devicePixelRatio || 1);
    this.#canvas.width = Math.round(width * this.#ratio);
    this.#canvas.height = Math.round(height * this.#ratio);
    this.camera.resize(width, height);
    this.redraw();
  }

  redraw() { this.#all = true; this.#ask(); }
  touch(seats) { for (const seat of seats) this.#dirty.add(seat); this.#ask(); }
  lose(seats) { for (const seat of seats) this.#lost.set(seat, performance.now()); this.touch(seats); }

  // Whether a section is near enough for its seats to be chosen one by one.
  showsSeats(section) { return section.pitch * this.camera.scale >= SEATS_FROM_PX; }

  #ask() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => { this.#asked = false; this.#paint(); });
  }

  #paint() {
    if (!this.camera?.scale) return;
    const c = this.#context, { scale, x, y } = this.camera;
    const r = this.#ratio;
    c.setTransform(scale * r, 0, 0, scale * r, x * r, y * r);
    if (this.#all || this.#dirty.size > MOST_DIRTY) this.#paintAll(c);
    else this.#paintDirty(c);
    this.#all = false;
    this.#dirty.clear();
    this.#paintLost(c);
  }

  #paintAll(c) {
    const [x0, y0, x1, y1] = this.camera.view;
    c.fillStyle = this.#colours.paper;
    c.fillRect(x0, y0, x1 - x0, y1 - y0);
    for (const section of this.#plan.sections) if (this.#visible(section.box)) this.#paintSection(c, section);
    const placed = [];
    for (const section of this.#plan.sections) if (this.#visible(section.box)) this.#label(c, section, placed);
  }

  #paintDirty(c) {
    const near = new Map(), far = new Set();
    for (const seat of this.#dirty) {
      const section = this.#plan.sections[this.#plan.sectionOf[seat]];
      if (!this.#visible(section.box)) continue;
      if (!this.showsSeats(section)) far.add(section);
      else if (near.has(section)) near.get(section).push(seat);
      else near.set(section, [seat]);
    }
    for (const section of far) this.#paintSection(c, section);
    // A label may reach over its neighbour, which was perhaps just painted.
    if (far.size) for (const section of this.#plan.sections) if (this.#visible(section.box)) this.#label(c, section);
    for (const [section, seats] of near) {
      c.fillStyle = this.#colours.surface;
      c.beginPath();
      for (const seat of seats) circle(c, this.#plan.x[seat], this.#plan.y[seat], section.pitch * 0.5);
      c.fill();
      this.#paintSeats(c, section, seats);
    }
  }

  #visible(box) {
    const [x0, y0, x1, y1] = this.camera.view;
    return box[0] <= x1 && box[2] >= x0 && box[1] <= y1 && box[3] >= y0;
  }

  #paintSection(c, section) {
    const near = this.showsSeats(section);
    trace(c, section.outline);
    c.fillStyle = this.#colours.surface;
    c.fill();
    if (!near) this.#gauge(c, section);
    trace(c, section.outline);
    c.strokeStyle = this.#colours.line;
    c.lineWidth = 1.2 / this.camera.scale;
    c.stroke();
    if (near) this.#paintSeats(c, section, this.#inView(section));
  }

  // Filled from below, as high as the share of seats that are left.
  #gauge(c, section) {
    const share = section.seats.length ? this.#states.free[section.at] / section.seats.length : 0;
    const [x0, y0, x1, y1] = section.box;
    const dim = this.filter !== null && this.filter !== section.category;
    c.save();
    trace(c, section.outline);
    c.clip();
    c.fillStyle = this.#colours.category[section.category];
    c.globalAlpha = dim ? 0.06 : 0.14;
    c.fillRect(x0, y0, x1 - x0, y1 - y0);
    c.globalAlpha = dim ? 0.1 : 0.62;
    c.fillRect(x0, y1 - (y1 - y0) * share, x1 - x0, (y1 - y0) * share);
    c.restore();
  }

  // Name and price, or the name, or its last word: the first that fits and touches no label that
  // is there already. Decided when everything is drawn, kept for the drawing of single sections.
  #label(c, section, placed = null) {
    if (this.showsSeats(section)) return;
    const free = this.#states.free[section.at];
    const price = free ? t("from {price}", { price: money(this.#categories[section.category].price, this.#currency) }) : t("none free");
    const room = Math.min(section.side * 1.25, section.box[2] - section.box[0]);
    const size = Math.max(10, Math.min(15, (room * this.camera.scale) / 6)) / this.camera.scale;
    c.textAlign = "center";
    c.textBaseline = "middle";
    c.font = `600 ${size}px ${FONT}`;
    if (placed) this.#labels.set(section, this.#choose(c, section, price, { room, size, placed }));
    const { name = "", both = false } = this.#labels.get(section) ?? {};
    if (name) this.#words(c, name, section.cx, section.cy - (both ? 0.6 * size : 0));
    if (!both) return;
    c.font = `400 ${size * 0.85}px ${FONT}`;
    this.#words(c, price, section.cx, section.cy + 0.65 * size);
  }

  #choose(c, section, price, { room, size, placed }) {
    const short = section.name.split(" ").at(-1);
    for (const [name, both] of [[section.name, true], [section.name, false], [short, false]]) {
      const width = Math.max(c.measureText(name).width, both ? c.measureText(price).width * 0.85 : 0);
      const half = both ? 1.3 * size : 0.65 * size;
      const box = [section.cx - width / 2, section.cy - half, section.cx + width / 2, section.cy + half];
      const touches = placed.some((o) => box[0] < o[2] && box[2] > o[0] && box[1] < o[3] && box[3] > o[1]);
      if (both && size * this.camera.scale < PRICE_FROM_PX) continue;
      if (touches || width > room || 2 * half > section.side) continue;
      placed.push(box);
      return { name, both };
    }
    return {};
  }

  #words(c, text, x, y) {
    c.lineJoin = "round";
    c.lineWidth = 3.5 / this.camera.scale;
    c.strokeStyle = this.#colours.surface;
    c.strokeText(text, x, y);
    c.fillStyle = this.#colours.ink;
    c.fillText(text, x, y);
  }

  #inView(section) {
    const [x0, y0, x1, y1] = this.camera.view, m = section.pitch;
    const { x, y } = this.#plan;
    return section.seats.filter((seat) => x[seat] > x0 - m && x[seat] < x1 + m && y[seat] > y0 - m && y[seat] < y1 + m);
  }

  #paintSeats(c, section, seats) {
    const px = section.pitch * this.camera.scale;
    const looks = this.#sort(seats);
    const r = section.pitch * 0.39;
    const shape = px < SHAPES_FROM_PX ? square : SHAPES[section.category % SHAPES.length];
    const dim = this.filter !== null && this.filter !== section.category;
    c.globalAlpha = dim ? 0.2 : 1;
    this.#fill(c, looks.free, shape, r, this.#colours.category[section.category]);
    this.#hatch(c, looks.held, shape, r, px);
    this.#ring(c, looks.sold, r * 0.82);
    c.globalAlpha = 1;
    if (px >= NUMBERS_FROM_PX && !dim) this.#numbers(c, looks.free, r, section.category);
    this.#own(c, looks.mine, r * 1.16);
    if (px >= ROWS_FROM_PX) this.#rows(c, section);
    if (this.hover >= 0 && this.#plan.sectionOf[this.hover] === section.at && seats.includes(this.hover)) this.#outline(c, this.hover, r);
  }

  #sort(seats) {
    const looks = { free: [], held: [], sold: [], mine: [] };
    for (const seat of seats) {
      const state = this.#states.state[seat];
      if (this.mine.has(seat) || this.wanted.has(seat)) looks.mine.push(seat);
      else if (state === AVAILABLE) looks.free.push(seat);
      else if (state === HELD) looks.held.push(seat);
      else if (state === SOLD) looks.sold.push(seat);
      else if (state !== OFF_SALE) looks.held.push(seat);
    }
    return looks;
  }

  #path(c, seats, shape, r) {
    c.beginPath();
    for (const seat of seats) shape(c, this.#plan.x[seat], this.#plan.y[seat], r);
  }

  #fill(c, seats, shape, r, colour) {
    if (!seats.length) return;
    this.#path(c, seats, shape, r);
    c.fillStyle = colour;
    c.fill();
  }

  #hatch(c, seats, shape, r, px) {
    if (!seats.length) return;
    this.#path(c, seats, shape, r * 0.88);
    c.strokeStyle = this.#colours.soft;
    c.lineWidth = r * 0.2;
    c.stroke();
    c.beginPath();
    const offsets = px < SHAPES_FROM_PX ? [0] : [-0.55, 0, 0.55];
    for (const seat of seats) {
      const x = this.#plan.x[seat], y = this.#plan.y[seat];
      for (const o of offsets) {
        const half = r * (0.62 - Math.abs(o) * 0.45);
        c.moveTo(x + o * r * 0.7 - half, y + o * r * 0.7 + half);
        c.lineTo(x + o * r * 0.7 + half, y + o * r * 0.7 - half);
      }
    }
    c.stroke();
  }

  #ring(c, seats, r) {
    if (!seats.length) return;
    this.#path(c, seats, circle, r);
    c.strokeStyle = this.#colours.line;
    c.lineWidth = r * 0.24;
    c.stroke();
  }

  #own(c, seats, r) {
    if (!seats.length) return;
    this.#fill(c, seats, circle, r, this.#colours.accent);
    c.beginPath();
    for (const seat of seats) {
      const x = this.#plan.x[seat], y = this.#plan.y[seat];
      c.moveTo(x - r * 0.42, y + r * 0.05);
      c.lineTo(x - r * 0.1, y + r * 0.36);
      c.lineTo(x + r * 0.45, y - r * 0.32);
    }
    c.strokeStyle = this.#colours["accent-ink"];
    c.lineWidth = r * 0.22;
    c.lineCap = c.lineJoin = "round";
    c.stroke();
    c.lineCap = "butt";
  }

  #numbers(c, seats, r, category) {
    c.font = `600 ${r * 0.86}px ${FONT}`;
    c.textAlign = "center";
    c.textBaseline = "middle";
    c.fillStyle = inkOn(this.#colours.category[category]);
    for (const seat of seats) {
      const words = this.#plan.wheelchair.has(seat) ? "♿︎" : this.#plan.numbers[seat];
      c.fillText(words, this.#plan.x[seat], this.#plan.y[seat] + r * 0.06);
    }
  }

  #rows(c, section) {
    c.font = `500 ${section.pitch * 0.5}px ${FONT}`;
    c.textAlign = "center";
    c.textBaseline = "middle";
    c.fillStyle = this.#colours.soft;
    const { x, y } = this.#plan;
    for (const { name, seats } of section.rows) {
      if (seats.length < 2) continue;
      const [a, b] = seats; // the label stands where the seat before the first would be
      c.fillText(name, 2 * x[a] - x[b], 2 * y[a] - y[b]);
    }
  }

  #outline(c, seat, r) {
    c.beginPath();
    circle(c, this.#plan.x[seat], this.#plan.y[seat], r * 1.1); // within what a wipe clears
    c.strokeStyle = this.#colours.ink;
    c.lineWidth = r * 0.2;
    c.stroke();
  }

  // A seat somebody was faster with: a ring that fades.
  #paintLost(c) {
    const now = performance.now();
    for (const [seat, since] of this.#lost) {
      const age = (now - since) / LOST_MS;
      this.#dirty.add(seat);
      if (age >= 1) { this.#lost.delete(seat); continue; }
      const r = this.#plan.sections[this.#plan.sectionOf[seat]].pitch * 0.4;
      c.globalAlpha = 1 - age;
      c.beginPath();
      circle(c, this.#plan.x[seat], this.#plan.y[seat], r);
      c.strokeStyle = this.#colours.bad;
      c.lineWidth = r * 0.3;
      c.stroke();
      c.globalAlpha = 1;
    }
    if (this.#lost.size || this.#dirty.size) this.#ask();
  }

  summary(section) {
    const free = this.#states.free[section.at];
    return `${section.name}: ${left(free)}, ${money(this.#categories[section.category].price, this.#currency)}`;
  }
}

function trace(c, outline) {
  c.beginPath();
  c.moveTo(outline[0], outline[1]);
  for (let i = 2; i < outline.length; i += 2) c.lineTo(outline[i], outline[i + 1]);
  c.closePath();
}

function circle(c, x, y, r) { c.moveTo(x + r, y); c.arc(x, y, r, 0, 2 * Math.PI); }
function square(c, x, y, r) { c.rect(x - r * 0.92, y - r * 0.92, 1.84 * r, 1.84 * r); }
function rounded(c, x, y, r) { c.roundRect(x - r * 0.92, y - r * 0.92, 1.84 * r, 1.84 * r, r * 0.35); }
function diamond(c, x, y, r) { polygon(c, x, y, [0, -1.15 * r, 1.15 * r, 0, 0, 1.15 * r, -1.15 * r, 0]); }
function hexagon(c, x, y, r) { polygon(c, x, y, [-0.55 * r, -r, 0.55 * r, -r, 1.1 * r, 0, 0.55 * r, r, -0.55 * r, r, -1.1 * r, 0]); }
function polygon(c, x, y, points) {
  c.moveTo(x + points[0], y + points[1]);
  for (let i = 2; i < points.length; i += 2) c.lineTo(x + points[i], y + points[i + 1]);
  c.closePath();
}
const SHAPES = [circle, rounded, diamond, hexagon]; // as the swatches of the legend

// Black or white, whichever is read more easily on the colour (WCAG relative luminance).
function inkOn(hex) {
  const [r, g, b] = [1, 3, 5].map((i) => (parseInt(hex.slice(i, i + 2), 16) / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000000" : "#ffffff";
}
