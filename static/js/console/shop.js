// Where fans may be sent back to: the list of a shop elsewhere, with a version of its own.
import { call } from "../lib/api.js";
import { $, say as write } from "../lib/page.js";
import { say } from "./words.js";

const form = $("#shop"), input = $("#returnUrls"), button = $(".go button", form), text = $("[data-preview]", form);
let shop = null;

const typed = () => input.value.split(/\s+/).filter(Boolean);
const changed = () => shop && typed().join() !== shop.returnUrls.join();
const asNow = () => (shop.returnUrls.length ? say.asNow(shop.returnUrls.join(", ")) : say.noShop);
const mark = () => button.classList.toggle("strong", changed());
input.oninput = mark;

export async function showShop(admin) {
  show(await call("GET", `${admin}/shop`));
}

// What was typed stays; what is so now stands beside it.
function show(seen) {
  if (shop && shop.version >= seen.version) return;
  const untouched = !changed();
  shop = seen;
  if (untouched) input.value = shop.returnUrls.join("\n");
  write(text, asNow());
  text.classList.remove("bad");
  mark();
}

// The words to show, of both. Whoever was overtaken sees the other's list beside their own, and may send it again.
export async function setShop(admin) {
  await send(admin, "PUT", "", { returnUrls: typed() });
  input.value = shop.returnUrls.join("\n");
  mark();
  return say.done;
}

export async function undoShop(admin) {
  await send(admin, "POST", "/undo", {});
  return say.done;
}

async function send(admin, method, what, body) {
  const headers = { "If-Match": `"${shop.version}"` };
  try {
    show(await call(method, `${admin}/shop${what}`, { body, headers }));
  } catch (problem) {
    if (problem.code === "bad_request") throw new Error(refusal(problem));
    if (problem.code !== "changed") throw problem;
    await showShop(admin);
    throw new Error(`${problem.message} ${asNow()}`);
  }
}

// The server names a line of the list by its number, from 0 on.
function refusal({ message, facts }) {
  const wrong = typed()[facts.problems[0].where.split(".")[1]];
  return wrong ? say.notAnAddress(wrong) : message;
}
