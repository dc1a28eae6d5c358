// One stream of seat changes an event for all tabs of a browser.
//
// The tab that has the lock reads the stream and passes on what it hears; the others listen. A
// visible tab that hears nothing for a while takes the lock away: the reader was frozen. Every
// frame says from which version to which it leads, so each tab finds its own gaps, and cures
// them with a snapshot: subscribe first, read second, apply third. A frame may lead over a repair,
// from one epoch into the next.
import { call } from "../lib/api.js";
import { Backoff, sleep } from "../lib/retry.js";

const BEAT_MS = 2_000;
const SILENT_MS = 7_000;
const SNAPSHOT_TIMEOUT_MS = 30_000;

export class SeatStream {
  #path; #states; #on; #source = null; #channel = null; #reading = false; #stopped = false;
  #backoff = new Backoff(); #heardAt = 0; #beatAt = Date.now(); #fetching = null; #lock; #facts = null;

  // on: {changed(seats), whole(), sale(facts), live(isLive, heardAt), refused()}
  constructor(eventId, states, on) {
    this.#path = `/events/${eventId}/seats`;
    this.#lock = `onsale.seats.${eventId}`;
    this.#states = states;
    this.#on = on;
  }

  async start() {
    if ("BroadcastChannel" in window) {
      this.#channel = new BroadcastChannel(this.#lock);
      this.#channel.onmessage = ({ data }) => { if (!this.#reading) this.#take(data); };
    }
    await this.snapshot();
    this.#lead(false);
    setInterval(() => this.#beat(), BEAT_MS);
    document.addEventListener("visibilitychange", () => this.#beat());
  }

  stop() {
    this.#stopped = true;
    this.#source?.close();
    this.#channel?.close();
  }

  // Read the whole picture; one request at a time, tried until it succeeds.
  snapshot() {
    this.#fetching ??= this.#snapshot().finally(() => { this.#fetching = null; });
    return this.#fetching;
  }

  async #snapshot() {
    const backoff = new Backoff();
    while (!this.#stopped) {
      try {
        const picture = await call("GET", this.#path, { timeoutMs: SNAPSHOT_TIMEOUT_MS });
        if (this.#states.load(picture)) this.#on.whole();
        return;
      } catch (problem) {
        this.#on.live(false, this.#heardAt);
        await sleep(backoff.next(problem.retryAfterMs ?? 0));
      }
    }
  }

  async #lead(steal) {
    if (!navigator.locks) return this.#read();
    try {
      await navigator.locks.request(this.#lock, { steal }, async () => {
        await this.#read();
        await new Promise(() => {}); // keeps the lock for this tab's life
      });
    } catch { // another tab took it: this one listens, and queues for its turn
      this.#source?.close();
      this.#source = null;
      this.#reading = false;
      if (!this.#stopped) this.#lead(false);
    }
  }

  async #read() {
    this.#reading = true;
    this.#open();
  }

  #open() {
    if (this.#stopped || !this.#reading) return;
    const source = this.#source = new EventSource(`${this.#path}/stream?after=${encodeURIComponent(this.#states.id)}`);
    let at = this.#states.at; // what this stream has led us to
    const frame = (kind, build) => source.addEventListener(kind, (event) => {
      this.#pass({ kind, ...build(JSON.parse(event.data), event.lastEventId) });
    });
    source.onopen = () => { this.#backoff.reset(); this.#pass({ kind: "live" }); };
    source.onerror = () => this.#lost(source);
    frame("seats", (pairs, id) => {
      const from = at, colon = id.lastIndexOf(":");
      at = { epoch: id.slice(0, colon), version: Number(id.slice(colon + 1)) };
      return { from, to: at, pairs };
    });
    frame("snapshot", (picture) => { at = { epoch: picture.epoch, version: picture.version }; return { picture }; });
    frame("sale", (facts) => { this.#facts = facts; return { facts }; });
    frame("reset", ({ retryMs }) => { this.#anew(source, retryMs); return { retryMs }; });
    frame("bye", ({ retryMs }) => { this.#lost(source, retryMs); return { retryMs }; });
  }

  async #lost(source, atLeastMs = 0) {
    if (this.#source !== source) return;
    this.#closed(source);
    await this.#on.refused();
    await sleep(this.#backoff.next(atLeastMs));
    this.#open();
  }

  // The server was repaired and knows no way from our version to its own.
  async #anew(source, inMs) {
    this.#closed(source);
    await sleep(inMs);
    await this.snapshot();
    this.#open();
  }

  #closed(source) {
    source.close();
    this.#source = null;
    this.#pass({ kind: "lost", heardAt: this.#heardAt });
  }

  #pass(message) {
    this.#channel?.postMessage(message);
    this.#take(message);
  }

  #take(message) {
    this.#beatAt = Date.now();
    if (message.kind === "lost") return this.#on.live(false, message.heardAt);
    if (message.kind === "bye") return undefined;
    this.#heardAt = Date.now();
    if (message.kind === "reset") return this.#reading ? undefined : sleep(message.retryMs).then(() => this.snapshot());
    this.#on.live(true, this.#heardAt);
    if (message.kind === "snapshot" && this.#states.load(message.picture)) this.#on.whole();
    if (message.facts) this.#on.sale(message.facts);
    if (message.kind === "seats") this.#changes(message);
    return undefined;
  }

  #changes({ from, to, pairs }) {
    const changed = this.#states.apply(from, to, pairs);
    if (changed === null) this.snapshot();
    else if (changed.length) this.#on.changed(changed);
  }

  #beat() {
    if (this.#reading) {
      if (this.#source?.readyState === EventSource.OPEN) this.#pass({ kind: "live", facts: this.#facts });
    } else if (!document.hidden && Date.now() - this.#beatAt > SILENT_MS && navigator.locks) {
      this.#beatAt = Date.now();
      this.#lead(true);
    }
  }
}
