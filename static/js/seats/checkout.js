// Paying for a hold. The Idempotency-Key lives as long as the tab and belongs to one hold and one
// card, so that a reload in the middle of a payment asks for the first answer, never a second one.
import { call } from "../lib/api.js";
import { remember, remembered } from "../lib/page.js";
import { sleep } from "../lib/retry.js";

const TRIES = 4;
const TIMEOUT_MS = 30_000;

// Returns the booking's id; throws Problem. `payment_declined` means nothing was charged.
export async function pay(eventId, holdId, email, token) {
  const kept = `onsale.key.${holdId}.${token}.${email}`;
  const key = remembered("sessionStorage", kept) ?? newKey();
  remember("sessionStorage", kept, key);
  const body = { holdId, email, paymentDetails: { token } };
  for (let tried = 1; ; tried++) {
    try {
      const { bookingId } = await call("POST", `/bookings/${eventId}`, { body, headers: { "Idempotency-Key": key }, timeoutMs: TIMEOUT_MS });
      return bookingId;
    } catch (problem) {
      if (!problem.retry || tried === TRIES) throw problem;
      await sleep((problem.retryAfterMs ?? 1_000) * (1 + Math.random() * 0.3));
    }
  }
}

// randomUUID needs a secure page; a demo on a plain address in the house network has none.
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
