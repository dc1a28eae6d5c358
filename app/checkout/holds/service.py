"""Holds: who may hold which tickets at what price. The seat map's script decides the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from app.checkout.errors import EventClosed, OtherEvent, SameTicketTwice
from core.db import Db, load_queries
from core.errors import BadRequest
from core.ids import HoldId, Subject, parse_ticket_id, ticket_id
from seatmap.errors import HoldEnded, NoHold
from seatmap.model import Alternative, Hold
from seatmap.service import SeatMap
from seatmap.store import SHOP_AFTER_MS
from waiting_room.keys import admission_key
from waiting_room.service import WaitingRoom


class Holds:
    def __init__(self, db: Db, seat_map: SeatMap, room: WaitingRoom) -> None:
        self._db, self._seat_map, self._room = db, seat_map, room
        self._sql = load_queries("app.checkout")

    async def hold(
        self, event_id: str, subject: Subject, hold_id: HoldId, choices: Sequence[Sequence[str]]
    ) -> Hold:
        """Hold the first of `choices`, lists of ticket ids, that is wholly free.

        Safe to repeat with the same hold id. Replaces the fan's other hold, all or nothing.
        Raises SaleStopped, besides what the seat map refuses.
        """
        await self._room.require_running(event_id)
        event = await self._event(event_id)
        alternatives = [await self._priced(event_id, event["currency"], c) for c in choices]
        booked = await self._db.fetchval(self._sql["tickets_live"], event_id, subject)
        held = await self._seat_map.hold(
            event_id,
            hold_id=hold_id,
            subject=subject,
            alternatives=alternatives,
            max_tickets=event["max_tickets"],
            booked=booked,
            hold_ms=event["hold_ms"],
            admission_key=admission_key(event_id),
        )
        await self.extended(event_id, held)
        return held

    async def extended(self, event_id: str, hold: Hold) -> None:
        """The hold's script has put the end of the admission off: PostgreSQL follows."""
        await self._room.extended(event_id, hold.subject, hold.ends_ms + SHOP_AFTER_MS)

    async def mine(self, event_id: str, subject: Subject) -> Hold | None:
        try:
            return await self._seat_map.mine(event_id, subject)
        except NoHold:
            return None

    async def release(self, event_id: str, subject: Subject, hold_id: HoldId) -> None:
        """Safe to repeat. Raises HoldEnded while a booking is taking it."""
        await self._seat_map.release(event_id, hold_id=hold_id, subject=subject)

    async def give_back(self, event_id: str, subject: Subject) -> None:
        """Let go of what the fan holds, unless a booking is taking it. Safe to repeat."""
        held = await self.mine(event_id, subject)
        if held is None:
            return
        with contextlib.suppress(HoldEnded):
            await self.release(event_id, subject, held.hold_id)

    async def _event(self, event_id: str) -> Any:
        row = await self._db.fetchrow(self._sql["event_for_holds"], event_id)
        if row is None or not row["on_sale"]:
            raise EventClosed(event_id)
        return row

    async def _priced(self, event_id: str, currency: str, ids: Sequence[str]) -> Alternative:
        seats = seats_of(event_id, ids)
        rows = await self._db.fetch(self._sql["tickets_priced"], event_id, seats)
        prices = {row["seat_index"]: row for row in rows}
        for seat in seats:
            if seat not in prices:
                raise BadRequest(f"no such ticket: {ticket_id(event_id, seat)}", where="ticketIds")
        lines = [
            {"seat": s, "category": prices[s]["category"], "priceMinor": prices[s]["price_minor"]}
            for s in seats
        ]
        total = sum(line["priceMinor"] for line in lines)
        return Alternative(seats, {"currency": currency, "totalMinor": total, "lines": lines})


def seats_of(event_id: str, ids: Sequence[str]) -> list[int]:
    """Seat indexes of tickets of this event. Raises BadRequest, OtherEvent, SameTicketTwice."""
    seats = []
    for text in ids:
        parsed = parse_ticket_id(text)
        if parsed is None:
            raise BadRequest("not a ticket id", where="ticketIds")
        if parsed[0] != event_id:
            raise OtherEvent(text)
        seats.append(parsed[1])
    if len(set(seats)) != len(seats):
        raise SameTicketTwice(event_id)
    return seats


def hold_json(event_id: str, hold: Hold) -> dict[str, Any]:
    return {
        "holdId": hold.hold_id,
        "eventId": event_id,
        "tickets": [
            {
                "ticketId": ticket_id(event_id, line["seat"]),
                "seat": line["seat"],
                "category": line["category"],
                "priceMinor": line["priceMinor"],
            }
            for line in hold.quote["lines"]
        ],
        "totalMinor": hold.quote["totalMinor"],
        "currency": hold.quote["currency"],
        "endsAt": hold.ends_ms,
    }
