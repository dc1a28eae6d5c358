// Which changes are grave, and what is asked before them: in plain words, what will happen to how
// many fans. Pure: settings and numbers in, a question or null out.
import { t, tn } from "../lib/words.js";
import { instant } from "./settings.js";

const waiting = (n) => tn("{n} fan waits.", "{n} fans wait.", n.waiting);
const inside = (n) => tn("{n} is called or inside.", "{n} are called or inside.", n.called + n.active);
const asked = (title, button, ...sentences) => ({ title, button, text: sentences.join(" ") });

export const STOP = { change: { stopped: true }, back: { stopped: false }, on: (room) => room.stopped, button: t("Stop the sale"), undo: t("Let the sale go on") };
export const ACTS = {
  close: { change: { intake: "closed" }, back: { intake: "open" }, on: (room) => room.intake === "closed", button: t("Close the queue"), undo: t("Open the queue") },
  drain: { change: { intake: "draining" }, back: { intake: "open" }, on: (room) => ["draining", "drained"].includes(room.intake), button: t("Drain"), undo: t("Open the queue") },
  stop: STOP,
};

// A change may be several settings (an undo): the gravest of them is asked about.
export function question(change, room, n, nowMs) {
  if (change.stopped && !room.stopped) {
    return asked(t("Stop the sale?"), STOP.button, waiting(n), inside(n), t("Nobody is called, and nobody can hold seats or begin to pay."), t("Times stand still: calls, admissions and holds are put off until it goes on. Places are kept."));
  }
  if (change.mode === "off" && room.mode !== "off") {
    return asked(t("Switch the room off?"), t("Switch it off"), waiting(n), t("They go straight in at once, all of them, whatever pace and cap say; so does everybody who comes."));
  }
  if (change.opensAt > room.opensAt && room.opensAt <= nowMs) {
    return asked(t("Put the opening off?"), t("Put it off"), t("The sale is open now."), inside(n), t("Whoever got in before the new opening is out again."), waiting(n), t("Nobody is called before {when}.", { when: instant(change.opensAt) }));
  }
  if (change.opensAt <= nowMs && room.opensAt > nowMs) {
    return asked(t("Open the sale now?"), t("Open it now"), tn("{n} fan is in the lobby.", "{n} fans are in the lobby.", n.lobby), t("The list is fixed, the order drawn and calling begins, at once. It can't be drawn again."));
  }
  if (change.intake === "draining" && room.intake !== "draining") {
    return asked(t("Drain the sale?"), ACTS.drain.button, waiting(n), inside(n), t("They go on. Nobody new gets a place, and when the last of them is through, the sale is over by itself."));
  }
  if (change.intake === "closed" && room.intake !== "closed") {
    return asked(t("Close the queue?"), ACTS.close.button, waiting(n), t("They keep their places and go on. Nobody new gets a place or goes straight in, until you open it again."));
  }
  return null;
}

export const REVOKE = (fan) => asked(t("Revoke what this fan has?"), t("Revoke"), t("One fan: {fan}.", { fan }), t("The place, call or admission ends at once, and seats that are not being paid for are free again. The place does not come back."));
export const GIVE_UP = (n) => asked(t("Draw without the beacon?"), t("Draw without it"), tn("{n} fan is in the draw.", "{n} fans are in the draw.", n.lobby), t("The order can then have been steered by who chose the seed, and the page says so. It can't be taken back."));
