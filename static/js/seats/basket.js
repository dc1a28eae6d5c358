// What the fan holds. One request at a time: the set that is wanted is compared with the set that
// is held, and the difference is sent as one whole new hold, which replaces the old one.
import { call } from "../lib/api.js";

const ID_LETTERS = "abcdefghijklmnopqrstuvwxyz234567";
const SEND_AFTER_MS = 120; // taps of one moment become one hold

export class Basket {
  #eventId; #on; #sending = false; #timer = 0;
  hold = null; // as the server gave it
  wanted = new Set(); // seat indexes

  // on: {changed(), taken(seats), refused(problem)}; changed is called for every difference.
  constructor(eventId, maxTickets, on) {
    this.#eventId = eventId;
    this.maxTickets = maxTickets;
    this.#on = on;
  }

  get held() { return new Set((this.hold?.tickets ?? []).map((ticket) => seatOf(ticket.ticketId))); }
  get busy() { return this.#sending || !same(this.wanted, this.held); }

  async load() {
    try {
      this.#take(await call("GET", `/events/${this.#eventId}/holds/mine`));
    } catch (problem) {
      if (problem.code !== "no_hold") throw problem;
      this.#take(null);
    }
  }

  // Ends were put off while the sale stood still. What is under way brings the new end by itself.
  async renew() {
    if (!this.hold || this.busy) return;
    try {
      const hold = await call("GET", `/events/${this.#eventId}/holds/mine`);
      if (this.hold?.holdId === hold.holdId && !this.busy) this.#take(hold);
    } catch { /* asked again when the end that is known has come */ }
  }

  // Returns false when the limit per person is reached.
  toggle(seat) {
    if (this.wanted.has(seat)) this.wanted.delete(seat);
    else if (this.wanted.size >= this.maxTickets) return false;
    else this.wanted.add(seat);
    this.#on.changed();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#settle(), SEND_AFTER_MS);
    return true;
  }

  // The hold is over: its end came, or it was booked.
  end() { this.#take(null); }

  async #settle() {
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (!same(this.wanted, this.held)) await this.#send([...this.wanted]);
    } catch (problem) {
      this.#back(problem);
    } finally {
      this.#sending = false;
      this.#on.changed();
    }
  }

  async #send(seats) {
    if (seats.length === 0) {
      await call("DELETE", `/events/${this.#eventId}/holds/${this.hold.holdId}`);
      this.hold = null;
      return;
    }
    const ticketIds = seats.map((seat) => `${this.#eventId}-${seat}`);
    this.hold = await this.#twice({ holdId: newHoldId(), ticketIds });
    this.#on.changed();
  }

  // The id was made here, so sending the same hold again after no answer is safe.
  async #twice(body) {
    const post = () => call("POST", `/events/${this.#eventId}/holds`, { body });
    try {
      return await post();
    } catch (problem) {
      if (!problem.retry || problem.status === 429) throw problem;
      await new Promise((done) => setTimeout(done, problem.retryAfterMs ?? 800));
      return post();
    }
  }

  #back(problem) {
    const taken = (problem.facts?.tickets ?? []).map((ticket) => seatOf(ticket.ticketId ?? ticket));
    if (problem.code === "hold_ended" || problem.code === "no_hold") this.hold = null;
    this.wanted = this.held;
    if (problem.code === "seats_taken") this.#on.taken(taken);
    else this.#on.refused(problem);
  }

  #take(hold) {
    this.hold = hold;
    this.wanted = this.held;
    this.#on.changed();
  }
}

export const seatOf = (ticketId) => Number(String(ticketId).slice(String(ticketId).lastIndexOf("-") + 1));
const same = (a, b) => a.size === b.size && [...a].every((seat) => b.has(seat));

function newHoldId() {
  const random = crypto.getRandomValues(new Uint8Array(26));
  return `hd_${[...random].map((byte) => ID_LETTERS[byte & 31]).join("")}`;
}
