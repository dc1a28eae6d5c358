// One sale in front of its operator: numbers each second, charts, and controls that say beforehand
// what they will do. A change names the version it was made on; if another operator was faster,
// both values are shown before anything is overwritten. What was typed is never thrown away.
import { call } from "./lib/api.js";
import { $, $$, say as write, toast } from "./lib/page.js";
import { learn, now } from "./lib/words.js";
import { isOfShop, lastChange, showAudit } from "./console/audit.js";
import { beaconBody, showBeacon } from "./console/beacon.js";
import { confirmed, insists } from "./console/confirm.js";
import { Feed } from "./console/feed.js";
import { dirty, field, fill, isPause, wanted } from "./console/fields.js";
import { ACTS, GIVE_UP, question, REVOKE, STOP } from "./console/questions.js";
import { shown } from "./console/settings.js";
import { setShop, showShop, undoShop } from "./console/shop.js";
import { showNumbers, showPast } from "./console/strip.js";
import { outlook, say } from "./console/words.js";

const eventId = document.body.dataset.event, admin = `/admin/events/${eventId}`;
const LOOK_EVERY = 5; // numbers between two looks at what others did
const PREVIEW_EVERY = 10; // numbers, while a change is being considered
const PREVIEW_AFTER_MS = 350;
const FAN_ID = /^[a-z]{2}_[a-z0-9_]{1,40}$/, PLACE = /^[1-9]\d{0,11}$/;
const BEFORE_OPENING = ["lobbyOpensAt", "draw"]; // they say who comes into the lobby from now on
const forms = $$("[data-change]"), timers = new Map(), others = new Map();
const latest = new Map(); // form → what was last said or asked there: an older answer is not shown over it
let room = null, numbers = null, heard = 0;

for (const form of forms) {
  on(form, () => change(form));
  form.oninput = () => preview(form);
}
for (const form of $$("[data-act]")) on(form, () => act(form, ACTS[form.dataset.act]));
on($("#skip"), skip);
on($("#revoke"), revoke);
on($("#shop"), (form) => during(form, () => setShop(admin)));
on($("#beacon"), (form) => beacon(form, beaconBody()));
document.addEventListener("focusin", ({ target }) => listen(target.closest("form")));
$("#undo").onclick = undo;
$("#resume").onclick = () => { if (room && numbers) make($("#resume").form, { paused: false }); };
$("#giveUp").onclick = async () => { if (await confirmed(GIVE_UP(numbers))) await beacon($("#beacon"), { giveUp: true }); };
new Feed(admin, {
  numbers: hear,
  link: (words) => write($("#link"), words),
  session: (lives) => { $("#session").hidden = lives; },
  missed: () => call("GET", `${admin}/numbers/history`).then(({ points }) => showPast(points), () => {}),
});

// What a control says is read aloud to who is at it. All at once, when the page comes, would be noise.
function listen(form) {
  const words = form && $("[data-preview]", form);
  if (words) words.ariaLive = "polite";
}

function on(form, work) {
  form.onsubmit = (event) => { event.preventDefault(); if (room && numbers) work(form); };
}

function hear(seen) {
  const differs = room && ["mode", "perMinute", "maxActive", "intake", "stopped", "paused"].some((name) => seen[name] !== room[name]);
  numbers = seen;
  learn(seen.now);
  showNumbers(seen, room);
  if (heard % PREVIEW_EVERY === 0 && room) forms.filter((form) => dirty(form, room)).forEach(ask);
  if (heard++ % LOOK_EVERY === 0 || differs) refresh().catch(() => {}); // the feed says what is wrong
}

async function refresh() {
  showRoom(await call("GET", `${admin}/admission`));
  showAudit(await call("GET", `${admin}/audit`));
  await Promise.all([showBeacon(eventId), showShop(admin)]);
}

// Fields that the operator is changing keep what was typed; the others show the values of now.
function showRoom(seen) {
  const before = room;
  if (before && before.version >= seen.version) return;
  room = seen;
  for (const form of forms) {
    const name = form.dataset.change;
    if (!before || !dirty(form, before)) settle(form);
    else if (before[name] !== seen[name]) others.set(form, say.meanwhile(shown(name, seen[name])));
    note(form);
  }
  for (const form of $$("[data-act]")) {
    const doing = ACTS[form.dataset.act], done = doing.on(seen), button = $("button", form);
    write(button, done ? doing.undo : doing.button);
    button.classList.toggle("danger", !done);
    button.classList.toggle("strong", done);
  }
}

// The field shows what the room has.
function settle(form) {
  others.delete(form);
  fill(form, room);
}

// Beside each button: the value of now, or what the change would do, as the server reckons it.
function note(form) {
  mark(form);
  if (dirty(form, room) || isPause(form)) preview(form);
  else tell(form, asNow(form.dataset.change));
}

function asNow(name) {
  if (name === "message" && !room.message) return say.silentToFans;
  return BEFORE_OPENING.includes(name) && room.opensAt <= now() ? say.onceOpen : say.asNow(shown(name, room[name]));
}

