// Every text that the console's scripts show. Operators read English.
import { number } from "../lib/words.js";

const MINUTE_MS = 60_000;

// What keeps the next fan from being called: headline, and what it means.
export const BINDS = {
  store_down: ["A store does not answer.", () => "Nobody is called, and these numbers may be old. Places are kept."],
  stopped: ["The sale is stopped.", () => "No calls, no holds, no new payments. What is being paid is finished."],
  early: ["The sale has not opened.", (n, room) => (room ? `It opens ${moment(room.opensAt)}.` : "")],
  restoring: ["The queue was repaired.", () => "Fans get their places back first; calling goes on by itself within half a minute."],
  paused: ["Calling is paused.", (n) => `Fans read: “${n.pauseReason || "The organiser has paused it."}”`],
  off: ["The room is off.", () => "Everybody goes straight in."],
  closed: ["Nobody waits, and the queue takes nobody new.", () => ""],
  empty: ["Nobody waits.", () => "The pace has room: whoever joins is called at once."],
  cap: ["The cap binds.", (n) => `${number(n.called + n.active)} are called or inside, ${number(n.maxActive)} may be. A place comes free when one leaves.`],
  pace: ["The pace binds.", (n) => `${number(n.perMinute)} a minute are let in, ${number(Math.max(0, n.maxActive - n.called - n.active))} places inside are free.`],
};
export const CALM = ["pace", "cap", "empty", "off"];

export const SETTINGS = {
  mode: "mode", perMinute: "pace", maxActive: "cap", acceptMs: "time to accept", shopMs: "time to shop", graceMs: "grace", paused: "paused",
  pauseReason: "reason", opensAt: "opening", message: "message", intake: "queue", stopped: "stopped", draw: "draw", lobbyOpensAt: "lobby opens",
  returnUrls: "return addresses", subject: "fan", place: "place", callId: "call", reason: "reason", state: "had", outcome: "refused",
};

export const shown = (name, value) => {
  if (name === "opensAt" || name === "lobbyOpensAt") return moment(value);
  if (name.endsWith("Ms") && typeof value === "number") return span(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return number(value);
  return value === "" || value === undefined || value === null ? "none" : String(value);
};

export const moment = (ms) => new Date(ms).toLocaleString("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", day: "numeric", month: "short" });

export function span(ms) {
  if (ms < 90_000) return `${number(Math.round(ms / 1000))} s`;
  if (ms < 90 * MINUTE_MS) return `${number(Math.round(ms / MINUTE_MS))} min`;
  return `${(ms / 60 / MINUTE_MS).toFixed(1)} h`;
}

const wait = (ms) => (ms === null ? "without end" : span(ms));
const empty = (ms) => (ms === null ? "never" : `in ${span(ms)}`);
const turned = (now, then, words) => (words(now) === words(then) ? `${words(then)}, as now` : `${words(now)} → ${words(then)}`);

// What a change would do: the server's simulation, now against then.
export function outlook({ now, then }) {
  return `Half wait ${turned(now.waitP50Ms, then.waitP50Ms, wait)}; nine in ten ${turned(now.waitP90Ms, then.waitP90Ms, wait)}. `
    + `Queue empty ${turned(now.emptyMs, then.emptyMs, empty)}. Most inside: ${turned(now.peakActive, then.peakActive, number)}.`;
}

export const more = (n) => [
  `${number(n.present)} present, ${number(n.away)} away`,
  n.waitP50Ms === null ? "no calls from the queue in the last minutes" : `called lately after ${span(n.waitP50Ms)} (half) to ${span(n.waitP90Ms)} (nine in ten)`,
  `${number(n.gone)} gone`, `${number(n.skipped)} called out of line`, `${number(n.revoked)} revoked`, refusals(n.refused),
].join(" · ");

function refusals(counts) {
  const most = Object.entries(counts ?? {}).sort((a, b) => b[1] - a[1]).slice(0, 4);
  return most.length ? `refused: ${most.map(([code, count]) => `${code} ${number(count)}`).join(", ")}` : "nobody refused";
}

export const say = {
  live: "live",
  notLive: (why) => `not live: ${why}`,
  ended: "The session has ended. Open a new console link.",
  done: "Done. All nodes use it within a second.",
  changed: "Somebody changed the sale meanwhile. These are the values of now: look, then try again.",
  undo: (row) => `Undo: ${Object.entries(row.before).map(([name, value]) => `${SETTINGS[name] ?? name} back to ${shown(name, value)}`).join(", ")}`,
  asNow: (value) => `Now ${value}.`,
  inside: (n) => `${number(n)} are called or inside: nobody is sent out. `,
  pause: "Pause calling", resume: "Resume calling",
  called: (fan) => (fan.state === "called" ? `Called. They have until ${moment(fan.acceptBy)} to accept.` : `This fan is ${fan.state} already.`),
  revoked: (fan) => `Revoked: the fan was ${fan.ended.state}.`,
  notAFan: "A place is a whole number, an id looks like vs_…",
};

// The grave ones: [button, where it stands now, headline of the question, what it does, the way back].
export const ACTS = {
  close: { change: { intake: "closed" }, back: { intake: "open" }, on: (room) => room.intake === "closed", button: "Close the queue", undo: "Open the queue", title: "Close the queue?", text: "Nobody new gets a place or goes straight in. Those in line go on." },
  drain: { change: { intake: "draining" }, back: { intake: "open" }, on: (room) => room.intake === "draining" || room.intake === "drained", button: "Drain", undo: "Open the queue", title: "Drain the sale?", text: "Nobody new gets a place. When everybody in line is through, the sale is over by itself." },
  stop: { change: { stopped: true }, back: { stopped: false }, on: (room) => room.stopped, button: "Stop the sale", undo: "Let the sale go on", title: "Stop the sale?", text: "Nobody is called, nobody can hold seats or begin to pay. Times run on: calls, admissions and holds may end meanwhile." },
};
export const OFF = { title: "Switch the room off?", button: "Switch it off", text: (n) => `All ${number(n)} who wait go straight in at once, whatever pace and cap say.` };
export const REVOKE = { title: "Revoke what this fan has?", button: "Revoke", text: "The place, call or admission ends at once, and seats that are not being paid for are free again." };
