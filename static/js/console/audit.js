// Who changed what, the newest first, and the undo of the last change.
import { $, element, say as write } from "../lib/page.js";
import { timeOfDay } from "../lib/words.js";
import { say, SETTINGS, shown } from "./words.js";

const UNDOABLE = ["room changed", "change undone"];

export function showAudit(rows) {
  $(".audit tbody").replaceChildren(...rows.map((row) => element("tr", {}, ...cells(row))));
  const last = rows.find((row) => UNDOABLE.includes(row.action));
  const undo = $("#undo");
  undo.hidden = !last;
  if (last) write(undo, say.undo(last));
}

function cells({ at, who, action, before, after }) {
  const facts = Object.entries(after ?? {}).map(([name, now]) => {
    const words = SETTINGS[name] ?? name;
    return name in (before ?? {}) ? `${words}: ${shown(name, before[name])} → ${shown(name, now)}` : `${words}: ${shown(name, now)}`;
  });
  return [timeOfDay(at), who, action, facts.join(", ")].map((textContent) => element("td", { textContent }));
}
