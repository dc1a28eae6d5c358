// One sale in front of its operator: numbers each second, charts, and controls that say beforehand
// what they will do. A change names the version it was made on; if another operator was faster,
// the new values are shown instead of being overwritten.
import { call } from "./lib/api.js";
import { $, $$, say as write, toast } from "./lib/page.js";
import { showAudit } from "./console/audit.js";
import { confirmed } from "./console/confirm.js";
import { Feed } from "./console/feed.js";
import { showNumbers } from "./console/strip.js";
import { ACTS, OFF, outlook, REVOKE, say, shown } from "./console/words.js";

const admin = `/admin/events/${document.body.dataset.event}`;
const AUDIT_EVERY = 5; // numbers between two looks at what others did
const PREVIEW_EVERY = 10; // numbers, while a change is being considered
const PREVIEW_AFTER_MS = 350;
const FAN_ID = /^[a-z]{2}_[a-z0-9_]{1,40}$/, PLACE = /^[1-9]\d{0,11}$/;
const forms = $$("[data-change]"), timers = new Map();
let room = null, numbers = null, heard = 0;

for (const form of forms) {
  form.onsubmit = (event) => { event.preventDefault(); change(form, wanted(form)); };
  form.oninput = () => preview(form);
}
for (const form of $$("[data-act]")) form.onsubmit = (event) => { event.preventDefault(); act(form, ACTS[form.dataset.act]); };
$("#undo").onclick = undo;
$("#skip").onsubmit = (event) => { event.preventDefault(); skip(event.target); };
$("#revoke").onsubmit = (event) => { event.preventDefault(); revoke(event.target); };
new Feed(admin, hear, (words) => write($("#link"), words));

function hear(seen) {
  const differs = room && ["mode", "perMinute", "maxActive", "intake", "stopped"].some((name) => seen[name] !== room[name]);
  numbers = seen;
  showNumbers(seen, room);
  if (heard % PREVIEW_EVERY === 0 && room) forms.filter((form) => dirty(form)).forEach(ask);
  if (heard++ % AUDIT_EVERY === 0 || differs) refresh().catch(() => {}); // the feed says what is wrong
}

async function refresh() {
  showRoom(await call("GET", `${admin}/admission`));
  showAudit(await call("GET", `${admin}/audit`));
}

// Fields that the operator is changing keep what was typed; the others show the values of now.
function showRoom(seen) {
  const before = room;
  room = seen;
  for (const form of forms) {
    if (before && before.version === seen.version) continue;
    if (!before || !dirty(form, before)) fill(form);
    note(form);
  }
  for (const form of $$("[data-act]")) {
    const doing = ACTS[form.dataset.act], on = doing.on(seen), button = $("button", form);
    write(button, on ? doing.undo : doing.button);
    button.classList.toggle("danger", !on);
    button.classList.toggle("strong", on);
  }
}

function field(form) {
  return $("input, select, textarea", form);
}

function fill(form) {
  const name = form.dataset.change, input = field(form);
  if (name === "paused") {
    const button = $("button", form);
    write(button, room.paused ? say.resume : say.pause);
    button.classList.toggle("strong", room.paused);
    input.value = room.pauseReason;
    input.disabled = room.paused;
  } else if (name === "opensAt") {
    input.value = local(room.opensAt);
  } else {
    input.value = form.dataset.factor ? room[name] / Number(form.dataset.factor) : room[name];
  }
}

