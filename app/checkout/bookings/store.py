"""Bookings in PostgreSQL. Each function is one short transaction; none waits for anybody else.

Whoever works on a booking owns its `attempt`; a takeover raises it, and from then on every
write of the old owner finds no row and raises Overtaken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from app.checkout.bookings.model import MOVES, Booking, Claim, State
from app.checkout.errors import EventClosed, KeyInUse
from core.db import Connection, Db, load_queries
from core.errors import NotFound
from seatmap.errors import SeatsTaken, TooManyTickets


class Overtaken(Exception):
    """Another node took the booking over: leave it alone."""


class BookingStore:
    def __init__(self, db: Db) -> None:
        self._db = db
        self._sql = load_queries("app.checkout")

    async def claim(self, claim: Claim) -> Booking:
        """Take the hold's tickets in PostgreSQL.

        Raises EventClosed, TooManyTickets, SeatsTaken; KeyInUse when the call was given up. After
        StoreUnavailable the claim may have been made or not: `abandon` tells.
        """
        prices = {line["seat"]: line["priceMinor"] for line in claim.hold.quote["lines"]}
        seats = sorted(prices)
        try:
            async with self._db.transaction() as tx:
                await self._may_claim(tx, claim, len(seats))
                await tx.execute(self._sql["booking_insert"], *_row(claim))
                revs = await self._raise_revs(tx, claim.event_id, seats)
                lines = (seats, [prices[seat] for seat in seats])
                await tx.execute(
                    self._sql["booking_tickets_insert"], claim.booking_id, claim.event_id, *lines
                )
                await self._announce(tx, claim.event_id, claim.hold.hold_id, revs, "claimed")
        except asyncpg.UniqueViolationError as exc:
            if exc.constraint_name != "booking_ticket_live":
                raise
            taken = await self._db.fetch(self._sql["tickets_taken"], claim.event_id, seats)
            raise SeatsTaken(claim.event_id, [row["seat_index"] for row in taken]) from exc
        return await self.get(claim.booking_id)

    async def _may_claim(self, tx: Connection, claim: Claim, wanted: int) -> None:
        fan = (claim.event_id, claim.subject)
        if not await tx.fetchval(self._sql["key_lock"], claim.subject, claim.key, claim.booking_id):
            raise KeyInUse(claim.key)
        if not await tx.fetchval(self._sql["event_on_sale"], claim.event_id):
            raise EventClosed(claim.event_id)
        await tx.execute(self._sql["fan_lock"], *fan)
        limit = await tx.fetchrow(self._sql["fan_room"], *fan)
        if wanted > limit["room"]:
            raise TooManyTickets(limit["max_tickets"])

    async def abandon(self, subject: str, key: str, booking_id: str) -> bool:
        """Give a call up, so that its key is free again and its claim can't come any more.

        False: the claim is there already, and stays.
        """
        call = (subject, key, booking_id)
        async with self._db.transaction() as tx:
            await tx.execute(self._sql["key_lock"], *call)  # waits for a claim under way
            if await tx.fetchrow(self._sql["booking_get"], booking_id) is not None:
                return False
            await tx.execute(self._sql["key_forget"], *call)
        return True

    async def get(self, booking_id: str) -> Booking:
        """Raises NotFound."""
        row = await self._db.fetchrow(self._sql["booking_get"], booking_id)
        if row is None:
            raise NotFound(booking_id)
        return _booking(row)

    async def tickets(self, booking_id: str) -> list[Any]:
        return await self._db.fetch(self._sql["booking_tickets"], booking_id)

    async def payment(self, booking: Booking, payment_id: str) -> None:
        """Stored before the payment is confirmed, so that it can always be asked for."""
        if not await self._db.fetchval(
            self._sql["booking_payment"], booking.booking_id, booking.attempt, payment_id
        ):
            raise Overtaken(booking.booking_id)

    async def commit(self, booking: Booking) -> None:
        """Claimed → sold, in one transaction with its outbox row. Raises EventClosed."""
        async with self._db.transaction() as tx:
            if not await tx.fetchval(self._sql["event_on_sale"], booking.event_id):
                raise EventClosed(booking.event_id)
            await self._move(tx, booking, "confirmed", None)
            await self._tickets_move(tx, booking, "claimed", "sold", "sold")

    async def captured(self, booking: Booking, entry_codes: dict[int, str]) -> None:
        async with self._db.transaction() as tx:
            await self._move(tx, booking, "captured", None)
            for seat, code in entry_codes.items():
                await tx.execute(self._sql["entry_code_set"], booking.booking_id, seat, code)

    async def give_up(self, booking: Booking, to: State, reason: str) -> None:
        """Begin to cancel or revoke. Frees nothing: the gateway has not agreed yet."""
        async with self._db.transaction() as tx:
            await self._move(tx, booking, to, reason)

    async def free(self, booking: Booking, to: State) -> None:
        """End it and free its tickets. Only after the gateway said cancelled or declined."""
        async with self._db.transaction() as tx:
            await self._move(tx, booking, to, None)
            was = "claimed" if to == "cancelled" else "sold"
            await self._tickets_move(tx, booking, was, "freed", "available")

    async def take_over(self, *, untouched_s: float, limit: int) -> list[Booking]:
        rows = await self._db.fetch(self._sql["booking_take_over"], untouched_s, limit)
        return [_booking(row) for row in rows]

    async def _move(self, tx: Connection, booking: Booking, to: State, reason: str | None) -> None:
        assert to in MOVES[booking.state], f"{booking.state} -> {to}"
        step = (booking.booking_id, booking.attempt, booking.state, to, reason)
        if not await tx.fetchval(self._sql["booking_move"], *step):
            raise Overtaken(booking.booking_id)

    async def _tickets_move(
        self, tx: Connection, booking: Booking, was: str, to: str, shown: str
    ) -> None:
        """Ticket rows are locked before booking_ticket rows, as in a claim: no deadlock."""
        rows = await tx.fetch(self._sql["booking_tickets"], booking.booking_id)
        seats = [row["seat_index"] for row in rows if row["state"] == was]
        revs = await self._raise_revs(tx, booking.event_id, seats)
        await tx.execute(self._sql["booking_tickets_move"], booking.booking_id, was, to)
        await self._announce(tx, booking.event_id, booking.hold_id, revs, shown)

    async def _raise_revs(
        self, tx: Connection, event_id: str, seats: Sequence[int]
    ) -> dict[int, int]:
        rows = await tx.fetch(self._sql["tickets_raise"], event_id, seats)
        return {row["seat_index"]: row["rev"] for row in rows}

    async def _announce(
        self, tx: Connection, event_id: str, hold_id: str, revs: dict[int, int], state: str
    ) -> None:
        seats, numbers = list(revs), list(revs.values())
        await tx.execute(self._sql["outbox_insert"], event_id, hold_id, seats, numbers, state)


def _row(claim: Claim) -> tuple[object, ...]:
    hold, quote = claim.hold, claim.hold.quote
    ids = (claim.booking_id, claim.event_id, claim.subject, hold.hold_id, hold.fence)
    return (*ids, claim.email, quote["currency"], quote["totalMinor"], claim.token)


def _booking(row: Any) -> Booking:
    return Booking(**{name: row[name] for name in Booking.__slots__})
