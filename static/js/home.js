// Cards of sales that have not opened count down to the second.
import { $$, say } from "./lib/page.js";
import { countdown, learn, now, t } from "./lib/words.js";

const cards = $$("[data-opens-at]");
if (cards.length) {
  learn(Number(cards[0].dataset.now));
  tick();
  setInterval(tick, 1000);
}

function tick() {
  for (const card of cards) {
    const left = Number(card.dataset.opensAt) - now();
    if (left > 0) say(card, t("opens in {time}", { time: countdown(left) }));
    else { card.className = "sale open"; say(card, t("on sale")); }
  }
}
