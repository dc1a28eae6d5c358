// The live numbers on the page: what binds, eight figures, three charts.
import { Chart } from "../lib/chart.js";
import { $, $$, say } from "../lib/page.js";
import { number } from "../lib/words.js";
import { BINDS, CALM, more } from "./words.js";

const MINUTE = 60; // numbers of as many seconds make a rate
const LINES = { queue: ["waiting", "active"], admitted: ["calledLastMinute", "perMinute"], seats: ["sold", "held"] };
const charts = new Map($$("[data-chart]").map((part) => [part.dataset.chart, new Chart($(".plot", part))]));
const refused = []; // totals, one a second

export function showNumbers(seen, room) {
  showBinds(seen, room);
  const share = seen.seats ? Math.floor((seen.sold / seen.seats) * 100) : 0;
  const figures = {
    lobby: [number(seen.lobby)],
    waiting: [number(seen.waiting), seen.away ? `${number(seen.away)} away` : ""],
    called: [number(seen.called)],
    active: [number(seen.active), `/ ${number(seen.maxActive)}`],
    rate: [number(seen.calledLastMinute), `/ ${number(seen.perMinute)}`],
    lapsed: [number(seen.lapsed)],
    sold: [`${share} %`, `${number(seen.sold)} of ${number(seen.seats)}, ${number(seen.held + (seen.claimed ?? 0))} held`],
    errors: [number(refusedLately(seen.refused))],
  };
  for (const tile of $$("[data-number]")) {
    const [figure, small = ""] = figures[tile.dataset.number];
    say($("[data-figure]", tile), figure);
    say($("small", tile), small);
  }
  $('[data-number="active"]').classList.toggle("over", seen.active + seen.called > seen.maxActive);
  say($("#more"), more(seen));
  for (const [name, [a, b]] of Object.entries(LINES)) {
    const values = { ...seen, held: seen.held + (seen.claimed ?? 0) };
    charts.get(name).add(values[a], values[b]);
    const part = $(`[data-chart="${name}"]`);
    say($('[data-last="a"]', part), number(values[a]));
    say($('[data-last="b"]', part), number(values[b]));
  }
}

function showBinds(seen, room) {
  const [headline, words] = BINDS[seen.binds] ?? [seen.binds, () => ""];
  const band = $("#binds");
  say($("strong", band), headline);
  say($("span", band), words(seen, room) + intake(seen));
  band.classList.toggle("good", CALM.includes(seen.binds));
  band.classList.toggle("warn", !CALM.includes(seen.binds) && seen.binds !== "stopped" && seen.binds !== "store_down");
  band.classList.toggle("bad", seen.binds === "stopped" || seen.binds === "store_down");
}

const INTAKE = { closed: " The queue is closed: nobody new.", draining: " The sale is draining: nobody new.", drained: " The sale is drained: it is over." };
const intake = (seen) => INTAKE[seen.intake] ?? "";

function refusedLately(counts) {
  const total = Object.values(counts ?? {}).reduce((sum, n) => sum + n, 0);
  if (refused.length && total < refused.at(-1)) refused.length = 0; // counted anew after a repair
  refused.push(total);
  if (refused.length > MINUTE + 1) refused.shift();
  return total - refused[0];
}
