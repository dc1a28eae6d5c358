// Every seat as text: sections, then rows, then seats. The way without a map, always there.
import { $, $$, element, say } from "../lib/page.js";
import { money, t, tn } from "../lib/words.js";
import { AVAILABLE, OFF_SALE } from "./states.js";

export class SeatList {
  #root; #plan; #states; #painter; #categories; #currency; #toggle; #section = null; #asked = false;

  constructor(root, { plan, states, painter, categories, currency, toggle }) {
    this.#root = root;
    this.#plan = plan;
    this.#states = states;
    this.#painter = painter;
    this.#categories = categories;
    this.#currency = currency;
    this.#toggle = toggle;
  }

  get open() { return !this.#root.hidden; }

  show(open) {
    this.#root.hidden = !open;
    if (open) this.#draw();
  }

  // Draw again soon; many changes of one moment are one drawing.
  refresh() {
    if (!this.open || this.#asked) return;
    this.#asked = true;
    setTimeout(() => { this.#asked = false; this.#redraw(); }, 400);
  }

  // What is shown already stays in its place and is changed there: a button that is exchanged
  // between the press of a finger and its end is not pressed, nor does it keep the focus.
  #redraw() {
    const before = this.#keyed(this.#root), made = element("div", {}, ...this.#parts()), now = this.#keyed(made);
    if (before.length !== now.length || before.some((button, at) => button.dataset.key !== now[at].dataset.key)) return this.#exchange(made);
    const held = before.find((button) => button === document.activeElement);
    before.forEach((button, at) => this.#change(button, now[at]));
    return this.#focus(held);
  }

  #exchange(made) {
    const held = document.activeElement?.dataset?.key, top = this.#root.scrollTop;
    this.#root.replaceChildren(...made.childNodes);
    this.#root.scrollTop = top;
    this.#focus(held && $(`[data-key="${held}"]`, this.#root));
  }

  // Back to the button that had it; one that was taken meanwhile can't have it.
  #focus(button) {
    if (button) (button.disabled ? $("h2", this.#root) : button).focus({ preventScroll: true });
  }

  #change(button, made) {
    button.disabled = made.disabled;
    for (const name of ["aria-pressed", "aria-label"]) if (made.hasAttribute(name)) button.setAttribute(name, made.getAttribute(name));
    const words = $("small", button);
    if (words) say(words, $("small", made).textContent);
  }

  #keyed(root) { return $$("[data-key]", root); }

  #draw() {
    this.#root.replaceChildren(...this.#parts());
  }

  #parts() { return this.#section ? this.#rows(this.#section) : this.#sections(); }

  #go(section) {
    this.#section = section;
    this.#draw();
    this.#root.scrollTop = 0;
    $("h2", this.#root).focus();
  }

  #sections() {
    const list = element("ul", { className: "sections" });
    for (const section of this.#plan.sections) {
      if (this.#painter.filter !== null && this.#painter.filter !== section.category) continue;
      const free = this.#states.free[section.at];
      const { price, name } = this.#categories[section.category];
      const words = element("small", { textContent: `${name}, ${money(price, this.#currency)} · ${left(free)}` });
      const button = element("button", { type: "button", onclick: () => this.#go(section) }, this.#swatch(section), element("strong", { textContent: section.name }), words);
      button.dataset.key = `section-${section.at}`;
      list.append(element("li", {}, button));
    }
    return [this.#heading(t("Sections")), list];
  }

  #rows(section) {
    const back = element("button", { type: "button", className: "button small", textContent: t("All sections"), onclick: () => this.#go(null) });
    const { price } = this.#categories[section.category];
    const rows = section.rows.map((row) => this.#row(section, row));
    return [element("div", {}, back), this.#heading(t("{section}, {price} a seat", { section: section.name, price: money(price, this.#currency) })), ...rows];
  }

  #row(section, row) {
    const seats = row.seats.filter((seat) => this.#states.state[seat] !== OFF_SALE);
    const list = element("ul", {}, ...seats.map((seat) => element("li", {}, this.#seat(section, row, seat))));
    return element("div", { className: "row" }, element("span", { textContent: t("Row {row}", { row: row.name }) }), list);
  }

  #seat(section, row, seat) {
    const own = this.#painter.mine.has(seat) || this.#painter.wanted.has(seat);
    const free = this.#states.state[seat] === AVAILABLE;
    const button = element("button", { type: "button", className: `seat cat-${section.category % 8}`, textContent: this.#plan.numbers[seat], disabled: !free && !own, onclick: () => this.#toggle(seat) });
    button.setAttribute("aria-pressed", String(own));
    const facts = [t("Row {row}, seat {seat}", { row: row.name, seat: this.#plan.numbers[seat] })];
    if (this.#plan.wheelchair.has(seat)) facts.push(t("wheelchair"));
    if (own) facts.push(t("yours"));
    else if (!free) facts.push(t("taken"));
    button.setAttribute("aria-label", facts.join(", "));
    button.dataset.key = `seat-${seat}`;
    return button;
  }

  #heading(text) { return element("h2", { textContent: text, tabIndex: -1 }); }
  #swatch(section) { return swatch(section.category); }
}

export const left = (free) => (free ? tn("{n} seat left", "{n} seats left", free) : t("none free"));

// The category's shape and colour, copied from the legend.
export function swatch(category) {
  return document.querySelectorAll(".legend .swatch")[category]?.cloneNode(true) ?? element("span");
}
