// Times and money in words. The server's clock counts: `learn` its time from any reply's `now`.

let ahead = 0;
export const learn = (serverNowMs) => { if (serverNowMs) ahead = serverNowMs - Date.now(); };
export const now = () => Date.now() + ahead;

const SYMBOLS = { EUR: "€", GBP: "£", USD: "$" };
export function money(minor, currency) {
  const digits = minor % 100 ? 2 : 0;
  const amount = (minor / 100).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: 2 });
  return `${amount} ${SYMBOLS[currency] ?? currency}`;
}

export const number = (n) => Math.round(n).toLocaleString("en");

export function ordinal(n) {
  const tail = { 1: "st", 2: "nd", 3: "rd" };
  return n % 100 >= 11 && n % 100 <= 13 ? "th" : tail[n % 10] ?? "th";
}

const two = (n) => String(n).padStart(2, "0");

// 02:14:09, or 14:09 under an hour.
export function clock(ms) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  const head = s >= 3600 ? `${two(Math.floor(s / 3600))}:` : "";
  return `${head}${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

export function countdown(ms) {
  const days = Math.floor(ms / 86_400_000);
  return days > 0 ? `${days} d ${clock(ms % 86_400_000)}` : clock(ms);
}

export function timeOfDay(ms, seconds = true) {
  return new Date(ms).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined });
}

export function interval(lowMs, highMs) {
  if (lowMs === null || lowMs === undefined) return "not known yet";
  if (highMs < 60_000) return "under a minute";
  const low = Math.max(1, Math.floor(lowMs / 60_000));
  const high = Math.max(low, Math.ceil(highMs / 60_000));
  return low === high ? `about ${low} min` : `${low}–${high} min`;
}

export const plural = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

// Words of an operator, to which more is added.
export const sentence = (words) => (/[.!?…]$/.test(words.trim()) ? words.trim() : `${words.trim()}.`);
