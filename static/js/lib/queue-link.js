// The way a waiting fan hears of their place: a WebSocket, polling while there is none.
//
// Both give the same queue state, so whoever listens cannot tell which it was. Close codes 4500
// and above mean that another try can't help the socket: then polling alone goes on.
import { call } from "./api.js";
import { Backoff, sleep } from "./retry.js";

const DONT_COME_BACK = 4500;
const POLL_AFTER_TRIES = 2;
const PING_MS = 25_000;
const SILENCE_MS = 75_000; // the server speaks at least once a minute

export class QueueLink {
  #path; #onState; #onLink; #socket = null; #stopped = false; #backoff = new Backoff();
  #polling = false; #heardAt = 0; #pollMs = 5_000;

  // onLink(up, tries): whether news arrive, and how often it was tried in vain.
  constructor(eventId, onState, onLink) {
    this.#path = `/events/${eventId}/queue`;
    this.#onState = onState;
    this.#onLink = onLink;
  }

  start() {
    this.#stopped = false;
    this.#connect();
    this.#watch();
  }

  stop() {
    this.#stopped = true;
    this.#socket?.close();
  }

  // Try at once instead of after the pause.
  retry() {
    this.#backoff.reset();
    if (!this.#socket) this.#connect();
  }

  #connect() {
    if (this.#stopped || this.#socket) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = this.#socket = new WebSocket(`${scheme}://${location.host}${this.#path}/socket`);
    socket.onmessage = (message) => this.#hear(JSON.parse(message.data));
    socket.onclose = (close) => this.#closed(socket, close.code);
  }

  #hear(state) {
    this.#heardAt = Date.now();
    this.#backoff.reset();
    this.#pollMs = state.pollMs ?? this.#pollMs;
    this.#onLink(true, 0);
    this.#onState(state);
  }

  async #closed(socket, code) {
    if (this.#socket !== socket) return;
    this.#socket = null;
    if (this.#stopped) return;
    const pause = this.#backoff.next();
    this.#onLink(this.#polling, this.#backoff.tries);
    if (code >= DONT_COME_BACK || this.#backoff.tries >= POLL_AFTER_TRIES) this.#poll();
    if (code >= DONT_COME_BACK && code < 5000) return;
    await sleep(pause);
    this.#connect();
  }

  async #poll() {
    if (this.#polling) return;
    this.#polling = true;
    while (!this.#stopped && this.#socket?.readyState !== WebSocket.OPEN) {
      try {
        this.#hear(await call("GET", this.#path));
        await sleep(this.#pollMs * (0.8 + Math.random() * 0.4));
      } catch (problem) {
        this.#onLink(false, this.#backoff.tries);
        await sleep(this.#backoff.next(problem.retryAfterMs ?? 1_000));
      }
    }
    this.#polling = false;
  }

  async #watch() {
    while (!this.#stopped) {
      await sleep(PING_MS);
      if (this.#socket?.readyState !== WebSocket.OPEN) continue;
      if (Date.now() - this.#heardAt > SILENCE_MS) this.#socket.close();
      else this.#socket.send('{"type":"ping"}');
    }
  }
}
