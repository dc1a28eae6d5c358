// Two lines over the last ten minutes, as SVG. Enough for a console; the figures are beside it.
import { number, t } from "./words.js";

const POINTS = 600; // one a second
const WIDTH = 320, HEIGHT = 132, LEFT = 40, FOOT = 16;
const SVG = "http://www.w3.org/2000/svg";

export class Chart {
  #root; #a = []; #b = []; #top; #lines;

  constructor(root) {
    this.#root = root;
    root.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.#top = [0, 0.5, 1].map((share) => this.#gridLine(share));
    this.#lines = ["line-b", "line-a"].map((name) => this.#make("polyline", { class: name, "stroke-width": 2, "stroke-linejoin": "round" }));
    this.#text(t("10 min ago"), LEFT, HEIGHT - 2, "start");
    this.#text(t("now"), WIDTH, HEIGHT - 2, "end");
  }

  add(a, b) {
    for (const [values, value] of [[this.#a, a], [this.#b, b]]) {
      values.push(value ?? 0);
      if (values.length > POINTS) values.shift();
    }
    const top = roundUp(Math.max(4, ...this.#a, ...this.#b));
    this.#top.forEach((label, i) => { label.textContent = number(top * i / 2); });
    this.#lines[0].setAttribute("points", points(this.#b, top));
    this.#lines[1].setAttribute("points", points(this.#a, top));
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

function points(values, top) {
  const step = (WIDTH - LEFT) / (POINTS - 1), first = WIDTH - (values.length - 1) * step;
  return values.map((value, i) => `${(first + i * step).toFixed(1)},${yOf(value / top).toFixed(1)}`).join(" ");
}

// The next of 4, 10, 20, 40, 100 …: a scale that is easy to read and seldom jumps.
function roundUp(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 4, 10].map((n) => n * power).find((n) => n >= most);
}
