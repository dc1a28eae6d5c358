// What part of the plan is seen, and the gestures that change it: drag, wheel, pinch, keys.

const MOST_PITCH_PX = 56;
const TAP_PX = 8;
const STEP = 1.6;
const KEY_PX = 80;

export class Camera {
  #plan; #canvas; #changed; #fingers = new Map(); #moved = 0; #tap;

  // changed() after each move; tap(x, y) in plan units when a touch was no drag.
  constructor(plan, canvas, changed, tap) {
    this.#plan = plan;
    this.#canvas = canvas;
    this.#changed = changed;
    this.#tap = tap;
    this.width = this.height = 1;
    this.scale = this.x = this.y = 0; // screen = plan * scale + (x, y)
    this.#listen();
  }

  resize(width, height) {
    const first = this.scale === 0 || this.scale <= this.#whole() * 1.01;
    const cx = (this.width / 2 - this.x) / this.scale, cy = (this.height / 2 - this.y) / this.scale;
    this.width = width;
    this.height = height;
    if (first) return this.fit();
    this.x = width / 2 - cx * this.scale;
    this.y = height / 2 - cy * this.scale;
    return this.#settle();
  }

  fit() { this.show([0, 0, this.#plan.width, this.#plan.height], 24); }

  // Bring a box of the plan into view.
  show([x0, y0, x1, y1], margin = 40) {
    const most = MOST_PITCH_PX / this.#pitch();
    this.scale = Math.min((this.width - 2 * margin) / (x1 - x0), (this.height - 2 * margin) / (y1 - y0), most);
    this.x = this.width / 2 - ((x0 + x1) / 2) * this.scale;
    this.y = this.height / 2 - ((y0 + y1) / 2) * this.scale;
    this.#settle();
  }

  // As `show`, but at least so near that neighbours `pitch` apart are `px` apart on the screen.
  closeUp(box, pitch, px, x, y) {
    this.show(box, 32);
    if (pitch * this.scale >= px) return;
    this.scale = px / pitch;
    this.x = this.width / 2 - x * this.scale;
    this.y = this.height / 2 - y * this.scale;
    this.#settle();
  }

  zoom(factor, px = this.width / 2, py = this.height / 2) {
    const least = this.#whole() * 0.9, most = MOST_PITCH_PX / this.#pitch();
    const scale = Math.min(Math.max(this.scale * factor, least), Math.max(most, least));
    this.x = px - ((px - this.x) / this.scale) * scale;
    this.y = py - ((py - this.y) / this.scale) * scale;
    this.scale = scale;
    this.#settle();
  }

  toPlan(px, py) { return [(px - this.x) / this.scale, (py - this.y) / this.scale]; }
  get view() { return [...this.toPlan(0, 0), ...this.toPlan(this.width, this.height)]; }

  #whole() { return Math.min((this.width - 48) / this.#plan.width, (this.height - 48) / this.#plan.height); }
  #pitch() { return Math.min(...this.#plan.sections.map((section) => section.pitch)); }

  // Never lose the plan: its middle part stays on the screen.
  #settle() {
    const keep = 0.25;
    const w = this.#plan.width * this.scale, h = this.#plan.height * this.scale;
    this.x = Math.min(this.width * (1 - keep), Math.max(this.width * keep - w, this.x));
    this.y = Math.min(this.height * (1 - keep), Math.max(this.height * keep - h, this.y));
    this.#changed();
  }

  #pan(dx, dy) { this.x += dx; this.y += dy; this.#settle(); }

  #listen() {
    const on = (kind, act) => this.#canvas.addEventListener(kind, act, { passive: false });
    on("pointerdown", (event) => this.#down(event));
    on("pointermove", (event) => this.#move(event));
    on("pointerup", (event) => this.#up(event, true));
    on("pointercancel", (event) => this.#up(event, false));
    on("wheel", (event) => {
      event.preventDefault();
      const by = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
      this.zoom(Math.exp(-by * (event.ctrlKey ? 0.01 : 0.002)), event.offsetX, event.offsetY);
    });
    on("keydown", (event) => this.#key(event));
  }

  #down(event) {
    this.#canvas.setPointerCapture(event.pointerId);
    if (this.#fingers.size === 0) this.#moved = 0;
    else this.#moved = Infinity; // two fingers are never a tap
    this.#fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
    this.#canvas.classList.add("grabbing");
  }

  #move(event) {
    const before = this.#fingers.get(event.pointerId);
    if (!before) return;
    const dx = event.offsetX - before[0], dy = event.offsetY - before[1];
    this.#moved += Math.hypot(dx, dy);
    const other = [...this.#fingers].find(([id]) => id !== event.pointerId)?.[1];
    this.#fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
    if (other) this.#pinch(before, [event.offsetX, event.offsetY], other, dx, dy);
    else if (this.#moved > TAP_PX) this.#pan(dx, dy);
  }

  #pinch(before, after, other, dx, dy) {
    const was = Math.hypot(before[0] - other[0], before[1] - other[1]);
    const is = Math.hypot(after[0] - other[0], after[1] - other[1]);
    this.x += dx / 2;
    this.y += dy / 2;
    this.zoom(was ? is / was : 1, (after[0] + other[0]) / 2, (after[1] + other[1]) / 2);
  }

  #up(event, may) {
    if (!this.#fingers.delete(event.pointerId)) return;
    if (this.#fingers.size) return;
    this.#canvas.classList.remove("grabbing");
    if (may && this.#moved <= TAP_PX) this.#tap(event.offsetX, event.offsetY, event.pointerType);
  }

  #key(event) {
    const moves = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (moves[event.key]) this.#pan(moves[event.key][0] * KEY_PX, moves[event.key][1] * KEY_PX);
    else if (event.key === "+" || event.key === "=") this.zoom(STEP);
    else if (event.key === "-") this.zoom(1 / STEP);
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
  }
}
