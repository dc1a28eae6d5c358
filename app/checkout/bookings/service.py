"""Booking: pin → claim → pay → commit → capture, and the same answer to every repeat.

The work runs in a task of its own that a client's disconnect can't cut in half. The reply waits
for it only so long: after that the fan gets "pending" and follows the booking by its id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from app.checkout.bookings.drive import Driver
from app.checkout.bookings.model import Booking, Claim
from app.checkout.bookings.store import BookingStore, Overtaken
from app.checkout.errors import (
    EventClosed,
    HoldDiffers,
    KeyInUse,
    KeyReused,
    PaymentDeclined,
)
from app.checkout.holds.service import Holds, seats_of
from app.payments.gateway import Unsure
from core.db import Db, load_queries
from core.edge import problem_of
from core.errors import AppError, NotFound, StoreUnavailable
from core.ids import HoldId, Subject, new_id
from seatmap.errors import HoldEnded
from seatmap.model import Hold
from seatmap.service import SeatMap
from waiting_room.keys import admission_key
from waiting_room.service import WaitingRoom

log = logging.getLogger(__name__)

CLAIM_WITHIN_S = 30.0  # after the pin; a claim that takes longer is abandoned
PIN_MS = 60_000  # locks outlive the claim's deadline by far
ANSWER_WITHIN_S = 10.0
IN_USE_S = 15.0  # a call that has not answered by then has lost its node
REFUSALS: dict[str, type[AppError]] = {  # reasons of a cancelled booking that have an error code
    "payment_declined": PaymentDeclined,
    "event_closed": EventClosed,
}


@dataclass(frozen=True, slots=True)
class Order:
    """What the fan sends. Exactly one of the first two."""

    hold_id: str | None
    ticket_ids: tuple[str, ...] | None
    email: str
    token: str


@dataclass(frozen=True, slots=True)
class Call:
    """One POST under one Idempotency-Key, and the booking that it will make."""

    event_id: str
    subject: Subject
    key: str
    fingerprint: str  # of the request: the same key with another is refused
    order: Order
    booking_id: str


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
        self._store, self._driver, self._kick_relay = store, driver, kick_relay
        self._working: set[asyncio.Task[Answer]] = set()

    async def book(
        self, event_id: str, subject: Subject, key: str, fingerprint: str, order: Order
    ) -> Answer:
        """The first answer to this key, now or again. Raises KeyReused, KeyInUse."""
        call = Call(event_id, subject, key, fingerprint, order, new_id("bk"))
        task = asyncio.create_task(self._answer(call))
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await asyncio.shield(task)
        except TimeoutError:
            return await self._late(call)

    async def stop(self) -> None:
        """Waits for what is under way: each step has its own deadline."""
        await asyncio.gather(*self._working, return_exceptions=True)

    async def own(self, booking_id: str, subject: str) -> tuple[Booking, list[Any]]:
        """One's own booking and its tickets. Raises NotFound for anybody else's."""
        booking = await self._store.get(booking_id)
        if booking.subject != subject:
            raise NotFound(booking_id)
        return booking, await self._store.tickets(booking_id)

    # -- one answer a key ---------------------------------------------------------------------

    async def _answer(self, call: Call) -> Answer:
        begun = await self._db.fetchval(
            self._sql["key_begin"], call.subject, call.key, call.fingerprint, call.booking_id
        )
        if begun is None:
            return await self._again(call)
        try:
            answer = answer_of(await self._work(call))
        except AppError as exc:
            if exc.retry:  # nothing was claimed: the call may be made again
                await self._store.abandon(call.subject, call.key, call.booking_id)
                raise
            answer = _refused(exc)
        return await self._keep(call, answer)

    async def _again(self, call: Call) -> Answer:
        row = await self._db.fetchrow(self._sql["key_get"], call.subject, call.key)
        if row is None:
            raise KeyInUse(call.key)
        if row["fingerprint"] != call.fingerprint:
            raise KeyReused(call.key)
        if row["status"] is not None:
            return row["status"], row["body"]
        if row["age_s"] < IN_USE_S:
            raise KeyInUse(call.key)
        # Its node died. What it claimed, recovery drives to an end; else the key is free again.
        if await self._store.abandon(call.subject, call.key, row["booking_id"]):
            raise KeyInUse(call.key)
        return answer_of(await self._store.get(row["booking_id"]))

    async def _late(self, call: Call) -> Answer:
        """The work takes long. The fan follows the booking, if it is there by now."""
        try:
            booking = await self._store.get(call.booking_id)
        except NotFound as exc:
            raise KeyInUse(call.key) from exc
        return await self._keep(call, answer_of(booking))

    async def _keep(self, call: Call, answer: Answer) -> Answer:
        """Of two answers to one key the first stays, and both callers get that."""
        row = await self._db.fetchrow(
            self._sql["key_answer"], call.subject, call.key, call.booking_id, *answer
        )
        return (row["status"], row["body"]) if row else answer

    # -- the work -----------------------------------------------------------------------------

    async def _work(self, call: Call) -> Booking:
        """Raises only while nothing is claimed; from then on recovery answers for the booking."""
        await self._room.require_running(call.event_id)
        hold = await self._hold(call.event_id, call.subject, call.order)
        pinned_at_s = asyncio.get_running_loop().time()
        pinned = await self._pin(call.event_id, hold)
        booking = await self._claim(call, pinned, pinned_at_s + CLAIM_WITHIN_S)
        self._kick_relay()
        try:
            booking = await self._driver.drive(booking)
        except (Unsure, Overtaken, StoreUnavailable) as exc:
            log.info("left to recovery", extra={"booking_id": booking.booking_id, "why": str(exc)})
            return booking
        finally:
            self._kick_relay()
        if booking.state == "captured":
            await self.end_admission(booking)
        return booking

    async def end_admission(self, booking: Booking) -> None:
        """The booking stands whether this works or not: an admission also ends by itself."""
        try:
            await self._room.ended(booking.event_id, booking.subject, "booked")
        except AppError as exc:
            log.warning(
                "admission not ended", extra={"event_id": booking.event_id, "why": str(exc)}
            )

    async def _pin(self, event_id: str, hold: Hold) -> Hold:
        pinned = await self._seat_map.pin(
            event_id,
            hold_id=hold.hold_id,
            subject=hold.subject,
            fence=hold.fence,
            pin_ms=PIN_MS,
            admission_key=admission_key(event_id),
        )
        if pinned.ends_ms > hold.ends_ms:
            await self._holds.extended(event_id, pinned)
        return pinned

    async def _claim(self, call: Call, hold: Hold, deadline_s: float) -> Booking:
        """Within the deadline that the pin leaves, or the hold is given back."""
        order = call.order
        claim = Claim(
            booking_id=call.booking_id,
            event_id=call.event_id,
            subject=call.subject,
            key=call.key,
            hold=hold,
            email=order.email,
            token=order.token,
        )
        try:
            return await self._claim_by(claim, deadline_s)
        except AppError as exc:
            # An outage may have struck after the commit: then the booking is there.
            if exc.retry and not await self._store.abandon(call.subject, call.key, call.booking_id):
                return await self._store.get(call.booking_id)
            await self._seat_map.unpin(call.event_id, hold_id=hold.hold_id, fence=hold.fence)
            raise

    async def _claim_by(self, claim: Claim, deadline_s: float) -> Booking:
        """`deadline_s` by the loop's clock, which goes on while a process is frozen."""
        try:
            async with asyncio.timeout_at(deadline_s):
                return await self._store.claim(claim)
        except TimeoutError as exc:
            raise StoreUnavailable("the claim came too long after the pin") from exc

    async def _hold(self, event_id: str, subject: Subject, order: Order) -> Hold:
        """The hold to book: the named one, the one with these tickets, or one made now."""
        mine = await self._holds.mine(event_id, subject)
        if order.hold_id is not None:
            if mine is None or mine.hold_id != order.hold_id:
                raise HoldEnded(order.hold_id)
            return mine
        assert order.ticket_ids is not None
        if mine is None:
            return await self._holds.hold(
                event_id, subject, HoldId(new_id("hd")), [order.ticket_ids]
            )
        if set(mine.seats) != set(seats_of(event_id, order.ticket_ids)):
            raise HoldDiffers(mine.hold_id)
        return mine


def answer_of(booking: Booking) -> Answer:
    """What a fan is told of a booking in whatever state it is."""
    refusal = REFUSALS.get(booking.reason or "") if booking.state == "cancelled" else None
    if refusal is not None:
        return _refused(refusal(booking.booking_id))
    body = orjson.dumps({"bookingId": booking.booking_id, "status": booking.status})
    return (202 if booking.status == "pending" else 201), body


def _refused(exc: AppError) -> Answer:
    reply = problem_of(exc)
    return reply.status_code, bytes(reply.body)
