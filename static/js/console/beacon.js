// The public number of a draw: named before the opening, given once the lobby is closed, or given up.
import { call } from "../lib/api.js";
import { $, say as write } from "../lib/page.js";
import { BEACON } from "./words.js";

const form = $("#beacon"), input = $("#beaconField"), giveUp = $("#giveUp");
const button = $(".go button", form), text = $("[data-preview]", form);
let wants = "name", told = "";
let asked = 0, shown = 0; // answers come as they like; an older one is not shown over a newer

// What the operator may send now: the body that `POST …/draw/beacon` takes.
export const beaconBody = () => ({ [wants]: input.value.trim() });

export async function showBeacon(eventId) {
  const turn = ++asked;
  const { state, beacon } = await call("GET", `/events/${eventId}/queue/draw`);
  if (turn < shown) return;
  shown = turn;
  const waits = beacon && !beacon.value && !beacon.givenUp;
  const next = state === "open" ? "name" : state === "fixed" && waits ? "value" : "";
  if (next !== wants) input.value = "";
  wants = next;
  input.hidden = button.hidden = !next;
  input.required = Boolean(next);
  giveUp.hidden = !(state === "fixed" && waits);
  write(button, next === "value" ? BEACON.value : BEACON.name);
  tell(words(state, beacon));
}

// A refusal that is shown here stays until there is something new to say.
function tell(words) {
  if (words === told) return;
  told = words;
  write(text, words);
  text.classList.remove("bad");
}

function words(state, beacon) {
  if (!beacon) return state === "open" ? BEACON.none : BEACON.over;
  if (beacon.givenUp) return BEACON.givenUp;
  if (beacon.value) return BEACON.given(beacon.name);
  return state === "open" ? BEACON.named(beacon.name) : BEACON.wanted(beacon.name);
}
