"""Drive a booking to its end, one step after another, from whatever state it is in.

The first owner and recovery run the same code: each step asks the gateway, whose calls are all
safe to repeat, and writes what it answered under the booking's attempt. When the gateway gives
no reliable answer, `Unsure` leaves the booking as it is; recovery comes back to it.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Literal

from app.checkout.bookings.model import CAPTURE_WITHIN_S, PAY_WITHIN_S, Booking
from app.checkout.bookings.store import BookingStore
from app.checkout.errors import EventClosed
from app.payments.gateway import Payment, SandboxGateway
from core.ids import ticket_id
from core.signing import Keys


class Driver:
    def __init__(self, store: BookingStore, gateway: SandboxGateway, keys: Keys) -> None:
        self._store, self._gateway, self._keys = store, gateway, keys

    async def drive(self, booking: Booking) -> Booking:
        """The booking in an end state. Raises Unsure or Overtaken on the way."""
        while True:
            match booking.state:
                case "claimed":
                    booking = await self._pay(booking)
                case "confirmed":
                    booking = await self._capture(booking)
                case "cancelling":
                    booking = await self._undo(booking, "cancelled")
                case "revoking":
                    booking = await self._undo(booking, "revoked")
                case _:
                    return booking

    async def _pay(self, booking: Booking) -> Booking:
        if booking.age_s > PAY_WITHIN_S:
            return await self._give_up(booking, "payment_timeout")
        payment = await self._payment(booking)
        if payment.state == "created":
            payment = await self._gateway.confirm(payment.payment_id)
        if payment.state == "declined":
            return await self._give_up(booking, "payment_declined")
        if payment.state != "authorised":
            return await self._give_up(booking, "payment_undone")
        try:
            await self._store.commit(booking)
        except EventClosed:
            return await self._give_up(booking, "event_closed")
        return replace(booking, state="confirmed")

    async def _payment(self, booking: Booking) -> Payment:
        """The gateway's own record, made if there is none: its id is stored before anything."""
        key, amount = booking.booking_id, booking.total_minor
        payment = await self._gateway.create(key, amount, booking.currency, booking.token)
        if booking.payment_id != payment.payment_id:
            await self._store.payment(booking, payment.payment_id)
        return payment

    async def _give_up(self, booking: Booking, reason: str) -> Booking:
        await self._store.give_up(booking, "cancelling", reason)
        return replace(booking, state="cancelling", reason=reason)

    async def _capture(self, booking: Booking) -> Booking:
        payment = await self._payment(booking)
        if payment.state == "authorised" and booking.age_s > CAPTURE_WITHIN_S:
            await self._store.give_up(booking, "revoking", "not_captured")
            return replace(booking, state="revoking", reason="not_captured")
        if payment.state == "authorised":
            payment = await self._gateway.capture(payment.payment_id)
        if payment.state == "captured":
            await self._store.captured(booking, await self._entry_codes(booking))
            return replace(booking, state="captured")
        await self._store.give_up(booking, "revoking", "payment_undone")
        return replace(booking, state="revoking", reason="payment_undone")

    async def _undo(self, booking: Booking, to: Literal["cancelled", "revoked"]) -> Booking:
        """Cancel at the gateway; a late success is refunded. Only then are the seats free."""
        payment = await self._payment(booking)
        if payment.state in {"created", "authorised"}:
            payment = await self._gateway.cancel(payment.payment_id)
        if payment.state == "captured":
            payment = await self._gateway.refund(payment.payment_id)
        assert payment.state in {"cancelled", "declined", "refunded"}, payment.state
        await self._store.free(booking, to)
        return replace(booking, state=to)

    async def _entry_codes(self, booking: Booking) -> dict[int, str]:
        seats = [row["seat_index"] for row in await self._store.tickets(booking.booking_id)]
        return {seat: self._entry_code(booking, seat) for seat in seats}

    def _entry_code(self, booking: Booking, seat: int) -> str:
        """What a gate verifies with the public key alone: ON1.ticket.booking.signature."""
        what = f"ON1.{ticket_id(booking.event_id, seat)}.{booking.booking_id}"
        signature = self._keys.sign("entry", what.encode())
        return f"{what}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