function tell(form, words, bad = false) {
  latest.set(form, words);
  const target = $("[data-preview]", form);
  write(target, words);
  target.classList.toggle("bad", bad);
}

// The button of what was changed is the next step, and the only strong one.
function mark(form) {
  const button = $("button", form), changed = dirty(form, room);
  button.classList.toggle("strong", changed);
  if (!isPause(form)) return;
  write(button, room.paused ? say.newReason : say.pause);
  button.hidden = room.paused && !changed;
  $("#resume").hidden = !room.paused;
}

function preview(form) {
  if (!room) return;
  mark(form);
  clearTimeout(timers.get(form));
  timers.set(form, setTimeout(() => ask(form), PREVIEW_AFTER_MS));
}

async function ask(form) {
  const name = form.dataset.change;
  if (!isPause(form) && !dirty(form, room)) return tell(form, asNow(name));
  if (!form.checkValidity()) return tell(form, field(form).validationMessage, true);
  const change = isPause(form) && room.paused ? { paused: false } : wanted(form);
  const silent = name === "message" || (BEFORE_OPENING.includes(name) && !numbers.lobby);
  const answer = silent ? asNow(name) : foresee(change);
  latest.set(form, answer);
  const foreseen = await answer;
  if (latest.get(form) === answer) tell(form, [others.get(form), foreseen].filter(Boolean).join(" "));
}

async function foresee(change) {
  const inside = numbers.called + numbers.active;
  try {
    const words = outlook(await call("POST", `${admin}/admission/preview`, { body: change }), numbers.waiting);
    return change.maxActive < inside ? `${say.inside(inside)} ${words}` : words;
  } catch (problem) {
    return problem.message;
  }
}

async function change(form) {
  if (!form.reportValidity()) return;
  const settings = wanted(form);
  if (await make(form, settings)) {
    settle(form);
    note(form);
  }
}

function act(form, doing) {
  return make(form, doing.on(room) ? doing.back : doing.change);
}

async function undo() {
  const last = room && lastChange(await call("GET", `${admin}/audit`).catch(() => []));
  if (!last) return;
  const part = $("#undo").parentElement;
  if (isOfShop(last)) await during(part, () => undoShop(admin));
  else await make(part, last.before, () => send("POST", "/undo", {}));
}

// Whether it was made. A stop does not wait for anybody: it is made on whatever the room is by then.
async function make(part, settings, first = null) {
  const again = () => send("PATCH", "", settings); // an undo of now would take back what the other did
  const asked = question(settings, room, numbers, now());
  if (asked && !await confirmed(asked)) return false;
  return await during(part, async () => {
    for (let attempt = first ?? again; ; attempt = again) {
      const seen = room;
      try {
        showRoom(await attempt());
        return say.done;
      } catch (problem) {
        if (problem.code !== "changed") throw problem;
        showRoom(problem.facts.current);
        if (settings.stopped !== STOP.change.stopped && !await insists(admin, seen, room, settings)) return "";
      }
    }
  });
}

function send(method, what, body) {
  return call(method, `${admin}/admission${what}`, { body, headers: { "If-Match": `"${room.version}"` } });
}

function fanIn(form) {
  const text = form.elements.fan.value.trim().replace(/[.,\s]/g, "");
  if (PLACE.test(text)) return { place: Number(text) };
  if (FAN_ID.test(text)) return { subject: text };
  tell(form, say.notAFan, true);
  return null;
}

// The event is there: what is not found is the fan.
async function toFan(what, body) {
  try {
    return await call("POST", `${admin}/${what}`, { body });
  } catch (problem) {
    throw problem.code === "not_found" ? new Error(say.noSuchFan) : problem;
  }
}

async function skip(form) {
  const fan = fanIn(form);
  if (fan && await during(form, async () => say.called(await toFan("skip", fan)))) form.reset();
}

async function revoke(form) {
  const fan = fanIn(form), reason = form.elements.reason.value.trim();
  if (!fan || !reason || !await confirmed(REVOKE(form.elements.fan.value.trim()))) return;
  if (await during(form, async () => say.revoked(await toFan("revoke", { ...fan, reason })))) form.reset();
}

async function beacon(form, body) {
  const done = await during(form, async () => { await call("POST", `${admin}/draw/beacon`, { body }); return say.done; });
  if (done) form.reset();
}

// The button rests while `work` is under way; what it answers is shown, and what went wrong stays beside it.
async function during(part, work) {
  const button = $("button", part);
  button.disabled = true;
  try {
    const words = await work();
    if (words) toast(words);
    return Boolean(words);
  } catch (problem) {
    if ($("[data-preview]", part)) tell(part, problem.message, true);
    else toast(problem.message);
    return false;
  } finally {
    button.disabled = false;
    if ([document.body, button].includes(document.activeElement)) button.focus(); // or the operator has gone on to something else
    await refresh().catch(() => {});
  }
}
