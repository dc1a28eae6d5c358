"""Booking: pin → claim → pay → commit → capture, and the same answer to every repeat.

The work runs in a task of its own that a client's disconnect can't cut in half. The reply waits
for it only so long: after that the fan gets "pending" and follows the booking by its id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from app.checkout.bookings.drive import Driver
from app.checkout.bookings.model import Booking
from app.checkout.bookings.store import BookingStore, Overtaken
from app.checkout.errors import HoldDiffers, KeyInUse, KeyReused, PaymentDeclined
from app.checkout.holds.service import Holds, seats_of
from app.payments.gateway import Unsure
from core.db import Db, load_queries
from core.edge import problem_of
from core.errors import AppError, NotFound
from core.ids import HoldId, Subject, new_id
from seatmap.errors import HoldEnded, NoHold
from seatmap.model import Hold
from seatmap.service import SeatMap
from waiting_room.keys import admission_key
from waiting_room.service import WaitingRoom

log = logging.getLogger(__name__)

CLAIM_WITHIN_S = 30.0  # after the pin; a claim that takes longer is abandoned
PIN_MS = 60_000  # locks outlive the claim's deadline by far
ANSWER_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Order:
    """What the fan sends. Exactly one of the first two."""

    hold_id: str | None
    ticket_ids: tuple[str, ...] | None
    email: str
    token: str


Answer = tuple[int, bytes]  # status, JSON


class Bookings:
    def __init__(
        self,
        db: Db,
        seat_map: SeatMap,
        room: WaitingRoom,
        holds: Holds,
        store: BookingStore,
        driver: Driver,
        kick_relay: Callable[[], None],
    ) -> None:
        self._db, self._sql = db, load_queries("app.checkout")
        self._seat_map, self._room, self._holds = seat_map, room, holds
        self.store, self._driver, self._kick_relay = store, driver, kick_relay
        self._working: set[asyncio.Task[Answer]] = set()

    async def book(
        self, event_id: str, subject: Subject, key: str, fingerprint: str, order: Order
    ) -> Answer:
        """The first answer to this key, now or again. Raises KeyReused, KeyInUse."""
        booking_id = new_id("bk")
        begun = await self._db.fetchval(
            self._sql["key_begin"], subject, key, fingerprint, booking_id
        )
        if begun is None:
            return await self._again(subject, key, fingerprint)
        task = asyncio.create_task(self._first(event_id, subject, key, booking_id, order))
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await asyncio.shield(task)
        except TimeoutError:
            return await self._pending(booking_id)

    async def stop(self) -> None:
        """Waits for what is under way: each step has its own deadline."""
        await asyncio.gather(*self._working, return_exceptions=True)

    async def own(self, booking_id: str, subject: str) -> tuple[Booking, list[Any]]:
        """One's own booking and its tickets. Raises NotFound for anybody else's."""
        booking = await self.store.get(booking_id)
        if booking.subject != subject:
            raise NotFound(booking_id)
        return booking, await self.store.tickets(booking_id)

    async def _again(self, subject: str, key: str, fingerprint: str) -> Answer:
        row = await self._db.fetchrow(self._sql["key_get"], subject, key)
        if row is None:
            raise KeyInUse(key)
        if row["fingerprint"] != fingerprint:
            raise KeyReused(key)
        if row["status"] is not None:
            return row["status"], row["body"]
        try:
            return await self._pending(row["booking_id"])
        except NotFound as exc:
            if row["old"]:  # its node died before the claim: the call may be made again
                await self._db.execute(self._sql["key_forget"], subject, key)
            raise KeyInUse(key) from exc

    async def _pending(self, booking_id: str) -> Answer:
        booking = await self.store.get(booking_id)
        settled = booking.status != "pending"
        return (201 if settled else 202), _body(booking)

    async def _first(
        self, event_id: str, subject: Subject, key: str, booking_id: str, order: Order
    ) -> Answer:
        try:
            answer = await self._work(event_id, subject, booking_id, order)
        except AppError as exc:
            if exc.retry:
                await self._db.execute(self._sql["key_forget"], subject, key)
                raise
            refusal = problem_of(exc)
            answer = refusal.status_code, bytes(refusal.body)
        await self._db.execute(self._sql["key_answer"], subject, key, *answer)
        return answer

    async def _work(self, event_id: str, subject: Subject, booking_id: str, order: Order) -> Answer:
        hold = await self._hold(event_id, subject, order)
        pinned = await self._seat_map.pin(
            event_id,
            hold_id=hold.hold_id,
            subject=subject,
            fence=hold.fence,
            pin_ms=PIN_MS,
            admission_key=admission_key(event_id),
        )
        booking = await self._claim(event_id, subject, booking_id, pinned, order)
        self._kick_relay()
        try:
            booking = await self._driver.drive(booking)
        except (Unsure, Overtaken) as exc:
            log.info("left to recovery", extra={"booking_id": booking_id, "why": str(exc)})
            return 202, _body(booking)
        finally:
            self._kick_relay()
        if booking.reason == "payment_declined":
            raise PaymentDeclined(booking_id)
        if booking.state == "captured":
            await self._room.ended(event_id, subject, "booked")
        return 201, _body(booking)

    async def _claim(
        self, event_id: str, subject: str, booking_id: str, hold: Hold, order: Order
    ) -> Booking:
        """Within the deadline that the pin leaves, or the hold is given back."""
        claim = self.store.claim(booking_id, event_id, subject, hold, order.email, order.token)
        try:
            async with asyncio.timeout(CLAIM_WITHIN_S):
                return await claim
        except AppError as exc:
            # An outage may have struck after the commit: then the booking is there.
            if exc.retry and (found := await self._found(booking_id)):
                return found
            await self._seat_map.unpin(event_id, hold_id=hold.hold_id, fence=hold.fence)
            raise

    async def _found(self, booking_id: str) -> Booking | None:
        try:
            return await self.store.get(booking_id)
        except NotFound:
            return None

    async def _hold(self, event_id: str, subject: Subject, order: Order) -> Hold:
        """The hold to book: the named one, the one with these tickets, or one made now."""
        mine = await self._holds.mine(event_id, subject)
        if order.hold_id is not None:
            if mine is None or mine.hold_id != order.hold_id:
                raise HoldEnded(order.hold_id)
            return mine
        assert order.ticket_ids is not None
        if mine is not None:
            if set(mine.seats) != set(seats_of(event_id, order.ticket_ids)):
                raise HoldDiffers(mine.hold_id)
            return mine
        return await self._new_hold(event_id, subject, order.ticket_ids)

    async def _new_hold(self, event_id: str, subject: Subject, ids: Sequence[str]) -> Hold:
        if not ids:
            raise NoHold("no tickets")
        return await self._holds.hold(event_id, subject, HoldId(new_id("hd")), [ids])


def _body(booking: Booking) -> bytes:
    return orjson.dumps({"bookingId": booking.booking_id, "status": booking.status})
