// The event's one button says what will happen; it follows the sale while the page is open.
import { call } from "./lib/api.js";
import { $, $$, say } from "./lib/page.js";
import { countdown, learn, now, ordinal, number, t, timeOfDay } from "./lib/words.js";

const eventId = document.body.dataset.event;
const go = $("#go"), note = $("#go-note"), clock = $(".next .clock"), line = $("#sale-line");
const LOOK_AGAIN_MS = 15_000;
let opensAt = null;

learn(Number(document.body.dataset.now));
follow();
setInterval(tick, 1000);
whenIdle(drawThumbnail);

async function follow() {
  try {
    show(await call("GET", `/events/${eventId}/queue`));
  } catch { /* what the server wrote into the page stays */ }
  setTimeout(follow, LOOK_AGAIN_MS);
}

function show(queue) {
  learn(queue.now);
  opensAt = queue.state === "early" ? queue.opensAt : null;
  tick();
  if (queue.state === "lobby" || queue.state === "drawing") button("queue", t("Back to the lobby"), t("You are in the draw."));
  else if (queue.state === "early") button("queue", t("Wait for the opening"), t("Opens at {time}. The next page joins the queue for you.", { time: timeOfDay(queue.opensAt, false) }));
  else if (queue.state === "admitted") button("seats", t("Choose seats"), t("You are in. Your time is running."));
  else if (queue.state === "called") button("queue", t("Your turn: accept"), t("You were called. Accept before the time runs out."));
  else if (queue.state === "waiting") button("queue", t("Back to your place"), t("Your place in the queue: {rank}", { rank: ordinal(queue.rank).join(number(queue.rank)) }));
  else if (queue.mode === "off") button("seats", t("Choose seats"), t("No queue: you go straight to the map."));
  else if (queue.mode === "auto") button("queue", t("Get tickets"), t("Straight to the map while there is room, a queue otherwise."));
}

function button(page, words, why) {
  if (line.classList.contains("out")) return;
  go.hidden = false;
  go.href = `/e/${eventId}/${page}`;
  say(go, words);
  say(note, why);
}

function tick() {
  clock.hidden = opensAt === null || opensAt <= now();
  if (!clock.hidden) say(clock, countdown(opensAt - now()));
  if (!clock.hidden) say(line, t("Opens in"));
}

function whenIdle(work) {
  if (navigator.connection?.saveData) return;
  (window.requestIdleCallback ?? setTimeout)(work);
}

// The plan is cached for ever, so this also makes the map page quick.
async function drawThumbnail() {
  const svg = $(".thumb");
  try {
    const plan = await call("GET", `/events/${eventId}/plan`, { timeoutMs: 60_000 });
    const order = $$(".prices [data-category]").map((item) => item.dataset.category);
    svg.setAttribute("viewBox", `0 0 ${plan.width} ${plan.height}`);
    svg.replaceChildren(...plan.sections.map((section) => outline(section, order, plan.width / 400)));
  } catch {
    svg.remove();
  }
}

function outline(section, order, stroke) {
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const points = [];
  for (let i = 0; i < section.outline.length; i += 2) points.push(`${section.outline[i]} ${section.outline[i + 1]}`);
  path.setAttribute("d", `M${points.join("L")}Z`);
  path.setAttribute("class", `cat-${Math.max(0, order.indexOf(String(section.category))) % 8}`);
  path.setAttribute("fill", getComputedStyle(document.documentElement).getPropertyValue(`--cat-${Math.max(0, order.indexOf(String(section.category))) % 8}`).trim());
  path.setAttribute("stroke-width", stroke);
  return path;
}
