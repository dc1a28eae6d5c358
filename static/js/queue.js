// The queue page: one state of the queue is shown at a time, each as the server told it. The page
// came with the state as it was then; app/pages/queue_view.py says the same to pages without scripts.
import { call } from "./lib/api.js";
import { $, $$, remember, remembered, say } from "./lib/page.js";
import { QueueLink } from "./lib/queue-link.js";
import { Backoff, sleep } from "./lib/retry.js";
import { countdown, interval, learn, moment, now, number, ordinal, said, sentence, t, tn } from "./lib/words.js";
import { announce, offerSound, ring } from "./queue/turn.js";

const { event: eventId, title, acceptMs } = document.body.dataset;
const api = `/events/${eventId}/queue`, JOIN = $("#again").textContent;
const SLIP = `onsale.slip.${eventId}`, RECEIPT = `onsale.receipt.${eventId}`, BEST = `onsale.first-rank.${eventId}`;
const OPENING_SPREAD_MS = 2_000;
const QUIET_TRIES = 3;
const LINE_HOLDS_MS = 75_000;
const SPEAK_EVERY_MS = 60_000; // a screen reader hears the rank no more often
const LISTENING = new Set(["early", "lobby", "drawing", "waiting", "called"]);
// Why a wait changed, in words: attributes of the line that shows it.
const why = (name) => $("#eta-why").dataset[name === "no_shows" ? "noShows" : name] ?? "";

const link = new QueueLink(eventId, show, showLink);
let current = { state: "loading" };
let shownRank = null, progress = 0, linked = false, joining = false, spokenAt = 0, bands = "";

$(".way").hidden = false;
begin(JSON.parse($("#state").textContent));
setInterval(tick, 250);
document.addEventListener("visibilitychange", () => { if (!document.hidden) link.wake(); });
for (const change of ["online", "offline"]) addEventListener(change, () => link.renew());
on("#accept", accept);
on("#leave", leave);
on("#again", join);
on("#retry", () => { $("#retry").hidden = true; link.retry(); });
offerSound($("#sound"));

function on(selector, act) {
  $(selector).addEventListener("click", (event) => { event.preventDefault(); act(); });
}

// Who has no place yet gets one at once; before the opening that is refused, or an entry in the draw.
async function begin(state) {
  const known = state ?? await insist(() => call("GET", api));
  if (known.state !== "none" && known.state !== "early") return show(known);
  current = known;
  return known.revokedReason ? revoked(known) : join();
}

async function join() {
  if (joining) return;
  joining = true;
  $("#again").hidden = true; // it could do nothing but what is under way
  const slip = remembered("localStorage", SLIP), receipt = remembered("localStorage", RECEIPT);
  try {
    show(await insist(() => call("POST", api, { body: { ...(slip && { slip }), ...(receipt && { receipt }) } })));
  } catch (problem) {
    await refused(problem, slip || receipt);
  } finally {
    joining = false;
  }
}

async function refused(problem, brought) {
  if (!problem.code) throw problem; // ours, not the server's
  if (problem.code === "not_open") return show({ ...current, state: "early", opensAt: problem.facts.opensAt });
  if (problem.code === "queue_closed") return show({ ...current, state: "closed", intake: problem.facts.intake });
  if (/slip|receipt/.test(problem.code) && brought) { // of a place that is over: told, and a new one
    remember("localStorage", SLIP, null);
    remember("localStorage", RECEIPT, null);
    say($("#note"), problem.message);
    $("#note").hidden = false;
    speak(problem.message);
    return show(await insist(() => call("POST", api, { body: {} })));
  }
  trouble(t("This did not work"), problem.message);
}

// Tries until the server answers; a refusal that waiting can't cure is thrown.
async function insist(work) {
  const backoff = new Backoff();
  for (;;) {
    try {
      const state = await work();
      showLink(true, 0);
      return state;
    } catch (problem) {
      if (!problem.retry || problem.code === "not_open") throw problem;
      showLink(false, backoff.tries);
      await link.pause(backoff.next(problem.retryAfterMs ?? 0));
    }
  }
}

