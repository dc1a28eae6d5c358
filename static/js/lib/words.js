// Texts, times and money in the page's language. English is the key of each text; what the page's
// catalogue has for it came with the page. The server's clock counts: `learn` its time from any
// reply's `now`.

// `key` characters of a text are enough to find its translation: the server made sure.
const { locale, key, texts, said: known } = JSON.parse(document.getElementById("words").textContent);
export { locale };
const plurals = new Intl.PluralRules(locale), ordinals = new Intl.PluralRules(locale, { type: "ordinal" });
const filled = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => (typeof values[name] === "number" ? number(values[name]) : values[name] ?? whole));

// `{name}` in the text is filled from `values`, numbers as the language writes them.
export const t = (text, values = {}) => filled(texts[text.slice(0, key)] ?? text, values);

// In the form that goes with `n`, which is `{n}` in the text.
export function tn(one, many, n, values = {}) {
  return filled(texts[one.slice(0, key)]?.[plurals.select(n)] ?? (n === 1 ? one : many), { ...values, n });
}

// A sentence of the server, if it is one of its own; an operator's words are shown as they are.
export const said = (text) => known[text] ?? text;

let ahead = 0;
export const learn = (serverNowMs) => { if (serverNowMs) ahead = serverNowMs - Date.now(); };
export const now = () => Date.now() + ahead;

export const number = (n) => Math.round(n).toLocaleString(locale);

// Whole amounts without decimals, as `Language.money` of app/pages/language.py.
export function money(minor, currency) {
  const style = { style: "currency", currency };
  const amount = minor / 10 ** new Intl.NumberFormat(locale, style).resolvedOptions().maximumFractionDigits;
  return amount.toLocaleString(locale, Number.isInteger(amount) ? { ...style, minimumFractionDigits: 0 } : style);
}

const ORDINALS = { one: t("{n}st", { n: "{n}" }), two: t("{n}nd", { n: "{n}" }), few: t("{n}rd", { n: "{n}" }), other: t("{n}th", { n: "{n}" }) };
// What stands before the number, and after it.
export const ordinal = (n) => ORDINALS[ordinals.select(n)].split("{n}");

const two = (n) => String(n).padStart(2, "0");

// 02:14:09, or 14:09 under an hour; all three where days stand before it.
export function clock(ms, whole = false) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  const head = whole || s >= 3600 ? `${two(Math.floor(s / 3600))}:` : "";
  return `${head}${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

export function countdown(ms) {
  const days = Math.floor(ms / 86_400_000);
  return days > 0 ? t("{days} d {clock}", { days, clock: clock(ms % 86_400_000, true) }) : clock(ms);
}

export function timeOfDay(ms, seconds = true) {
  return new Date(ms).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined });
}

// The time of day, with its date unless it is today.
export function moment(ms) {
  const today = new Date(ms).toDateString() === new Date(now()).toDateString();
  const date = today ? {} : { weekday: "short", day: "numeric", month: "short" };
  return new Date(ms).toLocaleString(locale, { ...date, hour: "2-digit", minute: "2-digit" });
}

export function interval(lowMs, highMs) {
  if (lowMs === null || lowMs === undefined) return t("not known yet");
  if (highMs < 60_000) return t("under a minute");
  const low = Math.max(1, Math.floor(lowMs / 60_000));
  const high = Math.max(low, Math.ceil(highMs / 60_000));
  return low === high ? t("about {n} min", { n: low }) : t("{low}–{high} min", { low, high });
}

// Words of an operator, to which more is added.
export const sentence = (words) => (/[.!?…]$/.test(words.trim()) ? words.trim() : `${words.trim()}.`);
