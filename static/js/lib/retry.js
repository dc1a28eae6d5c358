// Waiting between tries: doubled each time, with full jitter, so that a crowd comes back spread out.

const FIRST_MS = 500;
const LONGEST_MS = 15_000;

export class Backoff {
  #tries = 0;
  get tries() { return this.#tries; }
  reset() { this.#tries = 0; }

  // Milliseconds to wait before the next try; never less than what the server asked for.
  next(atLeastMs = 0) {
    const most = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#tries++);
    return atLeastMs + FIRST_MS / 2 + Math.random() * most;
  }
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