function show(state) {
  learn(state.now);
  const before = current.state;
  current = state;
  if (state.slip) remember("localStorage", SLIP, state.slip);
  if (state.receipt) remember("localStorage", RECEIPT, state.receipt);
  if (state.state === "none" && state.revokedReason) return revoked(state);
  if (state.state === "none" && before === "early") return opened();
  if (state.state === "none") return LISTENING.has(before) ? over(before) : join();
  if (state.state === "admitted") return before === "admitted" || enter(); // said by two ways, gone once
  panel(state.state);
  listen(LISTENING.has(state.state));
  showBands(state);
  if (state.opensAt) for (const part of $$('[data-part="opens-at"]')) say(part, t("{time}, your time", { time: moment(state.opensAt) }));
  $("#over").hidden = state.intake !== "drained";
  $("#closed").hidden = !$("#over").hidden;
  if (state.state === "lobby") lobby(state);
  if (state.state === "waiting") waiting(state);
  tick();
  if (state.state === "called" && before !== "called") { speak(`${t("Your turn")}. ${$(".ring").getAttribute("aria-label")}: ${$(".ring text").textContent}`); announce($("#accept")); }
}

// Lobby or sale are open now: who waited for that goes in, each a moment apart.
async function opened() {
  if (joining) return;
  joining = true;
  await sleep(Math.random() * OPENING_SPREAD_MS);
  joining = false;
  join();
}

function listen(wanted) {
  if (wanted && !linked) link.start();
  if (!wanted && linked) link.stop();
  linked = wanted;
}

// A page that came when the fan was in line has no parts for the time before the opening.
// Focus stays where it is, unless what had it is gone: then it goes to the page's content.
function panel(name) {
  if (!$(`[data-state="${name}"]`)) return location.reload();
  const focused = document.activeElement;
  for (const section of $$(".state")) section.hidden = section.dataset.state !== name;
  document.body.classList.toggle("called", name === "called");
  $("#accept").hidden = name !== "called";
  $("#leaving").hidden = !["lobby", "waiting", "called"].includes(name);
  say($("#again"), name === "closed" ? t("Try again") : JOIN);
  $("#again").hidden = !["left", "passed", "lost", "problem", "closed"].includes(name) || current.intake === "drained";
  if (focused !== document.body && !focused.checkVisibility()) $("#main").focus({ preventScroll: true });
}

// The organiser's words, a standstill, nothing left: shown at once, spoken once.
function showBands(state) {
  const paused = state.paused && ["drawing", "waiting"].includes(state.state);
  const pause = $("#paused span").dataset;
  const reason = paused ? `${sentence(said(state.pauseReason) || pause.else)} ${pause.kept}` : "";
  const words = [band("#message", state.message), band("#paused", reason), band("#gone", state.allGone && state.state === "waiting" && $("#gone span").textContent)].join(" ").trim();
  if (words !== bands && words) speak(words);
  bands = words;
}

function band(selector, text) {
  $(selector).hidden = !text;
  if (text) say($("span", $(selector)), text);
  return text ? `${$("strong", $(selector)).textContent} ${text}` : "";
}

function speak(text) {
  spokenAt = Date.now();
  say($("#spoken"), text);
}

function lobby({ inLobby }) {
  say($("#in-lobby"), inLobby ? tn("{n} fan is here.", "{n} fans are here.", inLobby) : "");
}

function waiting(state) {
  const rank = rankOf(state), rose = shownRank !== null && rank > shownRank * 1.01 + state.line.perMinute / 60;
  remember("sessionStorage", BEST, String(Math.max(best(), rank)));
  say($("#rose"), rose ? why("returns") : "");
  say($("#eta"), state.paused ? t("not known yet") : interval(...waitOf(state, rank)));
  say($("#eta-why"), state.paused ? "" : why(state.etaReason)); // the band says it then
  say($("#per-minute"), number(state.perMinute));
  if (Date.now() - spokenAt > SPEAK_EVERY_MS) speak(`${ordinal(rank).join(number(rank))}. ${$("#eta").textContent}. ${$("#eta-why").textContent}`);
}

function best() { return Number(remembered("sessionStorage", BEST)) || 0; }

