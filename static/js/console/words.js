// What the console says about the sale as it is, and about what a change would do.
import { number, said, t, tn } from "../lib/words.js";
import { instant, nameOf, shown, span, stateOf } from "./settings.js";

// What keeps the next fan from being called: headline, and what it means.
const BINDS = {
  store_down: () => [t("A store does not answer."), t("Nobody is called, and these numbers may be old. Places are kept.")],
  stopped: () => [t("The sale is stopped."), t("No calls, no holds, no new payments. What is being paid is finished.")],
  early: (n, room) => [t("The sale has not opened."), room ? t("It opens: {when}.", { when: instant(room.opensAt) }) : ""],
  restoring: () => [t("The queue was repaired."), t("Fans get their places back first; calling goes on by itself within half a minute.")],
  paused: (n) => [t("Calling is paused."), t("Fans read: “{reason}”", { reason: said(n.pauseReason) || t("The organiser has paused it.") })],
  off: () => [t("The room is off."), t("Everybody goes straight in.")],
  closed: () => [t("Nobody waits, and the queue takes nobody new."), ""],
  empty: (n) => [t("Nobody waits."), full(n) ? capped(n) : t("The pace has room: whoever joins is called at once.")],
  cap: (n) => [t("The cap binds."), capped(n)],
  pace: (n) => [t("The pace binds."), t("{pace} a minute are let in. Free places inside: {free}.", { pace: n.perMinute, free: Math.max(0, n.maxActive - n.called - n.active) })],
};
const INTAKE = { closed: t("The queue is closed: nobody new."), draining: t("The sale is draining: nobody new."), drained: t("The sale is drained: it is over.") };
const CALM = ["pace", "cap", "empty", "off"], GRAVE = ["stopped", "store_down"];
const full = (n) => n.called + n.active >= n.maxActive;
const capped = (n) => tn("{n} is called or inside, {cap} may be. A place comes free when one leaves.", "{n} are called or inside, {cap} may be. A place comes free when one leaves.", n.called + n.active, { cap: n.maxActive });

export function binds(n, room) {
  const [headline, meaning] = BINDS[n.binds]?.(n, room) ?? [n.binds, ""];
  const gone = n.seats && n.sold + n.held + n.claimed >= n.seats;
  const all = n.sold >= n.seats ? t("Sold out: fans are told.") : t("Everything is sold or in baskets: fans are told.");
  const calm = CALM.includes(n.binds), first = gone && calm;
  const text = [first ? headline : "", meaning, gone && !first ? all : "", INTAKE[n.intake] ?? ""].filter(Boolean).join(" ");
  return { headline: first ? all : headline, text, tone: GRAVE.includes(n.binds) ? "bad" : calm && !gone ? "good" : "warn" };
}

const wait = (ms) => (ms === null ? t("without end") : span(ms));
const empty = (ms) => (ms === null ? t("never") : t("in {time}", { time: span(ms) }));
const turned = (now, then, words) => (words(now) === words(then) ? t("{value}, as now", { value: words(then) }) : `${words(now)} → ${words(then)}`);

// What a change would do: the server's simulation, now against then. `waiting`: fans in line now.
export function outlook({ now, then }, waiting) {
  const of = (name, words) => turned(now[name], then[name], words);
  const line = t("Half wait {half}; nine in ten {most}.", { half: of("waitP50Ms", wait), most: of("waitP90Ms", wait) });
  const lobby = [
    tn("{n} fan is in the lobby, to be drawn at the opening.", "{n} fans are in the lobby, to be drawn at the opening.", then.lobby),
    t("From then on half wait {half}; nine in ten {most}.", { half: of("lobbyWaitP50Ms", wait), most: of("lobbyWaitP90Ms", wait) }),
  ];
  return [
    ...(then.lobby ? lobby : []), ...(waiting || !then.lobby ? [line] : []),
    t("Queue empty {empty}. Most inside: {peak}.", { empty: of("emptyMs", empty), peak: of("peakActive", number) }),
  ].join(" ");
}

export const say = {
  live: t("live"),
  notLive: (why) => t("not live: {why}", { why }),
  silent: (s) => tn("no news for {n} second", "no news for {n} seconds", s),
  ended: t("session ended"),
  done: t("Done. All nodes use it within a second."),
  asNow: (value) => t("Now: {value}.", { value }),
  meanwhile: (value) => t("Somebody set it to {value} meanwhile.", { value }),
  undo: (row) => t("Undo: {changes}", { changes: Object.entries(row.before).map(([name, value]) => t("{setting} back to {value}", { setting: nameOf(name), value: shown(name, value) })).join(", ") }),
  inside: (n) => tn("{n} is called or inside: nobody is sent out.", "{n} are called or inside: nobody is sent out.", n),
  pause: t("Pause calling"), newReason: t("Show the new reason"),
  noShop: t("None: nobody is sent elsewhere."),
  silentToFans: t("Fans see no message now."),
  onceOpen: t("The sale is open: this does nothing for it any more."),
  called: (fan) => (fan.state === "called" ? t("Called. The fan has until {time} to accept.", { time: instant(fan.acceptBy) }) : t("This fan had a turn already: {state}.", { state: stateOf(fan.state) })),
  revoked: (fan) => t("Revoked. The fan was: {state}.", { state: stateOf(fan.ended.state) }),
  noSuchFan: t("Nobody has that place or id here."),
  notAnAddress: (address) => t("Fans can't be sent back to {address}. Write https://, the shop's name and a path.", { address }),
  notAFan: t("A place is a whole number from 1 on; an id begins with vs_."),
  changedBy: (who, when) => t("Changed by {who}, {when}.", { who, when }),
};

export const BEACON = {
  none: t("None is named. With one, nobody could have steered the draw. It is named before the opening."),
  named: (name) => t("Named: {name}. Its value is asked for once the lobby is closed.", { name }),
  wanted: (name) => t("The draw waits for the value of: {name}.", { name }),
  given: (name) => t("Given: {name}.", { name }),
  givenUp: t("The draw is made without it."),
  over: t("The draw is over, without a beacon."),
  name: t("Name the beacon"), value: t("Give its value"),
};
