// The way a waiting fan hears of their place: a WebSocket, polling while there is none.
//
// Both give the same queue state, so whoever listens cannot tell which it was. A frame without
// `state` is for everybody: it is laid over the last one. Close codes 4500 and above mean that
// another try can't help the socket: then polling alone goes on.
import { call } from "./api.js";
import { Backoff, sleep } from "./retry.js";

const DONT_COME_BACK = 4500;
const POLL_AFTER_TRIES = 2;
const CONNECT_MS = 8_000; // a line that swallows it without a word is as good as one that refuses
const PING_MS = 25_000;
const SILENCE_MS = 75_000; // the server speaks at least once a minute

export class QueueLink {
  #path; #onState; #onLink; #socket = null; #run = 0; #state; #drop = () => {};
  #backoff = new Backoff(); #pollBackoff = new Backoff(); #polling = false; #heardAt = 0; #pollMs = 5_000; #pauses = new Set();

  // onLink(up, tries): whether news arrive, and how often it was tried in vain.
  constructor(eventId, onState, onLink) {
    this.#path = `/events/${eventId}/queue`;
    this.#onState = onState;
    this.#onLink = onLink;
  }

  start() {
    const run = ++this.#run;
    this.#connect(run);
    this.#watch(run);
  }

  stop() {
    this.#run++;
    this.#polling = false;
    this.renew();
  }

  // A socket from before a sleep or another network may be dead and not know it.
  wake() {
    if (Date.now() - this.#heardAt > SILENCE_MS) this.renew();
    else this.retry();
  }

  renew() {
    this.#drop();
    this.retry();
  }

  // Try at once instead of after the pause.
  retry() {
    this.#backoff.reset();
    this.#pollBackoff.reset();
    for (const end of this.#pauses) end();
  }

  // A pause that `retry` ends.
  pause(ms) {
    return new Promise((done) => {
      const end = () => { this.#pauses.delete(end); done(); };
      this.#pauses.add(end);
      setTimeout(end, ms);
    });
  }

  // `run` is the number of the start that this belongs to: after a stop it is another.
  async #connect(run) {
    while (this.#run === run) {
      const code = await this.#session(run);
      if (this.#run !== run) return;
      const pause = this.#backoff.next();
      this.#tell(this.#polling && !this.#pollBackoff.tries);
      if (code >= DONT_COME_BACK || this.#backoff.tries >= POLL_AFTER_TRIES) this.#poll(run);
      if (code >= DONT_COME_BACK && code < 5000) return;
      await this.pause(pause);
    }
  }

  // One connection, from its beginning to its end; the close code.
  #session(run) {
    if (!("WebSocket" in window)) return DONT_COME_BACK;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = this.#socket = new WebSocket(`${scheme}://${location.host}${this.#path}/socket`);
    socket.onmessage = (message) => { this.#backoff.reset(); this.#hear(run, JSON.parse(message.data)); };
    return new Promise((done) => {
      const end = ({ code }) => { this.#socket = socket.onmessage = socket.onclose = null; done(code); };
      socket.onclose = end;
      this.#drop = () => { socket.close(); end({ code: 1006 }); }; // not when the dead line lets it go
      setTimeout(() => { if (socket.readyState === 0) socket.close(); }, CONNECT_MS);
    });
  }

  #hear(run, state) {
    if (this.#run !== run) return;
    this.#heardAt = Date.now();
    this.#pollBackoff.reset();
    this.#pollMs = state.pollMs ?? this.#pollMs;
    this.#onLink(true, 0);
    this.#state = state.state ? state : { ...this.#state, ...state };
    this.#onState(this.#state);
  }

  // Two ways are tried at a time: what one finds must not hide what the other did.
  #tell(up) {
    this.#onLink(up, Math.max(this.#backoff.tries, this.#pollBackoff.tries));
  }

  async #poll(run) {
    if (this.#polling) return;
    this.#polling = true;
    while (this.#run === run && this.#socket?.readyState !== 1) {
      try {
        this.#hear(run, await call("GET", this.#path));
        await this.pause(this.#pollMs * (0.8 + Math.random() * 0.4));
      } catch (problem) {
        if (this.#run !== run) return;
        const pause = this.#pollBackoff.next(problem.retryAfterMs ?? 1_000);
        this.#tell(false);
        await this.pause(pause);
      }
    }
    if (this.#run === run) this.#polling = false;
  }

  async #watch(run) {
    while (this.#run === run) {
      await sleep(PING_MS);
      if (this.#run !== run || this.#socket?.readyState !== 1) continue;
      if (Date.now() - this.#heardAt > SILENCE_MS) this.#drop();
      else this.#socket.send('{"type":"ping"}');
    }
  }
}