// The sum of docs/protocol.md; waiting_room/ranks/line.py does it for each fan.
function rankOf({ mark, line }) {
  const ms = Math.min(Math.max(0, now() - line.at), LINE_HOLDS_MS);
  return Math.max(1, mark - line.passed - Math.floor(ms * line.perMinute / 60_000));
}

// As told to this fan, or between two rows of the table for everybody.
function waitOf({ etas, etaLowMs, etaHighMs }, rank) {
  if (!etas) return [etaLowMs, etaHighMs];
  const to = etas.find((row) => row[0] >= rank) ?? etas.at(-1), from = etas[etas.indexOf(to) - 1] ?? to;
  const share = to === from ? 0 : (rank - from[0]) / (to[0] - from[0]);
  return to && to[1] !== null ? [1, 2].map((n) => from[n] + (to[n] - from[n]) * share) : [];
}

function writeRank(rank) {
  const [before, after] = ordinal(rank), small = document.createElement("small"), first = best();
  const words = `${before}${number(rank)}${after}`;
  shownRank = rank;
  progress = Math.max(progress, Math.min(0.985, first > 1 ? (first - rank) / (first - 1) : 1));
  $(".way .done").setAttribute("stroke-dasharray", `${progress} 1`);
  document.title = `${words} · ${title}`;
  if ($("#rank").textContent === words && $("#rank small")) return;
  small.textContent = after;
  $("#rank").replaceChildren(`${before}${number(rank)}`, small);
}

function tick() {
  if (current.state === "early" || current.state === "lobby") {
    const left = Math.max(0, current.opensAt - now());
    for (const part of $$('[data-part="opens-in"]')) say(part, countdown(left));
    document.title = `${countdown(left)} · ${title}`;
    if (left === 0 && current.state === "early") opened();
  }
  if (current.state === "waiting") writeRank(rankOf(current));
  if (current.state === "called") ring(current.acceptBy - now(), Number(acceptMs), title);
}

async function accept() {
  const button = $("#accept");
  button.disabled = true;
  try {
    show(await insist(() => call("POST", `${api}/accept`, { body: {} })));
  } catch (problem) {
    if (problem.code === "not_called") return over("called");
    trouble(t("This did not work"), problem.message);
  } finally {
    button.disabled = false;
  }
}

async function leave() {
  listen(false);
  $("#leave").disabled = true;
  try {
    await insist(() => call("POST", `${api}/leave`, { body: {} }));
    current = { state: "left" };
    forget();
    $("#leaving").open = false;
    panel("left");
    showBands(current);
    $("#again").focus();
  } catch (problem) {
    trouble(t("This did not work"), problem.message);
  } finally {
    $("#leave").disabled = false;
  }
}

function enter() {
  listen(false);
  forget();
  panel("admitted");
  location.replace(`/e/${eventId}/seats`); // or on to a shop elsewhere: the server knows
}

// The turn or the place is gone: said in words, with the way back in.
function over(before) {
  forget();
  listen(false);
  current = { state: before === "called" ? "passed" : "lost" };
  panel(current.state);
  $(`[data-state="${current.state}"] h1`).focus();
}

function revoked({ revokedReason }) {
  forget();
  trouble(t("Your place was taken back"), revokedReason);
}

function forget() {
  $("#note").hidden = true;
  say($("#spoken"), "");
  remember("localStorage", SLIP, null);
  remember("sessionStorage", BEST, null);
  shownRank = null;
  progress = 0;
  document.title = title;
}

function trouble(headline, text) {
  listen(false);
  current = { state: "problem" };
  say($("#problem-title"), headline);
  say($("#problem-text"), text);
  panel("problem");
  document.title = `${headline} · ${title}`;
  $("#problem-title").focus();
}

function showLink(up, tries) {
  const lost = !up && tries >= 1, patient = tries <= QUIET_TRIES, words = $("#link").dataset;
  const kept = ["lobby", "drawing", "waiting"].includes(current.state) ? $("#paused span").dataset.kept : "";
  say($("#link"), lost ? `${patient ? words.quiet : words.patient} ${kept}` : "");
  $("#retry").hidden = !lost || patient;
}
