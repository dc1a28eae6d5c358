// The two dialogs: one before something grave, answered by writing the event's name; one when
// another operator was faster. Escape is no, and what had the focus gets it back.
import { $, element, say } from "../lib/page.js";
import { call } from "../lib/api.js";
import { instant, nameOf, shown, whoOf } from "./settings.js";
import { say as words } from "./words.js";

const dialog = $("#confirm"), name = $("#confirm-name"), yes = $("#confirm-yes"), differing = $("#differs");
const wanted = document.body.dataset.title.trim().toLowerCase();
const right = () => name.value.trim().toLowerCase() === wanted;

name.oninput = () => { yes.disabled = !right(); };
// Enter in the field goes on only once the name is right.
name.onkeydown = (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  if (right()) dialog.close("yes");
};

// Whether the operator meant it.
export async function confirmed({ title, text, button }) {
  say($("#confirm-title"), title);
  say($("#confirm-text"), text);
  say(yes, button);
  name.value = "";
  yes.disabled = true;
  const answer = asked(dialog);
  name.focus();
  return await answer && right();
}

// Whether to make `mine` although the room is no longer as it `was`: each setting with both values.
// A repair raises the version, too: where no setting differs, nobody was faster.
export async function insists(admin, was, now, mine) {
  const differs = (setting) => setting !== "version" && now[setting] !== was[setting];
  const settings = Object.keys(now).filter((setting) => setting in mine || differs(setting));
  if (!settings.some(differs)) return true;
  const row = (setting) => element("tr", {}, head(nameOf(setting)), cell(shown(setting, was[setting])), cell(shown(setting, now[setting])), cell(setting in mine ? shown(setting, mine[setting]) : "–"));
  $("tbody", differing).replaceChildren(...settings.map(row));
  const [last] = await call("GET", `${admin}/audit`).catch(() => []);
  say($("#differs-who"), last ? words.changedBy(whoOf(last), instant(last.at)) : "");
  return asked(differing);
}

const cell = (textContent) => element("td", { textContent });
const head = (textContent) => element("th", { scope: "row", textContent });

function asked(which) {
  which.returnValue = "no";
  which.showModal();
  return new Promise((done) => { which.onclose = () => done(which.returnValue === "yes"); });
}
