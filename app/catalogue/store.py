"""The catalogue in PostgreSQL, read. It is written by `app.catalogue.demo` only, for now."""

from __future__ import annotations

import gzip
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from app.catalogue.model import Event, Found, Performer, PriceCategory, Search, Ticket, Venue
from app.catalogue.policy import prefix_query
from core.db import Db, load_queries
from core.errors import NotFound

TICKETS_PER_PAGE = 1000
MAX_KEPT_PLANS = 8  # names of seats, about 10 MB for the largest plan

SeatName = tuple[str, str, str]  # section, row, seat


class Catalogue:
    def __init__(self, db: Db) -> None:
        self._db = db
        self._sql = load_queries("app.catalogue")
        self._seat_names: OrderedDict[str, Mapping[int, SeatName]] = OrderedDict()

    async def event(self, event_id: str) -> Event:
        """Raises NotFound."""
        rows = await self._db.fetch(self._sql["events"], [event_id])
        if not rows:
            raise NotFound(event_id)
        return _event(rows[0])

    async def search(self, wanted: Search) -> Found:
        query = prefix_query(wanted.keyword)
        if wanted.keyword and not query:  # nothing but punctuation: no event is called that
            return Found(events=(), page=wanted.page, page_size=wanted.page_size, total=0)
        filters = (query, wanted.start_ms, wanted.end_ms)
        offset = (wanted.page - 1) * wanted.page_size
        async with self._db.connection() as connection:
            total = await connection.fetchval(self._sql["event_search_total"], *filters)
            ids = await connection.fetch(
                self._sql["event_search"], *filters, wanted.page_size, offset
            )
            rows = await connection.fetch(self._sql["events"], [row["event_id"] for row in ids])
        events = tuple(_event(row) for row in rows)
        return Found(events=events, page=wanted.page, page_size=wanted.page_size, total=total)

    async def tickets(self, event: Event, after: int = -1) -> tuple[Ticket, ...]:
        """At most TICKETS_PER_PAGE tickets with a seat index above `after`, in its order."""
        rows = await self._db.fetch(self._sql["tickets"], event.event_id, after, TICKETS_PER_PAGE)
        names = await self.seat_names(event.plan_id)
        return tuple(_ticket(row["seat_index"], row["category"], names) for row in rows)

    async def seat_names(self, plan_id: str) -> Mapping[int, SeatName]:
        """Seat index → (section, row, seat). Plans never change, so the answer is kept."""
        kept = self._seat_names.get(plan_id)
        if kept is None:
            geometry = await self._db.fetchval(self._sql["plan_geometry"], plan_id)
            kept = self._seat_names[plan_id] = _names(orjson.loads(gzip.decompress(geometry)))
            if len(self._seat_names) > MAX_KEPT_PLANS:
                self._seat_names.popitem(last=False)
        self._seat_names.move_to_end(plan_id)
        return kept


def _names(plan: Mapping[str, Any]) -> Mapping[int, SeatName]:
    return {
        seat[0]: (section["name"], row["row"], str(seat[1]))
        for section in plan["sections"]
        for row in section["rows"]
        for seat in row["seats"]
    }


def _ticket(seat_index: int, category: int, names: Mapping[int, SeatName]) -> Ticket:
    section, row, seat = names[seat_index]
    return Ticket(seat_index=seat_index, category=category, section=section, row=row, seat=seat)


_PLAIN = ("event_id", "title", "description", "genre", "currency", "max_tickets", "hold_ms")
_ALSO_PLAIN = ("plan_id", "cancelled", "seats", "mode", "starts_at_ms", "opens_at_ms")


def _event(row: Mapping[str, Any]) -> Event:
    venue = Venue(
        name=row["venue_name"],
        **{name: row[name] for name in ("venue_id", "city", "country", "time_zone")},
    )
    return Event(
        venue=venue,
        performers=_each(Performer, ("performer_id", "name"), row["performers"]),
        price_categories=_each(
            PriceCategory, ("category", "name", "price_minor"), row["price_categories"]
        ),
        **{name: row[name] for name in _PLAIN + _ALSO_PLAIN},
    )


def _each(kind: Any, names: Sequence[str], records: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    return tuple(kind(**dict(zip(names, record, strict=True))) for record in records)
