// One sale in front of its operator: numbers each second, charts, and controls that say beforehand
// what they will do. A change names the version it was made on; if another operator was faster,
// the new values are shown instead of being overwritten.
import { Chart } from "./lib/chart.js";
import { call } from "./lib/api.js";
import { $, $$, element, say, toast } from "./lib/page.js";
import { Backoff, sleep } from "./lib/retry.js";
import { number, timeOfDay } from "./lib/words.js";

const admin = `/admin/events/${document.body.dataset.event}`;
const LOOK_MS = 1_000, AUDIT_EVERY = 5;
const CHARTS = { queue: ["waiting", "active"], admitted: ["calledLastMinute", "perMinute"], seats: ["sold", "held"] };
const charts = new Map($$("[data-chart]").map((part) => [part.dataset.chart, new Chart($(".plot", part))]));
let room = null, numbers = null;

for (const form of $$("[data-change]")) {
  form.onsubmit = (event) => { event.preventDefault(); change(form); };
  form.oninput = () => preview(form);
}
follow();

async function follow() {
  const backoff = new Backoff();
  for (let round = 0; ; round++) {
    try {
      showNumbers(await call("GET", `${admin}/numbers`));
      if (round % AUDIT_EVERY === 0) await refresh();
      backoff.reset();
      say($("#link"), "live");
      await sleep(LOOK_MS);
    } catch (problem) {
      if (problem.code === "not_operator") return say($("#link"), "The session has ended. Open a new console link.");
      say($("#link"), `not live: ${problem.message}`);
      await sleep(Math.min(5_000, backoff.next(problem.retryAfterMs ?? 0)));
    }
  }
}

async function refresh() {
  showRoom(await call("GET", `${admin}/admission`));
  showAudit(await call("GET", `${admin}/audit`));
}

function showNumbers(seen) {
  numbers = seen;
  const words = {
    present: `${number(seen.present)}`, waiting: number(seen.waiting), called: number(seen.called),
    active: `${number(seen.active)} / ${number(seen.maxActive)}`, calledLastMinute: `${number(seen.calledLastMinute)} / ${number(seen.perMinute)}`,
    lapsed: number(seen.lapsed), held: number(seen.held + (seen.claimed ?? 0)),
    sold: `${number(seen.sold)} / ${number(seen.seats)}`,
  };
  for (const tile of $$("[data-number]")) say($("dd", tile), words[tile.dataset.number]);
  $('[data-number="active"]').classList.toggle("over", seen.active + seen.called > seen.maxActive);
  for (const [name, [a, b]] of Object.entries(CHARTS)) charts.get(name)?.add(seen[a], seen[b]);
  if (room && (room.mode !== seen.mode || room.perMinute !== seen.perMinute || room.paused !== seen.paused)) refresh().catch(() => {});
  $$("[data-change]").forEach(preview);
}

function showRoom(seen) {
  const newer = room === null || room.version !== seen.version;
  room = seen;
  if (newer) for (const name of ["perMinute", "maxActive", "mode"]) $(`#${name}`).value = seen[name];
  $("#paused").hidden = !seen.paused;
  say($("#paused"), seen.paused ? `Calling is paused. Fans read: "${seen.pauseReason || "The organiser has paused it."}"` : "");
  const button = $('[data-change="paused"] button');
  say(button, seen.paused ? "Resume calling" : "Pause calling");
  button.classList.toggle("danger", !seen.paused);
  button.classList.toggle("strong", seen.paused);
  $("#pauseReason").disabled = seen.paused;
  $$("[data-change]").forEach(preview);
}

function wanted(form) {
  const name = form.dataset.change;
  if (name === "paused") return room.paused ? { paused: false } : { paused: true, pauseReason: $("#pauseReason").value };
  return { [name]: name === "mode" ? $("#mode").value : Number($(`#${name}`).value) };
}

async function change(form) {
  if (!room) return;
  const button = $("button", form);
  button.disabled = true;
  try {
    showRoom(await call("PATCH", `${admin}/admission`, { body: wanted(form), headers: { "If-Match": `"${room.version}"` } }));
    toast("Done. All nodes use it within a second.");
    showAudit(await call("GET", `${admin}/audit`));
  } catch (problem) {
    if (problem.code === "changed") await refresh();
    toast(problem.code === "changed" ? "Somebody changed the sale meanwhile. These are the new values: look, then try again." : problem.message);
  } finally {
    button.disabled = false;
  }
}

function preview(form) {
  if (!room || !numbers) return;
  const want = wanted(form), waiting = numbers.waiting;
  const minutes = (pace) => (pace > 0 ? `the ${number(waiting)} waiting need about ${number(Math.ceil(waiting / pace))} min` : "nobody is let in");
  const inside = numbers.active + numbers.called;
  const words = {
    perMinute: () => (want.perMinute === room.perMinute ? `Now ${number(room.perMinute)}: ${minutes(room.perMinute)}.` : `From ${number(room.perMinute)} to ${number(want.perMinute)}: ${minutes(want.perMinute)}.`),
    maxActive: () => (want.maxActive < inside ? `${number(inside)} are called or inside. Nobody is sent out; calling waits until ${number(inside - want.maxActive)} have left.` : `Room for ${number(want.maxActive - inside)} more at once.`),
    mode: () => (want.mode === room.mode ? `Now ${room.mode}.` : want.mode === "off" ? `The ${number(waiting)} waiting can go straight in.` : `From ${room.mode} to ${want.mode}.`),
    paused: () => (room.paused ? "Calling starts again at the set pace." : `${number(waiting)} waiting fans keep their places and read the reason.`),
  };
  say($("[data-preview]", form), words[form.dataset.change]());
}

function showAudit(rows) {
  const list = Array.isArray(rows) ? rows : rows.audit ?? [];
  $(".audit tbody").replaceChildren(...list.map((row) => element("tr", {}, ...cells(row))));
}

function cells({ at, who, action, before, after }) {
  const keys = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  const differs = keys.filter((key) => JSON.stringify(before?.[key]) !== JSON.stringify(after?.[key]) && key !== "version");
  const change = differs.map((key) => `${key}: ${before?.[key] ?? "–"} → ${after?.[key] ?? "–"}`).join(", ");
  return [timeOfDay(at), who, action, change].map((textContent) => element("td", { textContent }));
}
