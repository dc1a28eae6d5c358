// The queue page: one state of the queue is shown at a time, each as the server told it.
import { call } from "./lib/api.js";
import { $, $$, remember, remembered, say } from "./lib/page.js";
import { QueueLink } from "./lib/queue-link.js";
import { Backoff, sleep } from "./lib/retry.js";
import { clock, countdown, interval, learn, now, number, ordinal, timeOfDay, sentence } from "./lib/words.js";

const { event: eventId, title } = document.body.dataset;
const api = `/events/${eventId}/queue`;
const SLIP = `onsale.slip.${eventId}`, BEST = `onsale.first-rank.${eventId}`;
const OPENING_SPREAD_MS = 2_000;
const QUIET_TRIES = 3;
const PAGE_TITLE = document.title;
const still = matchMedia("(prefers-reduced-motion: reduce)");

const link = new QueueLink(eventId, show, showLink);
let current = { state: "loading" };
let shownRank = null, progress = 0, calledAt = 0, linked = false, joining = false;

begin();
setInterval(tick, 250);
document.addEventListener("visibilitychange", () => { if (!document.hidden) link.retry(); });
$("#accept").onclick = accept;
$("#leave").onclick = leave;
$("#again").onclick = () => { $("#again").hidden = true; join(); };

async function begin() {
  const state = await insist(() => call("GET", api));
  if (state.state === "none") await join();
  else show(state);
}

async function join() {
  if (joining) return;
  joining = true;
  const slip = remembered("localStorage", SLIP);
  try {
    show(await insist(() => call("POST", api, { body: slip ? { slip } : {} })));
  } catch (problem) {
    await refused(problem, slip);
  } finally {
    joining = false;
  }
}

async function refused(problem, slip) {
  if (problem.code === "not_open") return show({ ...current, state: "early", opensAt: problem.facts.opensAt });
  if (problem.code === "bad_slip" && slip) {
    remember("localStorage", SLIP, null);
    return show(await insist(() => call("POST", api, { body: {} })));
  }
  trouble("This did not work", problem.message);
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
      await sleep(backoff.next(problem.retryAfterMs ?? 0));
    }
  }
}

function show(state) {
  learn(state.now);
  const before = current.state;
  current = state;
  if (state.slip) remember("localStorage", SLIP, state.slip);
  if (state.state === "none" && (before === "called" || before === "waiting")) return over(before);
  if (state.state === "none") return join();
  if (state.state === "admitted") return enter();
  if (state.state === "called" && before !== "called") announce();
  panel(state.state);
  listen(state.state === "waiting" || state.state === "called");
  band(state);
  if (state.state === "early") say($("#opens-at"), `at ${timeOfDay(state.opensAt, false)}, your time`);
  if (state.state === "waiting") waiting(state);
  tick();
}

function listen(wanted) {
  if (wanted && !linked) link.start();
  if (!wanted && linked) link.stop();
  linked = wanted;
}

function panel(name) {
  for (const section of $$(".state")) section.hidden = section.dataset.state !== name;
  document.body.classList.toggle("called", name === "called");
  $("#accept").hidden = name !== "called";
  $("#leave").hidden = name !== "waiting" && name !== "called";
  $("#again").hidden = name !== "left" && name !== "problem";
}

function band(state) {
  const shown = Boolean(state.paused) && state.state !== "called";
  $("#paused").hidden = !shown;
  if (shown) say($("#paused span"), `${sentence(state.pauseReason || "The organiser has paused it.")} Your place is kept.`);
}

function waiting(state) {
  const first = Math.max(Number(remembered("sessionStorage", BEST)) || 0, state.rank);
  remember("sessionStorage", BEST, String(first));
  const reached = first > 1 ? (first - state.rank) / (first - 1) : 1;
  say($("#rose"), reached < progress && shownRank !== null && state.rank > shownRank ? "Fans ahead of you came back." : "");
  progress = Math.max(progress, Math.min(0.985, reached));
  $(".way .done").setAttribute("x2", String(600 * progress));
  say($("#eta"), interval(state.etaLowMs, state.etaHighMs));
  say($("#per-minute"), state.paused ? "paused" : number(state.perMinute));
  glideRank(state.rank);
}

