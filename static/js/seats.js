// The map page, put together: admission, plan, live states, map and list, basket, checkout.
import { call } from "./lib/api.js";
import { $, $$, element, say, toast } from "./lib/page.js";
import { Backoff, sleep } from "./lib/retry.js";
import { learn, now, said, t, timeOfDay, tn } from "./lib/words.js";
import { Basket } from "./seats/basket.js";
import { Camera } from "./seats/camera.js";
import { SeatList } from "./seats/list.js";
import { Painter } from "./seats/painter.js";
import { Plan } from "./seats/plan.js";
import { Sheet } from "./seats/sheet.js";
import { AVAILABLE, SeatStates } from "./seats/states.js";
import { SeatStream } from "./seats/stream.js";

const { event: eventId, currency, maxTickets } = document.body.dataset;
const RENEW_MS = 60_000;
const SPREAD_MS = 2_000; // when ends were put off, not all pages ask at one moment
const ZOOM_STEP = 1.7;
const FINGER_PX = 22;
const CLOSE_PX = 14; // a tapped section comes at least so near, seat to seat
const categories = $$(".legend button").map((button) => ({ id: button.dataset.category, name: button.dataset.name, price: Number(button.dataset.price) }));
const canvas = $(".stage canvas"), tip = $(".tip");
let live = { up: false, heardAt: 0 };
// The list begins below what is said of the sale, and scrolls what has the focus there.
new ResizeObserver(([{ target }]) => $(".list").style.setProperty("--notices", `${target.offsetHeight}px`)).observe($(".notices"));
let endsAt = null, gone = false, shownWords = "[]", putOffTo = 0;

await admitted();
const plan = await insist(() => call("GET", `/events/${eventId}/plan`, { timeoutMs: 60_000 })).then((document) => new Plan(document, categories));
const states = new SeatStates(plan);
const painter = new Painter(canvas, plan, states, categories, currency);
const camera = painter.camera = new Camera(plan, canvas, () => { tip.hidden = true; painter.redraw(); }, tapped);
const basket = new Basket(eventId, Number(maxTickets), { changed: basketChanged, taken, refused });
const list = new SeatList($(".list"), { plan, states, painter, categories, currency, toggle });
const sheet = new Sheet({ basket, plan, categories, currency, eventId, toggle, renewed: admitted });
const stream = new SeatStream(eventId, states, { changed, whole, sale: tell, live: showLive, refused: admitted });
begin();

async function begin() {
  new ResizeObserver(() => painter.resize()).observe($(".stage"));
  painter.resize();
  controls();
  stream.start();
  await insist(() => basket.load());
  setInterval(tick, 500);
}

// Asks for the admission, joining if needed; whoever has to wait goes to the queue page.
async function admitted() {
  try {
    let queue = await call("GET", `/events/${eventId}/queue`);
    if (queue.state === "none" && queue.revokedReason) return toQueue(); // it says why
    if (queue.state === "none") queue = await call("POST", `/events/${eventId}/queue`, { body: {} });
    learn(queue.now);
    if (queue.state !== "admitted") return toQueue();
    if (endsAt === null) setInterval(admitted, RENEW_MS); // the pass; all else comes down the stream
    endsAt = queue.endsAt;
    if (!live.up) tell(queue);
  } catch (problem) {
    if (problem.code === "not_open") return toQueue();
    if (endsAt !== null) return undefined; // the page goes on; the next time will tell
    say($("#live"), t("The server can't be reached. Trying again."));
    await sleep(problem.retryAfterMs ?? 2_000);
    return admitted();
  }
  return undefined;
}

// Once: the stream and the queue's state may both say so, and a second call would break off the first.
function toQueue() {
  if (!gone) location.replace(`/e/${eventId}/queue`);
  gone = true;
}

async function insist(work) {
  const backoff = new Backoff();
  for (;;) {
    try {
      return await work();
    } catch (problem) {
      if (problem.code?.startsWith("pass_") || problem.code === "not_admitted") await admitted();
      await sleep(backoff.next(problem.retryAfterMs ?? 0));
    }
  }
}

function controls() {
  $('[data-tool="in"]').onclick = () => camera.zoom(ZOOM_STEP);
  $('[data-tool="out"]').onclick = () => camera.zoom(1 / ZOOM_STEP);
  $('[data-tool="whole"]').onclick = () => camera.fit();
  $("#as-list").onclick = (event) => {
    const open = !list.open;
    list.show(open);
    for (const part of [$(".tools"), $(".keys")]) part.hidden = open;
    event.target.setAttribute("aria-pressed", String(open));
    say(event.target, open ? t("Map") : t("List"));
  };
  $$(".legend button").forEach((button, at) => { button.onclick = () => filter(at); });
  canvas.addEventListener("pointermove", hover);
  canvas.addEventListener("pointerleave", () => point(-1));
  for (const button of $$(".bar button, .tools button")) button.disabled = false; // a press before was lost
}

function filter(at) {
  painter.filter = painter.filter === at ? null : at;
  $$(".legend button").forEach((button, i) => button.setAttribute("aria-pressed", String(painter.filter === i)));
  painter.redraw();
  list.refresh();
}

