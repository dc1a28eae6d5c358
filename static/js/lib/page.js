// Small things every page needs: finding elements, and short messages that go by themselves.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// Written only when it differs, so that screen readers are not told the same thing twice.
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

const TOAST_MS = 5_000;
export function toast(text) {
  const made = element("p", { className: "toast", textContent: text });
  $(".toasts").append(made);
  setTimeout(() => made.classList.add("leaving"), TOAST_MS);
  setTimeout(() => made.remove(), TOAST_MS + 400);
}

// Storage may be forbidden; the pages then work without a memory.
export function remembered(store, key) {
  try { return window[store].getItem(key); } catch { return null; }
}
export function remember(store, key, value) {
  try {
    if (value === null) window[store].removeItem(key);
    else window[store].setItem(key, value);
  } catch { /* private mode: nothing to keep, nothing lost */ }
}
