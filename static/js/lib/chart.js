// Two lines over the last minutes, as SVG. Enough for a console; the figures are beside it.
import { number, tn, t } from "./words.js";

const MINUTES = 15, SPAN_MS = MINUTES * 60_000;
const GAP_MS = 16_000; // three notes that are missing: nothing is known, so nothing is drawn
const STEP_MS = 2_000; // points closer than that make no difference to the eye
const WIDTH = 320, HEIGHT = 132, LEFT = 44, FOOT = 16;
const SVG = "http://www.w3.org/2000/svg";

export class Chart {
  #root; #points = []; #labels; #lines; #top = 0;

  constructor(root) {
    this.#root = root;
    root.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.#labels = [0, 0.5, 1].map((share) => this.#gridLine(share));
    this.#lines = ["line-b", "line-a"].map((name) => this.#make("path", { class: name, "stroke-width": 2, "stroke-linejoin": "round", "stroke-linecap": "round" }));
    this.#text(tn("{n} minute ago", "{n} minutes ago", MINUTES), LEFT, HEIGHT - 2, "start");
    this.#text(t("now"), WIDTH, HEIGHT - 2, "end");
  }

  // All that is known of the past: [at ms, a, b] each, the oldest first.
  begin(points) {
    this.#points = points;
    if (points.length) this.#draw(points.at(-1)[0]);
  }

  add(atMs, a, b) {
    const last = this.#points.at(-1), before = this.#points.at(-2);
    if (last && before && atMs - before[0] < STEP_MS) this.#points.pop();
    this.#points.push([atMs, a, b]);
    this.#draw(atMs);
  }

  #draw(nowMs) {
    this.#points = this.#points.filter(([atMs]) => atMs > nowMs - SPAN_MS);
    const top = scale(Math.max(4, ...this.#points.flatMap(([, a, b]) => [a, b])));
    if (top !== this.#top) this.#labels.forEach((label, i) => { label.textContent = number(top * i / 2); });
    this.#top = top;
    [2, 1].forEach((column, i) => this.#lines[i].setAttribute("d", path(this.#points, column, nowMs, top)));
  }

  #gridLine(share) {
    const y = yOf(share);
    this.#make("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y, y2: y });
    return this.#text("", LEFT - 6, y + 4, "end");
  }

  #text(words, x, y, anchor) {
    const made = this.#make("text", { x, y, "text-anchor": anchor });
    made.textContent = words;
    return made;
  }

  #make(name, attributes) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    this.#root.append(made);
    return made;
  }
}

const yOf = (share) => 8 + (1 - share) * (HEIGHT - FOOT - 12);

function path(points, column, nowMs, top) {
  const x = (atMs) => (WIDTH - ((nowMs - atMs) / SPAN_MS) * (WIDTH - LEFT)).toFixed(1);
  return points.map((point, i) => {
    const joined = i && point[0] - points[i - 1][0] < GAP_MS;
    return `${joined ? "L" : "M"}${x(point[0])} ${yOf(point[column] / top).toFixed(1)}`;
  }).join("");
}

// The next of 4, 10, 20, 40, 100 …: a scale that is easy to read and seldom jumps.
function scale(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 4, 10].map((n) => n * power).find((n) => n >= most);
}