// The figure counts from the old rank to the new one, so that the eye can follow.
function glideRank(target) {
  const from = shownRank ?? target, began = performance.now();
  shownRank = target;
  if (from === target || still.matches || document.hidden) return writeRank(target);
  const frame = (at) => {
    if (shownRank !== target) return;
    const share = Math.min(1, (at - began) / 600);
    writeRank(Math.round(from + (target - from) * share));
    if (share < 1) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

function writeRank(rank) {
  const figure = $("#rank"), small = document.createElement("small");
  if (figure.firstChild?.data === number(rank)) return;
  small.textContent = ordinal(rank);
  figure.replaceChildren(number(rank), small);
  document.title = `${number(rank)}${ordinal(rank)} · ${title}`;
}

function tick() {
  if (current.state === "early") {
    const left = current.opensAt - now();
    say($("#opens-in"), countdown(left));
    if (left <= 0 && !joining) { joining = true; sleep(Math.random() * OPENING_SPREAD_MS).then(() => { joining = false; join(); }); }
  }
  if (current.state === "called") ring();
}

function ring() {
  const left = Math.max(0, current.acceptBy - now());
  const whole = Math.max(1, current.acceptBy - calledAt);
  $(".ring .left").setAttribute("stroke-dasharray", `${(100 * left) / whole} 100`);
  say($(".ring text"), clock(left));
  document.title = Math.floor(Date.now() / 1000) % 2 ? "Your turn" : `${clock(left)} · ${title}`;
  if (left === 0) $("#accept").disabled = true;
}

function announce() {
  calledAt = now();
  $("#accept").disabled = false;
  $("#accept").hidden = false;
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.([200, 100, 200]);
  chime();
  requestAnimationFrame(() => $("#accept").focus({ preventScroll: true }));
}

// Browsers allow sound only on pages that were touched before; silence is fine too.
function chime() {
  const audio = window.AudioContext && new AudioContext();
  if (!audio || audio.state !== "running") return;
  [660, 880].forEach((pitch, i) => {
    const tone = audio.createOscillator(), volume = audio.createGain();
    volume.gain.setValueAtTime(0.15, audio.currentTime + i * 0.25);
    volume.gain.linearRampToValueAtTime(0, audio.currentTime + i * 0.25 + 0.4);
    tone.frequency.value = pitch;
    tone.connect(volume).connect(audio.destination);
    tone.start(audio.currentTime + i * 0.25);
    tone.stop(audio.currentTime + i * 0.25 + 0.4);
  });
}

async function accept() {
  const button = $("#accept");
  button.disabled = true;
  try {
    show(await insist(() => call("POST", `${api}/accept`, { body: {} })));
  } catch (problem) {
    if (problem.code === "not_called") return over("called");
    trouble("This did not work", problem.message);
  }
}

async function leave() {
  $("#leave").disabled = true;
  listen(false);
  current = { state: "left" };
  try {
    await insist(() => call("POST", `${api}/leave`, { body: {} }));
  } finally {
    $("#leave").disabled = false;
  }
  forget();
  panel("left");
}

function enter() {
  listen(false);
  forget();
  panel("admitted");
  location.replace(`/e/${eventId}/seats`);
}

function over(before) {
  forget();
  if (before === "called") trouble("Your turn has passed", "It was not accepted in time and went to the next fan. You can join again at the end of the queue.");
  else trouble("Your place was given up", "The queue no longer has it. Join again to get a new one.");
}

function forget() {
  remember("localStorage", SLIP, null);
  remember("sessionStorage", BEST, null);
  shownRank = null;
  progress = 0;
}

function trouble(headline, text) {
  listen(false);
  current = { state: "problem" };
  document.title = PAGE_TITLE;
  say($("#problem-title"), headline);
  say($("#problem-text"), text);
  panel("problem");
}

function showLink(up, tries) {
  const words = up || tries < 1 ? "" : tries <= QUIET_TRIES ? "Reconnecting. Your place is kept." : "Still no connection. Your place is kept for 2 minutes after the last contact; this page keeps trying.";
  say($("#link"), words);
}
