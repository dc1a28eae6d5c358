"""The demo events of config/demo.json, loaded into an empty or an earlier database.

Each event is one transaction and is loaded once: dates count from the first start, and what an
operator changed since stays. Nodes that start together may all call `seed`.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files

from pydantic import TypeAdapter

from app.catalogue.policy import fold
from core.db import Connection, Db, load_queries
from core.edge import Body
from seatmap import generators
from seatmap.plan import Plan

CROWD_EVENT = "ev_arena"  # where the demo crowd goes
COPY_TIMEOUT_S = 60.0
HOLD_MS = 8 * 60_000
ACCEPT_MS = 60_000
SHOP_MS = 15 * 60_000
GRACE_MS = 2 * 60_000

PLANS = {
    "theatre": cache(generators.theatre),
    "arena": cache(generators.arena),
    "stadium": cache(generators.stadium),
}


class _Venue(Body):
    venue_id: str
    name: str
    city: str
    country: str
    time_zone: str


class _Performer(Body):
    performer_id: str
    name: str


class _Room(Body):
    mode: str
    per_minute: int
    max_active: int


class _DemoEvent(Body):
    event_id: str
    title: str
    description: str
    genre: str
    plan: str
    venue: _Venue
    performers: list[_Performer]
    starts_in_days: int
    starts_at_utc: str
    opens_in_minutes: int
    currency: str
    max_tickets: int
    price_names: list[str]  # one for each price category of the plan
    prices_minor: list[int]
    room: _Room

    def starts_at(self, now: datetime) -> datetime:
        hour, minute = map(int, self.starts_at_utc.split(":"))
        day = now.astimezone(UTC) + timedelta(days=self.starts_in_days)
        return day.replace(hour=hour, minute=minute, second=0, microsecond=0)

    def opens_at(self, now: datetime) -> datetime:
        return now + timedelta(minutes=self.opens_in_minutes)

    def search_texts(self) -> Iterator[str]:
        """Folded, the weightiest first."""
        yield fold(self.title)
        yield fold(" ".join(performer.name for performer in self.performers))
        yield fold(f"{self.venue.name} {self.venue.city}")
        yield fold(f"{self.genre} {self.description}")


async def seed(db: Db, now: datetime) -> list[str]:
    """Ids of the events that were not there yet. `now` is aware; safe to repeat."""
    sql = load_queries("app.catalogue")
    loaded = []
    for demo in _demo_events():
        if await db.fetchval(sql["event_known"], demo.event_id):
            continue  # before its plan is drawn, which takes a while for a stadium
        async with db.transaction() as connection:
            if await _load(connection, sql, demo, now):
                loaded.append(demo.event_id)
    return loaded


def _demo_events() -> list[_DemoEvent]:
    text = files("config").joinpath("demo.json").read_bytes()
    return TypeAdapter(list[_DemoEvent]).validate_json(text)


async def _load(
    connection: Connection, sql: dict[str, str], demo: _DemoEvent, now: datetime
) -> bool:
    """False when another node loaded it meanwhile: its rows are never touched again."""
    plan = PLANS[demo.plan]()
    venue = demo.venue
    await connection.execute(
        sql["venue_add"], venue.venue_id, venue.name, venue.city, venue.country, venue.time_zone
    )
    await _add_plan(connection, sql, plan, venue.venue_id)
    if not await _add_event(connection, sql, demo, plan.plan_id, now):
        return False
    await _add_prices(connection, sql, demo)
    await _add_tickets(connection, demo.event_id, plan)
    await connection.execute(
        sql["room_add"],
        demo.event_id,
        demo.room.mode,
        demo.room.per_minute,
        demo.room.max_active,
        ACCEPT_MS,
        SHOP_MS,
        GRACE_MS,
        demo.opens_at(now),
    )
    return True


async def _add_plan(connection: Connection, sql: dict[str, str], plan: Plan, venue_id: str) -> None:
    document = plan.document()
    await connection.execute(
        sql["plan_add"],
        plan.plan_id,
        venue_id,
        plan.seats,
        hashlib.sha256(document).hexdigest(),
        gzip.compress(document, mtime=0),
    )


async def _add_event(
    connection: Connection, sql: dict[str, str], demo: _DemoEvent, plan_id: str, now: datetime
) -> bool:
    added = await connection.fetchval(
        sql["event_add"],
        demo.event_id,
        demo.title,
        demo.description,
        demo.venue.venue_id,
        plan_id,
        demo.genre,
        demo.starts_at(now),
        demo.currency,
        demo.max_tickets,
        HOLD_MS,
        *demo.search_texts(),
    )
    if added is None:
        return False
    for billing, performer in enumerate(demo.performers):
        await connection.execute(sql["performer_add"], performer.performer_id, performer.name)
        await connection.execute(
            sql["event_performer_add"], demo.event_id, performer.performer_id, billing
        )
    return True


async def _add_prices(connection: Connection, sql: dict[str, str], demo: _DemoEvent) -> None:
    prices = zip(demo.price_names, demo.prices_minor, strict=True)
    await connection.executemany(
        sql["price_category_add"],
        [(demo.event_id, number, name, minor) for number, (name, minor) in enumerate(prices)],
    )


async def _add_tickets(connection: Connection, event_id: str, plan: Plan) -> None:
    records = [
        (event_id, seat_index, category) for seat_index, category in enumerate(plan.categories())
    ]
    await connection.copy_records_to_table(
        "ticket",
        records=records,
        columns=("event_id", "seat_index", "category"),
        timeout=COPY_TIMEOUT_S,
    )
