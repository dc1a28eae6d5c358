// The basket as the fan sees it: a column on wide screens, a sheet from below on phones. It goes
// from choosing to paying and back; the seats and the total stay in sight all the way.
import { $, element, remember, remembered, say } from "../lib/page.js";
import { clock, money, now, t, timeOfDay, tn } from "../lib/words.js";
import { pay } from "./checkout.js";
import { swatch } from "./list.js";

const LATE_MS = 60_000;
const EMAIL = "onsale.email";

export class Sheet {
  #basket; #plan; #categories; #currency; #eventId; #toggle; #renewed; #sending = false; #asking = false;
  paying = false;

  constructor({ basket, plan, categories, currency, eventId, toggle, renewed }) {
    this.#basket = basket;
    this.#plan = plan;
    this.#categories = categories;
    this.#currency = currency;
    this.#eventId = eventId;
    this.#toggle = toggle;
    this.#renewed = renewed;
    $("#email").value = remembered("sessionStorage", EMAIL) ?? "";
    $(".basket .handle").onclick = () => this.#open(!$(".basket").classList.contains("open"));
    $("#next").onclick = () => (this.paying ? $("#pay-form").requestSubmit() : this.#toPayment());
    $("#back").onclick = () => this.backToMap();
    $("#pay-form").onsubmit = (event) => { event.preventDefault(); this.#pay(); };
  }

  money(minor) { return money(minor, this.#currency); }

  show() {
    const seats = [...this.#basket.wanted];
    if (!seats.length && this.paying && !this.#sending) this.backToMap();
    $(".basket .items").replaceChildren(...seats.map((seat) => this.#item(seat)));
    const total = seats.reduce((sum, seat) => sum + this.#price(seat), 0);
    $(".basket").classList.toggle("filled", seats.length > 0);
    $("#basket-empty").hidden = seats.length > 0;
    $("#total-line").hidden = !seats.length;
    say($("#total"), this.money(total));
    say($("#handle-count"), seats.length ? `${tn("{n} seat", "{n} seats", seats.length)} · ${this.money(total)}` : t("No seats chosen"));
    $("#next").disabled = !seats.length || this.#basket.busy || this.#sending;
    say($("#next"), this.#nextWords(total));
    if (seats.length) this.#complain(null);
    this.tick();
  }

  #nextWords(total) {
    if (this.#sending) return t("Paying");
    if (this.paying) return t("Pay {amount}", { amount: this.money(total) });
    return this.#basket.busy ? t("Holding your seats") : t("Continue to payment");
  }

  tick() {
    const hold = this.#basket.hold, line = $("#hold-line");
    const left = hold ? hold.endsAt - now() : 0;
    const held = hold ? t("Held until {time} · {left}", { time: timeOfDay(hold.endsAt), left: clock(left) }) : "";
    say(line, held);
    line.hidden = !hold;
    line.classList.toggle("late", Boolean(hold) && left < LATE_MS);
    say($("#handle-note"), held || (this.#basket.wanted.size ? t("Holding your seats") : t("Tap a seat on the map")));
    if (hold && left <= 0 && !this.#sending) this.#ended();
  }

  backToMap() {
    this.paying = false;
    $("#pay-form").hidden = $("#back").hidden = true;
    this.#open(false);
    this.show();
  }

  #toPayment() {
    this.paying = true;
    $("#pay-form").hidden = $("#back").hidden = false;
    this.#open(true);
    this.show();
    $("#email").focus({ preventScroll: false });
  }

  #open(open) {
    $(".basket").classList.toggle("open", open);
    $(".basket .handle").setAttribute("aria-expanded", String(open));
  }

  #item(seat) {
    const words = this.#plan.describe(seat);
    const [section, ...rest] = words.split(", ");
    const remove = element("button", { type: "button", textContent: "×", disabled: this.#sending, onclick: () => this.#toggle(seat) });
    remove.setAttribute("aria-label", t("Give back {seat}", { seat: words }));
    const name = element("span", {}, element("strong", { textContent: section }), rest.join(", "));
    return element("li", {}, swatch(this.#category(seat)), name, element("span", { textContent: this.money(this.#price(seat)) }), remove);
  }

  #category(seat) { return this.#plan.sections[this.#plan.sectionOf[seat]].category; }

  // The quote of the hold counts; before it came, the price of the category.
  #price(seat) {
    const quoted = this.#basket.hold?.tickets.find((ticket) => ticket.ticketId === `${this.#eventId}-${seat}`);
    return quoted?.priceMinor ?? this.#categories[this.#category(seat)].price;
  }

  // The end may have been put off: the server has the last word.
  async #ended() {
    if (this.#asking) return;
    this.#asking = true;
    await this.#basket.load().catch(() => this.#basket.end());
    this.#asking = false;
    if (!this.#basket.hold) this.#complain(t("The hold has ended and the seats are free again. Nothing was charged. Choose again on the map."));
  }

  async #pay() {
    const email = $("#email").value.trim();
    const token = new FormData($("#pay-form")).get("token");
    remember("sessionStorage", EMAIL, email);
    this.#complain(null);
    this.#sending = true;
    this.show();
    try {
      location.assign(`/orders/${await pay(this.#eventId, this.#basket.hold.holdId, email, token)}`);
    } catch (problem) {
      this.#sending = false;
      const words = await this.#notPaid(problem);
      this.show(); // which forgets what was wrong before
      this.#complain(words);
    }
  }

  // Why, in words.
  async #notPaid(problem) {
    if (problem.code === "payment_declined" || problem.code === "hold_ended" || problem.code === "no_hold") {
      await this.#basket.load().catch(() => this.#basket.end());
    }
    if (problem.code === "not_admitted" || problem.code.startsWith("pass_")) await this.#renewed();
    return WORDS[problem.code] ?? `${problem.message} ${t("You can press Pay again: you are charged once at most.")}`;
  }

  #complain(text) {
    $("#basket-problem").hidden = !text;
    say($("#basket-problem"), text ?? "");
    if (text) this.#open(true);
  }
}

const WORDS = {
  bad_request: t("This is no e-mail address that tickets could be sent to. Nothing was charged."), // the rest is ours
  payment_declined: t("The card was declined. Nothing was charged, and the seats are free again. Choose them again and try another card."),
  hold_ended: t("The hold has ended. Nothing was charged. Choose again on the map."),
  no_hold: t("The hold has ended. Nothing was charged. Choose again on the map."),
  seats_taken: t("Somebody was faster with one of the seats. Nothing was charged. Choose another."),
  event_closed: t("This sale is closed. Nothing was charged."),
};
