// The live numbers: a stream that is opened again until it is there, and words while it is not. A
// session that has ended is asked about like any trouble: once there is a new one, the page goes on.
import { call } from "../lib/api.js";
import { Backoff, sleep } from "../lib/retry.js";
import { say } from "./words.js";

const SILENCE_MS = 5_000; // the server speaks each second
const LONG_MS = 10_000; // a silence that charts would show
const SPEAK_MS = 5_000; // of a silence that goes on: the line is read aloud

export class Feed {
  #path; #on; #source = null; #heardAt = 0; #backoff = new Backoff(); #waiting = null;

  // `on`: numbers(seen), link(words), session(lives), missed() before the first numbers after a silence.
  constructor(path, on) {
    this.#path = path;
    this.#on = on;
    setInterval(() => this.#watch(), 1_000);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.#waiting?.(); });
    this.#open();
  }

  #open() {
    this.#source?.close();
    const source = this.#source = new EventSource(`${this.#path}/numbers/stream`);
    source.addEventListener("numbers", (event) => this.#hear(JSON.parse(event.data)));
    source.addEventListener("bye", (event) => this.#again(JSON.parse(event.data).retryMs));
    source.onerror = () => this.#failed(source);
  }

  #hear(numbers) {
    if (Date.now() - this.#heardAt > LONG_MS) this.#on.missed();
    this.#heardAt = Date.now();
    this.#backoff.reset();
    this.#on.session(true);
    this.#on.link(say.live);
    this.#on.numbers(numbers);
  }

  // A refusal ends the stream for good, and says nothing of why: ask the way that does.
  async #failed(source) {
    if (source !== this.#source || source.readyState !== EventSource.CLOSED) return;
    this.#source = null;
    try {
      await call("GET", `${this.#path}/numbers`);
    } catch (problem) {
      const ended = problem.code === "not_operator";
      this.#on.session(!ended);
      this.#on.link(ended ? say.ended : say.notLive(problem.message));
    }
    this.#again(0);
  }

  // Whoever comes back to the tab does not wait for the next try.
  async #again(atLeastMs) {
    this.#source?.close();
    this.#source = null;
    await Promise.race([sleep(this.#backoff.next(atLeastMs)), new Promise((now) => { this.#waiting = now; })]);
    this.#waiting = null;
    this.#open();
  }

  #watch() {
    const silentMs = Date.now() - this.#heardAt;
    if (this.#source && this.#heardAt && silentMs > SILENCE_MS) this.#on.link(say.notLive(say.silent(Math.floor(silentMs / SPEAK_MS) * SPEAK_MS / 1_000)));
  }
}