function tapped(px, py, pointer) {
  const [x, y] = camera.toPlan(px, py);
  const section = plan.sectionAt(x, y);
  if (section && !painter.showsSeats(section)) return camera.closeUp(section.box, section.pitch, CLOSE_PX, x, y);
  const seat = plan.seatAt(x, y, pointer === "touch" ? Math.min(FINGER_PX / camera.scale, section?.pitch ?? 0) : 0);
  return seat >= 0 ? toggle(seat) : undefined;
}

function toggle(seat) {
  const own = basket.wanted.has(seat);
  if (!own && states.state[seat] !== AVAILABLE) return toast(t("This seat is not free. It may come back: held seats do when their time ends."));
  if (!own && sheet.paying) sheet.backToMap();
  if (!basket.toggle(seat)) toast(tn("{n} seat per person.", "Up to {n} seats per person.", Number(maxTickets)));
  return undefined;
}

function hover(event) {
  if (event.pointerType === "touch") return;
  const [x, y] = camera.toPlan(event.offsetX, event.offsetY);
  const section = plan.sectionAt(x, y);
  const seat = section && !painter.showsSeats(section) ? -1 : plan.seatAt(x, y);
  point(seat);
  canvas.classList.toggle("over", seat >= 0 || Boolean(section && !painter.showsSeats(section)));
  const words = seat >= 0 ? seatWords(seat) : section && !painter.showsSeats(section) ? painter.summary(section) : "";
  tip.hidden = !words;
  if (!words) return;
  say(tip, words);
  const left = Math.min(event.offsetX + 14, camera.width - tip.offsetWidth - 8);
  tip.style.transform = `translate(${Math.max(8, left)}px, ${Math.max(8, event.offsetY - 40)}px)`;
}

function seatWords(seat) {
  const { price } = categories[plan.sections[plan.sectionOf[seat]].category];
  const state = basket.wanted.has(seat) ? t("yours") : ["", t("held by somebody"), t("sold"), t("not on sale")][states.state[seat]] ?? "";
  return `${plan.describe(seat)} · ${state || sheet.money(price)}`;
}

function point(seat) {
  if (painter.hover === seat) return;
  const before = painter.hover;
  painter.hover = seat;
  painter.touch([before, seat].filter((index) => index >= 0));
  if (seat < 0) tip.hidden = true;
}

function changed(seats) {
  painter.touch(seats);
  list.refresh();
}

function whole() {
  painter.redraw();
  list.refresh();
}

function basketChanged() {
  const before = new Set([...painter.mine, ...painter.wanted]);
  painter.mine = basket.held;
  painter.wanted = basket.wanted;
  for (const seat of basket.held) if (!basket.wanted.has(seat)) painter.mine.delete(seat);
  painter.touch([...before, ...painter.mine, ...painter.wanted]);
  list.refresh();
  sheet.show();
}

function taken(seats) {
  toast(t("{seat} was just taken. The rest is as it was: choose another.", { seat: seats.length ? plan.describe(seats[0]) : t("A seat") }));
  painter.lose(seats);
}

async function refused(problem) {
  if (problem.code === "not_admitted" || problem.code.startsWith("pass_")) {
    await admitted();
    toast(t("Your time was renewed. Please choose the seat again."));
  } else if (problem.code === "hold_ended") toast(t("The hold had ended. Please choose again."));
  else toast(problem.message);
}

// What the stream says of the sale; the queue's state says it in the same words until there is one.
// Not that the queue stands still: who is here is past it.
function tell({ stopped, pauseReason, allGone, message, revokedReason, putOffTo: to = putOffTo }) {
  if (revokedReason) return toQueue(); // it says why
  if (to !== putOffTo) setTimeout(() => { admitted(); basket.renew(); }, Math.random() * SPREAD_MS);
  putOffTo = to;
  const standstill = t("The organiser has stopped the sale for now."), why = said(pauseReason);
  const words = [
    stopped && [standstill, why === standstill ? t("No seats can be taken or paid for until it goes on. Your time does not run out meanwhile.") : why],
    allGone && [t("Everything is sold or in baskets."), t("Seats come back when somebody's hold ends: keep watching the map.")],
    message && [t("A word from the organiser"), message],
  ].filter(Boolean);
  if (JSON.stringify(words) === shownWords) return undefined; // said once, and not again with each look
  shownWords = JSON.stringify(words);
  $(".notices").replaceChildren(...words.map(([head, text]) => element("p", { className: "band" }, element("strong", { textContent: head }), text)));
  return undefined;
}

function showLive(up, heardAt) {
  live = { up, heardAt: heardAt || live.heardAt };
  tick();
}

function tick() {
  $(".live-line .dot").classList.toggle("live", live.up);
  const age = Math.round((Date.now() - live.heardAt) / 1000);
  const old = live.heardAt ? t("Not live: the map is {age} s old. Reconnecting.", { age }) : t("Connecting");
  say($("#live"), live.up ? t("Live") : old);
  sheet.tick();
  const late = endsAt !== null && !basket.hold;
  say($("#shop-ends"), late ? t("Your time to shop ends at {time}.", { time: timeOfDay(endsAt, false) }) : "");
  if (endsAt !== null && endsAt < now() && !basket.hold) admitted();
}
