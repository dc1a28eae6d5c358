"""Rooms and calls in PostgreSQL: what must outlive Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from core.db import Connection, Db, load_queries
from core.errors import NotFound, Stale
from core.generations import Epoch
from waiting_room.errors import Changed
from waiting_room.model import Admission, Call, Habits, RoomSettings

PLACE_BLOCK = 10_000  # places given out for each rise of the ceiling
CALLS_PAGE = 5_000
OVER_AT_ONCE = 2_000  # fans of one step of a repair
MAX_ACTIVE_READ = 50_000  # admissions whose ends a preview looks at
MAX_STAYS_READ = 2_000
HABITS_BACK_S = 1_800.0
SET_BY_OPERATORS = (
    *("mode", "per_minute", "max_active", "accept_ms", "shop_ms", "grace_ms"),
    *("paused", "pause_reason", "opens_at_ms", "message", "intake", "stopped"),
    *("draw", "lobby_opens_at_ms"),
)

# Writes what else must be there exactly when a change is: (connection, before, after).
Record = Callable[[Connection, RoomSettings, RoomSettings], Awaitable[None]]
Note = Callable[[Connection], Awaitable[None]]


class Rooms:
    def __init__(self, db: Db) -> None:
        self._db = db
        self._sql = load_queries("waiting_room")

    async def get(self, event_id: str) -> tuple[RoomSettings, int]:
        """(settings, ceiling of place numbers). Raises NotFound."""
        return _room(event_id, await self._db.fetchrow(self._sql["room_get"], event_id))

    async def all(self) -> list[str]:
        return [row["event_id"] for row in await self._db.fetch(self._sql["rooms_all"])]

    async def draining(self) -> list[str]:
        return [row["event_id"] for row in await self._db.fetch(self._sql["rooms_draining"])]

    async def changed_lately(self, within_s: float) -> dict[str, int]:
        """Event ids with their versions."""
        rows = await self._db.fetch(self._sql["rooms_changed"], within_s)
        return {row["event_id"]: row["version"] for row in rows}

    async def change(
        self,
        event_id: str,
        expected_version: int,
        changes: dict[str, Any],
        record: Record | None = None,
    ) -> RoomSettings:
        """Compare and set, in one transaction with what `record` writes.

        Raises NotFound, or Changed with the values of now; whatever `record` raises undoes both.
        """
        assert changes.keys() <= set(SET_BY_OPERATORS)
        async with self._db.transaction() as connection:
            await connection.fetchrow(self._sql["room_lock"], event_id)
            row = await connection.fetchrow(self._sql["room_get"], event_id)
            before, _ = _room(event_id, row)
            if before.version != expected_version:
                shown = (*SET_BY_OPERATORS, "version")
                raise Changed({name: getattr(before, name) for name in shown})
            after = replace(before, **changes, version=before.version + 1)
            values = [getattr(after, name) for name in SET_BY_OPERATORS]
            await connection.execute(self._sql["room_change"], event_id, *values)
            if record is not None:
                await record(connection, before, after)
        return after

    async def stand_still(self, event_id: str, until_ms: int) -> None:
        await self._db.execute(self._sql["room_resume_at"], event_id, until_ms)

    async def raise_ceiling(self, event_id: str, too_low: int) -> int:
        """Two nodes that raise at once raise it once. The new ceiling."""
        return int(
            await self._db.fetchval(self._sql["ceiling_raise"], event_id, too_low, PLACE_BLOCK)
        )

    async def insert_calls(self, event_id: str, epoch: Epoch, calls: Sequence[Call]) -> None:
        """Before they are announced, of the epoch they were made in. Safe to repeat.

        Raises Stale, and inserts nothing, when a repair has begun since: it has read the rows, or
        will, and nobody was told of these calls.
        """
        insert = self._sql["calls_insert"]
        if not await self._db.fetchval(insert, event_id, epoch.generation, *_columns(calls)):
            raise Stale(f"calls of generation {epoch.generation}", epoch=epoch.text)

    async def keep_admissions(self, event_id: str, live: Sequence[tuple[Call, int]]) -> None:
        """Live admissions, each with its end in ms. Safe to repeat."""
        calls = [call for call, _ in live]
        columns, ends = _columns(calls), [ends_ms for _, ends_ms in live]
        await self._db.execute(self._sql["admissions_keep"], event_id, *columns, ends)

    async def write(self, note: Note) -> None:
        """What `note` writes, and nothing else."""
        async with self._db.transaction() as connection:
            await note(connection)

    async def revoke(
        self, event_id: str, subject: str, *, place: int, entry_id: str, reason: str, note: Note
    ) -> None:
        """What the fan had is over, before Redis is told: a repair would not bring it back."""
        async with self._db.transaction() as connection:
            add = self._sql["revocation_add"]
            await connection.execute(add, event_id, subject, place, reason, entry_id)
            await connection.execute(self._sql["calls_revoke"], event_id, subject)
            await note(connection)

    async def subject_called(self, event_id: str, place: int) -> str | None:
        """Whose turn came or comes at a place."""
        row = await self._db.fetchrow(self._sql["call_at_place"], event_id, place)
        return row["subject"] if row else None

    async def accepted(self, event_id: str, call_id: str, ends_ms: int) -> None:
        await self._db.execute(self._sql["call_accepted"], event_id, call_id, ends_ms)

    async def ended(self, event_id: str, call_id: str, reason: str) -> None:
        await self._db.execute(self._sql["call_ended"], event_id, call_id, reason)

    async def over(self, event_id: str, call: Call, reason: str) -> None:
        """It was given up or taken back, whether or not `insert_calls` has come so far."""
        await self._db.execute(self._sql["call_over"], event_id, *_columns([call]), reason)

    async def end_moved(self, event_id: str, subject: str, ends_ms: int) -> None:
        await self._db.execute(self._sql["call_end_moved"], event_id, subject, ends_ms)

    async def lapsed(self, event_id: str, call_ids: Sequence[str]) -> None:
        await self._db.execute(self._sql["calls_lapsed"], event_id, list(call_ids))

    async def places_over(self, event_id: str, places: Sequence[int]) -> set[int]:
        """Those of `places` that had their turn already, were taken back or given up."""
        rows = await self._db.fetch(self._sql["places_over"], event_id, list(places))
        return {row["place"] for row in rows}

    async def given_up(self, event_id: str, place: int) -> None:
        await self._db.execute(self._sql["place_given_up"], event_id, place)

    async def all_over(self, event_id: str) -> AsyncIterator[list[int]]:
        """All such places, some at a time."""
        async with self._db.transaction() as connection:
            rows = await connection.cursor(self._sql["places_over_all"], event_id)
            while some := await rows.fetch(OVER_AT_ONCE):
                yield [row["place"] for row in some]

    async def open_calls(self, event_id: str) -> list[tuple[str, Admission, int]]:
        """(subject, admission, its end in ms or 0 before it was accepted)."""
        rows = await self._db.fetch(self._sql["calls_open"], event_id)
        return [
            (
                row["subject"],
                Admission(row["call_id"], row["place"], row["called_at_ms"], row["kind"]),
                row["ends_at_ms"],
            )
            for row in rows
        ]

    async def calls_lately(
        self, event_id: str, within_s: float, limit: int
    ) -> list[tuple[int, int]]:
        """(place, called at in ms) of calls from the queue, the newest first."""
        rows = await self._db.fetch(self._sql["calls_lately"], event_id, within_s, limit)
        return [(row["place"], row["called_at_ms"]) for row in rows]

    async def habits(self, event_id: str) -> Habits:
        """How the event's shoppers behave, for a preview."""
        async with self._db.connection() as connection:
            ends = await connection.fetch(self._sql["active_ends"], event_id, MAX_ACTIVE_READ)
            stays = await connection.fetch(
                self._sql["shopping_lately"], event_id, HABITS_BACK_S, MAX_STAYS_READ
            )
            shows = await connection.fetchrow(self._sql["no_shows_lately"], event_id, HABITS_BACK_S)
        return Habits(
            active_ends_ms=tuple(row["left_ms"] for row in ends),
            shopping_ms=tuple(row["stay_ms"] for row in stays),
            no_show_share=shows["lapsed"] / shows["settled"] if shows["settled"] else 0.0,
        )

    async def calls(self, event_id: str, after: int) -> list[dict[str, Any]]:
        rows = await self._db.fetch(self._sql["calls_after"], event_id, after, CALLS_PAGE)
        return [dict(row) for row in rows]


def _columns(calls: Sequence[Call]) -> tuple[list[Any], ...]:
    """Subjects, call ids, places, kinds, moments of the calls in ms."""
    held = [call.admission for call in calls]
    return (
        [call.subject for call in calls],
        [a.call_id for a in held],
        [a.place for a in held],
        [a.kind for a in held],
        [a.called_at_ms for a in held],
    )


def _room(event_id: str, row: Any) -> tuple[RoomSettings, int]:
    if row is None:
        raise NotFound(event_id)
    values: dict[str, Any] = dict(row)
    ceiling: int = values.pop("place_ceiling")
    return RoomSettings(**values), ceiling
