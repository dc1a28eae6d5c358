// A pending order, or one whose entry codes are on their way, is read again until it is settled.
import { call } from "./lib/api.js";
import { sleep } from "./lib/retry.js";

const { booking, pending, looks } = document.body.dataset;
const FIRST_MS = 1_000, LONGEST_MS = 8_000;

if (pending === "1") follow();

async function follow() {
  for (let pause = FIRST_MS; ; pause = Math.min(LONGEST_MS, pause * 1.3)) {
    await sleep(pause);
    try {
      const order = await call("GET", `/bookings/${booking}`);
      const codes = order.tickets.filter((ticket) => ticket.entryCode).length;
      if (`${order.status}-${codes}` !== looks) return location.reload();
    } catch { /* no connection: the next look will tell */ }
  }
}
