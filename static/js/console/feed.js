// The live numbers: a stream, which the browser reconnects by itself, and words when it does not.
import { call } from "../lib/api.js";
import { Backoff, sleep } from "../lib/retry.js";
import { say } from "./words.js";

const SILENCE_MS = 5_000; // the server speaks each second

export class Feed {
  #path; #onNumbers; #onLink; #source = null; #heardAt = 0; #backoff = new Backoff();

  constructor(path, onNumbers, onLink) {
    this.#path = path;
    this.#onNumbers = onNumbers;
    this.#onLink = onLink;
    setInterval(() => this.#watch(), 1_000);
    this.#open();
  }

  #open() {
    this.#source?.close();
    this.#heardAt = Date.now();
    const source = this.#source = new EventSource(`${this.#path}/numbers/stream`);
    source.addEventListener("numbers", (event) => this.#hear(JSON.parse(event.data)));
    source.addEventListener("bye", (event) => this.#again(JSON.parse(event.data).retryMs));
    source.onerror = () => this.#failed(source);
  }

  #hear(numbers) {
    this.#heardAt = Date.now();
    this.#backoff.reset();
    this.#onLink(say.live);
    this.#onNumbers(numbers);
  }

  // A refusal ends the stream for good, and says nothing of why: ask the way that does.
  async #failed(source) {
    if (source !== this.#source || source.readyState !== EventSource.CLOSED) return;
    this.#source = null;
    try {
      await call("GET", `${this.#path}/numbers`);
    } catch (problem) {
      if (problem.code === "not_operator") return this.#onLink(say.ended);
      this.#onLink(say.notLive(problem.message));
    }
    this.#again(0);
  }

  async #again(atLeastMs) {
    this.#source?.close();
    this.#source = null;
    await sleep(this.#backoff.next(atLeastMs));
    this.#open();
  }

  #watch() {
    const silentMs = Date.now() - this.#heardAt;
    if (this.#source && silentMs > SILENCE_MS) this.#onLink(say.notLive(`no news for ${Math.round(silentMs / 1000)} s`));
  }
}