// YYYY-MM-DDThh:mm:ss in the operator's zone, as the field wants it.
function local(ms) {
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

function wanted(form) {
  const name = form.dataset.change, value = field(form).value;
  if (name === "paused") return room?.paused ? { paused: false } : { paused: true, pauseReason: value.trim() };
  if (name === "opensAt") return { opensAt: new Date(value).getTime() };
  if (form.dataset.factor) return { [name]: Math.round(Number(value) * Number(form.dataset.factor)) };
  return { [name]: value.trim() };
}

function dirty(form, than = room) {
  const name = form.dataset.change;
  if (name === "paused") return false;
  if (name === "opensAt") return field(form).value !== local(than.opensAt);
  return JSON.stringify(wanted(form)[name]) !== JSON.stringify(than[name]);
}

// Beside each button: the value of now, or what the change would do, as the server reckons it.
function note(form) {
  mark(form);
  const name = form.dataset.change, target = $("[data-preview]", form);
  if (name === "message") write(target, room.message ? "" : "Nothing is shown now.");
  else if (name === "paused") preview(form);
  else if (!dirty(form)) write(target, say.asNow(shown(name, room[name])));
  else preview(form);
}

// The button of what was changed is the next step, and the only strong one.
function mark(form) {
  if (form.dataset.change !== "paused") $("button", form).classList.toggle("strong", dirty(form));
}

function preview(form) {
  if (room) mark(form);
  clearTimeout(timers.get(form));
  timers.set(form, setTimeout(() => ask(form), PREVIEW_AFTER_MS));
}

async function ask(form) {
  const target = $("[data-preview]", form), name = form.dataset.change;
  if (!room || name === "message" || !form.checkValidity()) return;
  if (name !== "paused" && !dirty(form)) return write(target, say.asNow(shown(name, room[name])));
  const inside = numbers ? numbers.called + numbers.active : 0, change = wanted(form);
  try {
    const words = outlook(await call("POST", `${admin}/admission/preview`, { body: change }));
    write(target, (change.maxActive < inside ? say.inside(inside) : "") + words);
  } catch (problem) {
    write(target, problem.message);
  }
}

async function change(form, settings) {
  if (!room || !form.reportValidity()) return;
  if (settings.mode && settings.mode === form.dataset.grave && settings.mode !== room.mode && numbers?.waiting) {
    if (!await confirmed({ ...OFF, text: OFF.text(numbers.waiting) })) return;
  }
  await send(form, () => call("PATCH", `${admin}/admission`, { body: settings, headers: match() }));
  fill(form);
  note(form);
}

async function act(form, doing) {
  if (!room) return;
  const on = doing.on(room);
  if (!on && !await confirmed(doing)) return;
  await send(form, () => call("PATCH", `${admin}/admission`, { body: on ? doing.back : doing.change, headers: match() }));
}

async function undo() {
  if (room) await send($("#undo").parentElement, () => call("POST", `${admin}/admission/undo`, { body: {}, headers: match() }));
}

function match() {
  return { "If-Match": `"${room.version}"` };
}

async function send(part, work) {
  const button = $("button", part);
  button.disabled = true;
  try {
    showRoom(await work());
    toast(say.done);
  } catch (problem) {
    toast(problem.code === "changed" ? say.changed : problem.message);
  } finally {
    button.disabled = false;
    await refresh().catch(() => {});
  }
}

function fanIn(form) {
  const text = form.elements.fan.value.trim().replaceAll(",", "");
  if (PLACE.test(text)) return { place: Number(text) };
  if (FAN_ID.test(text)) return { subject: text };
  toast(say.notAFan);
  return null;
}

async function skip(form) {
  const fan = fanIn(form);
  if (fan) await one(form, async () => toast(say.called(await call("POST", `${admin}/skip`, { body: fan }))));
}

async function revoke(form) {
  const fan = fanIn(form), reason = form.elements.reason.value.trim();
  if (!fan || !reason || !await confirmed(REVOKE)) return;
  await one(form, async () => toast(say.revoked(await call("POST", `${admin}/revoke`, { body: { ...fan, reason } }))));
}

async function one(form, work) {
  const button = $("button", form);
  button.disabled = true;
  try {
    await work();
    form.reset();
    showAudit(await call("GET", `${admin}/audit`));
  } catch (problem) {
    toast(problem.message);
  } finally {
    button.disabled = false;
  }
}
