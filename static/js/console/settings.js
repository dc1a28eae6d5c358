// The settings of a room in words: their names, their values, and who changed them.
import { locale, number, t, timeOfDay } from "../lib/words.js";

const SECOND_MS = 1_000, MINUTE_MS = 60_000;

const NAMES = {
  mode: t("mode"), perMinute: t("pace"), maxActive: t("cap"), acceptMs: t("time to accept"), shopMs: t("time to shop"), graceMs: t("grace"),
  paused: t("paused"), pauseReason: t("reason of the pause"), opensAt: t("opening"), lobbyOpensAt: t("opening of the lobby"), draw: t("draw"),
  message: t("message"), intake: t("queue"), stopped: t("stopped"), returnUrls: t("return addresses"), subject: t("fan"), place: t("place"),
  callId: t("call"), reason: t("reason"), state: t("had"), outcome: t("refused"), name: t("name"), value: t("value"), giveUp: t("given up"),
};
const VALUES = {
  mode: { off: t("off"), auto: t("auto"), on: t("on") },
  intake: { open: t("open"), closed: t("closed"), draining: t("draining"), drained: t("drained") },
  state: {
    lobby: t("in the lobby"), drawing: t("in the draw"), waiting: t("waiting"), called: t("called"), calling: t("called"), admitted: t("inside"),
  },
};
const ACTIONS = {
  "room changed": t("setting changed"), "change undone": t("change undone"), "room drained": t("drained"), "beacon changed": t("beacon"),
  "shop changed": t("shop"), "shop change undone": t("change undone"), "fan called out of line": t("called out of line"), "call out of line refused": t("call out of line refused"),
  "fan revoked": t("revoked"),
};

export const nameOf = (setting) => NAMES[setting] ?? setting;
export const actionOf = (row) => ACTIONS[row.action] ?? row.action;

export function shown(setting, value) {
  if (Array.isArray(value)) value = value.join(", ");
  if (value === "" || value === undefined || value === null) return t("none");
  if (setting === "lobbyOpensAt" && !value) return t("at once");
  if (setting === "opensAt" || setting === "lobbyOpensAt") return instant(value);
  if (typeof value === "boolean") return value ? t("yes") : t("no");
  if (typeof value === "number") return setting.endsWith("Ms") ? span(value) : number(value);
  return VALUES[setting]?.[value] ?? String(value);
}

export const stateOf = (kind) => VALUES.state[kind] ?? kind;

export function whoOf({ who }) {
  if (who === "admin token") return t("the admin token");
  if (who === "node") return t("the server");
  return who.startsWith("console ") ? t("console {session}", { session: who.slice(8) }) : who;
}

export function instant(ms) {
  const today = new Date(ms).toDateString() === new Date().toDateString();
  return today ? timeOfDay(ms) : t("{date}, {time}", { date: dayOf(ms), time: timeOfDay(ms) });
}

function dayOf(ms) {
  const year = new Date(ms).getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  return new Date(ms).toLocaleDateString(locale, { weekday: "short", day: "numeric", month: "short", year });
}

export function span(ms) {
  if (ms < 90 * SECOND_MS) return t("{n} s", { n: Math.round(ms / SECOND_MS) });
  const minutes = Math.round(ms / MINUTE_MS);
  return minutes < 90 ? t("{n} min", { n: minutes }) : t("{hours} h {minutes} min", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}
