// The live numbers on the page: what binds, the figures, three charts that begin with the past.
import { Chart } from "../lib/chart.js";
import { $, $$, element, say } from "../lib/page.js";
import { number, t } from "../lib/words.js";
import { span } from "./settings.js";
import { binds } from "./words.js";

const MINUTE_MS = 60_000;
const LINES = { queue: ["waiting", "active"], admitted: ["calledLastMinute", "perMinute"], seats: ["sold", "held"] };
const TONES = ["good", "warn", "bad"];
const charts = new Map($$("[data-chart]").map((part) => [part.dataset.chart, new Chart($(".plot", part))]));
const band = $("#binds"), refused = $("#refused");
const told = JSON.parse($("#refusals").textContent); // error code → what the fan was told
let totals = []; // of refusals: [at, total] of the last minute and a little more

// What was before this page: drawn anew when the page was away from the server.
export function showPast(points) {
  for (const [name, [a, b]] of Object.entries(LINES)) charts.get(name).begin(points.map((point) => [point.at, point[a], point[b]]));
  totals = points.map((point) => [point.at, point.refused]);
}

export function showNumbers(seen, room) {
  const held = seen.held + seen.claimed, total = Object.values(seen.refused).reduce((sum, n) => sum + n, 0);
  document.body.classList.toggle("lobby", seen.lobby > 0);
  showBinds(binds(seen, room));
  showFigures(seen, held, total);
  showRefused(seen.refused, total);
  for (const [name, [a, b]] of Object.entries(LINES)) {
    const values = { ...seen, held }, part = $(`[data-chart="${name}"]`);
    if (seen.binds !== "store_down") charts.get(name).add(seen.now, values[a], values[b]);
    say($('[data-last="a"]', part), number(values[a]));
    say($('[data-last="b"]', part), number(values[b]));
  }
}

function showBinds({ headline, text, tone }) {
  say($("strong", band), headline);
  say($("span", band), text);
  for (const name of TONES) band.classList.toggle(name, name === tone);
}

function showFigures(seen, held, total) {
  const share = seen.seats ? Math.floor((seen.sold / seen.seats) * 100) : 0;
  const wait = (ms) => (ms === null ? "–" : span(ms));
  const figures = {
    lobby: [number(seen.lobby)], waiting: [number(seen.waiting)], called: [number(seen.called)],
    active: [number(seen.active), `/ ${number(seen.maxActive)}`], rate: [number(seen.calledLastMinute), `/ ${number(seen.perMinute)}`],
    lapsed: [number(seen.lapsed)], sold: [`${number(share)} %`, t("{n} of {all}", { n: seen.sold, all: seen.seats })],
    errors: [number(lastMinute(seen.now, total))], present: [number(seen.present)], away: [number(seen.away)], gone: [number(seen.gone)],
    p50: [wait(seen.waitP50Ms)], p90: [wait(seen.waitP90Ms)], held: [number(held)], skipped: [number(seen.skipped)], revoked: [number(seen.revoked)],
  };
  for (const tile of $$("[data-number]")) {
    const [figure, small = ""] = figures[tile.dataset.number];
    say($("[data-figure]", tile), figure);
    say($("small", tile), small);
  }
  $('[data-number="active"]').classList.toggle("over", seen.active + seen.called > seen.maxActive);
}

function showRefused(counts, total) {
  say($("[data-total]", refused), number(total));
  const rows = Object.entries(counts).sort((a, b) => b[1] - a[1]);
  const list = $("ul", refused);
  if (list.dataset.shown === JSON.stringify(rows)) return;
  list.dataset.shown = JSON.stringify(rows);
  list.replaceChildren(...rows.map(([code, count]) => element("li", {}, element("b", { textContent: number(count) }), element("span", { textContent: told[code] ?? "" }), element("code", { textContent: code, translate: false, dir: "ltr" }))));
}

// A total that fell was counted anew after a repair.
function lastMinute(nowMs, total) {
  if (totals.length && total < totals.at(-1)[1]) totals = [];
  totals.push([nowMs, total]);
  while (totals.length > 1 && totals[1][0] <= nowMs - MINUTE_MS) totals.shift();
  return total - totals[0][1];
}
