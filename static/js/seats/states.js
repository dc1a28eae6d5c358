// This tab's copy of every seat's state, at one version of one epoch, and what is left by section.

export const AVAILABLE = 0, HELD = 1, SOLD = 2, OFF_SALE = 3;

export class SeatStates {
  constructor(plan) {
    this.plan = plan;
    this.state = new Uint8Array(plan.seats).fill(OFF_SALE);
    this.free = new Uint32Array(plan.sections.length);
    this.epoch = null;
    this.version = -1;
  }

  get id() { return this.epoch === null ? null : `${this.epoch}:${this.version}`; }

  // A whole new picture. Returns whether it was taken: an older one of the same epoch is not.
  load({ epoch, version, states }) {
    if (epoch === this.epoch && version < this.version) return false;
    for (let seat = 0; seat < this.plan.seats; seat++) this.state[seat] = states.charCodeAt(seat) - 48;
    this.epoch = epoch;
    this.version = version;
    this.#count();
    return true;
  }

  // Changes that bring `from` to `to`, as [seat, state, seat, state, …]. Returns the seats that
  // really changed, or null when this copy is not at least at `from`: read a snapshot then.
  // Applying them again does no harm: each seat comes with its last state.
  apply(epoch, from, to, pairs) {
    if (epoch !== this.epoch || from > this.version) return null;
    if (to <= this.version) return [];
    const changed = [];
    for (let i = 0; i < pairs.length; i += 2) {
      const seat = pairs[i], state = pairs[i + 1];
      if (this.state[seat] === state || seat >= this.plan.seats) continue;
      const section = this.plan.sectionOf[seat];
      if (this.state[seat] === AVAILABLE) this.free[section]--;
      if (state === AVAILABLE) this.free[section]++;
      this.state[seat] = state;
      changed.push(seat);
    }
    this.version = to;
    return changed;
  }

  #count() {
    this.free.fill(0);
    for (let seat = 0; seat < this.plan.seats; seat++) {
      if (this.state[seat] === AVAILABLE) this.free[this.plan.sectionOf[seat]]++;
    }
  }
}
