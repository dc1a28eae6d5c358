// Who changed what, the newest first, and the undo of the last change.
import { $, element, say as write } from "../lib/page.js";
import { actionOf, instant, nameOf, shown, whoOf } from "./settings.js";
import { say } from "./words.js";

const OF_ROOM = ["room changed", "change undone"], OF_SHOP = ["shop changed", "shop change undone"];
let newest = null;

// The change that an undo would take back; undefined when nobody made one.
export const lastChange = (rows) => rows.find((row) => OF_ROOM.includes(row.action) || isOfShop(row));
export const isOfShop = (row) => OF_SHOP.includes(row.action);

export function showAudit(rows) {
  if (rows[0]?.auditId === newest || rows[0]?.auditId < newest) return; // an older answer comes late
  newest = rows[0]?.auditId;
  $(".audit tbody").replaceChildren(...rows.map((row) => element("tr", {}, ...cells(row))));
  const last = lastChange(rows), undo = $("#undo");
  undo.hidden = !last;
  if (last) write(undo, say.undo(last));
}

function cells({ at, action, before, after, ...row }) {
  const facts = Object.entries(after ?? {}).map(([name, now]) => {
    const change = name in (before ?? {}) ? `${shown(name, before[name])} → ${shown(name, now)}` : shown(name, now);
    return `${nameOf(name)}: ${change}`;
  });
  return [instant(at), whoOf(row), actionOf({ action }), facts.join(", ")].map((textContent) => element("td", { textContent }));
}
