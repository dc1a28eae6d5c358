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

  get at() { return { epoch: this.epoch, version: this.version }; }
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

  // Changes that lead from one {epoch, version} to another, as [seat, state, seat, state, …].
  // Returns the seats that really changed, or null when this copy needs a snapshot instead.
  // Applying them again does no harm: each seat comes with its last state. Over a repair it must
  // start where this copy is: what that has seen beyond, the repair may have taken back unnamed.
  apply(from, to, pairs) {
    if (to.epoch === this.epoch && to.version <= this.version) return [];
    const repaired = from.epoch !== to.epoch, { version } = this;
    if (from.epoch !== this.epoch || (repaired ? from.version !== version : from.version > version)) return null;
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
    this.epoch = to.epoch;
    this.version = to.version;
    return changed;
  }

  #count() {
    this.free.fill(0);
    for (let seat = 0; seat < this.plan.seats; seat++) {
      if (this.state[seat] === AVAILABLE) this.free[this.plan.sectionOf[seat]]++;
    }
  }
}
