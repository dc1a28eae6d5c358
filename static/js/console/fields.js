// How each kind of field shows a setting of the room, and what it stands for as a change.
import { $ } from "../lib/page.js";

export const field = (form) => $("input, select, textarea", form);
export const isPause = (form) => form.dataset.kind === "pause";

const factor = (form) => Number(form.dataset.factor);
const KINDS = {
  text: { show: (value) => value, read: (text) => text.trim() },
  flag: { show: String, read: (text) => text === "true" },
  figure: { show: (value, form) => String(value / factor(form)), read: (text, form) => Math.round(Number(text) * factor(form)) },
  instant: { show: (ms) => (ms ? local(ms) : ""), read: (text) => (text ? new Date(text).getTime() : 0) },
};

export function fill(form, room) {
  field(form).value = isPause(form) ? room.pauseReason : KINDS[form.dataset.kind].show(room[form.dataset.change], form);
}

// The change that the field stands for now.
export function wanted(form) {
  const text = field(form).value;
  if (isPause(form)) return { paused: true, pauseReason: text.trim() };
  return { [form.dataset.change]: KINDS[form.dataset.kind].read(text, form) };
}

// Whether the operator typed something else than the room has. Compared as shown: a field can't
// say milliseconds, and a room that has some is not changed by it.
export function dirty(form, room) {
  const typed = field(form).value;
  if (isPause(form)) return typed.trim() !== room.pauseReason;
  const { show, read } = KINDS[form.dataset.kind];
  return show(read(typed, form), form) !== show(room[form.dataset.change], form);
}

// YYYY-MM-DDThh:mm:ss in the operator's zone, as the field wants it.
function local(ms) {
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
