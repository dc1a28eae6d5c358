"""The sale's log in PostgreSQL: ticks as nodes read them in Redis' log, and calls."""

from __future__ import annotations

from collections.abc import Sequence

from core.db import Db, load_queries
from core.errors import NotFound
from waiting_room.history.model import Sale, Tick, Turn


class History:
    def __init__(self, db: Db) -> None:
        self._db = db
        self._sql = load_queries("waiting_room.history")

    async def note(self, event_id: str, generation: int, ticks: Sequence[tuple[int, str]]) -> None:
        """Keep (version, note) of ticks. Safe to repeat, by any node."""
        versions, notes = [version for version, _ in ticks], [note for _, note in ticks]
        await self._db.execute(self._sql["ticks_note"], event_id, generation, versions, notes)

    async def sale(self, event_id: str) -> Sale:
        """Raises NotFound."""
        async with self._db.transaction(isolation="repeatable_read") as connection:
            windows = await connection.fetchrow(self._sql["windows"], event_id)
            if windows is None:
                raise NotFound(event_id)
            ticks = await connection.fetch(self._sql["ticks_all"], event_id)
            calls = await connection.fetch(self._sql["calls_all"], event_id)
        return Sale(
            event_id=event_id,
            accept_ms=windows["accept_ms"],
            shop_ms=windows["shop_ms"],
            ticks=tuple(Tick.parse(row["generation"], row["note"]) for row in ticks),
            turns=tuple(Turn(**dict(row)) for row in calls),
        )
