"""The sale's log in PostgreSQL: ticks as nodes read them in Redis' log, and calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from core.db import Connection, Db, load_queries
from core.errors import NotFound
from waiting_room.history.model import Note, Recording, Tick, Turn
from waiting_room.ranks.index import RankIndex

ROWS_AT_ONCE = 500
SORTED_WITHIN_S = 120.0  # a million turns by time
READ_AT_ONCE = 2  # each keeps a connection of the pool for as long as it is read


class History:
    def __init__(self, db: Db) -> None:
        self._db = db
        self._sql = load_queries("waiting_room.history")
        self._readers = asyncio.Semaphore(READ_AT_ONCE)

    async def note(self, event_id: str, generation: int, notes: Sequence[Note]) -> None:
        """Keep the notes of ticks. Safe to repeat, by any node."""
        columns = zip(*((note.version, note.text, note.presence) for note in notes), strict=True)
        await self._db.execute(self._sql["ticks_note"], event_id, generation, *map(list, columns))

    @asynccontextmanager
    async def recording(self, event_id: str) -> AsyncIterator[Recording]:
        """The sale as it is now, read by cursors: little of it is in memory. Raises NotFound."""
        async with (
            self._readers,
            self._db.transaction(isolation="repeatable_read") as connection,
        ):
            await connection.execute(self._sql["reader_must_go_on"])
            windows = await connection.fetchrow(self._sql["windows"], event_id)
            if windows is None:
                raise NotFound(event_id)
            rows = _Rows(connection, self._sql, event_id)
            yield Recording(
                event_id=event_id,
                accept_ms=windows["accept_ms"],
                shop_ms=windows["shop_ms"],
                called=await _places(rows.of("places_that_had_a_turn")),
                ticks=_ticks(rows.of("ticks_all")),
                turns=_turns(rows.of("turns_all")),
                accepts=_tuples(rows.of("accepts_all")),
                ends=_tuples(rows.of("ends_all")),
            )


class _Rows:
    def __init__(self, connection: Connection, sql: dict[str, str], event_id: str) -> None:
        self._connection, self._sql, self._event_id = connection, sql, event_id

    def of(self, query: str) -> AsyncIterator[Any]:
        rows: AsyncIterator[Any] = aiter(
            self._connection.cursor(
                self._sql[query], self._event_id, prefetch=ROWS_AT_ONCE, timeout=SORTED_WITHIN_S
            )
        )
        return rows


async def _places(rows: AsyncIterator[Any]) -> RankIndex:
    """A bit a place."""
    places, some = RankIndex(), []
    async for row in rows:
        some.append(row["place"])
        if len(some) == ROWS_AT_ONCE:
            places.set(some, True)
            some.clear()
    places.set(some, True)
    return places


async def _ticks(rows: AsyncIterator[Any]) -> AsyncIterator[Tick]:
    async for row in rows:
        yield Tick.parse(row["generation"], row["note"], row["presence"])


async def _turns(rows: AsyncIterator[Any]) -> AsyncIterator[tuple[int, Turn]]:
    async for row in rows:
        turn = Turn(place=row["place"], kind=row["kind"], called_at_ms=row["called_at_ms"])
        yield row["turn"], turn


async def _tuples(rows: AsyncIterator[Any]) -> AsyncIterator[tuple[Any, ...]]:
    async for row in rows:
        yield tuple(row)
