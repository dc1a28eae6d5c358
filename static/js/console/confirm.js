// Before something grave: a question that is answered by writing the event's name.
import { $, say } from "../lib/page.js";

const dialog = $("#confirm"), name = $("#confirm-name"), yes = $("#confirm-yes");
const wanted = document.body.dataset.title.trim().toLowerCase();

name.oninput = () => { yes.disabled = name.value.trim().toLowerCase() !== wanted; };

// Whether the operator meant it. Enter in the field goes on only once the name is right.
export function confirmed({ title, text, button }) {
  say($("#confirm-title"), title);
  say($("#confirm-text"), text);
  say(yes, button);
  name.value = "";
  yes.disabled = true;
  dialog.returnValue = "no";
  dialog.showModal();
  name.focus();
  return new Promise((done) => { dialog.onclose = () => done(dialog.returnValue === "yes" && !yes.disabled); });
}

name.onkeydown = (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  if (!yes.disabled) dialog.close("yes");
};
