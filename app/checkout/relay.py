"""The relay carries what PostgreSQL decided to the seat map, in the order of the outbox.

It runs on every node; SKIP LOCKED gives each row to one. A row goes only after Redis took it, so
a crash in between means a repeat, which changes nothing: the script takes only a higher rev.
"""

from __future__ import annotations

import asyncio
import logging

from core.db import Db, load_queries
from core.errors import StoreUnavailable
from seatmap.model import Fate
from seatmap.service import SeatMap

log = logging.getLogger(__name__)

BATCH = 100
LOOK_EVERY_S = 0.5  # a kick after a commit comes first; this is for other nodes' rows
RETRY_S = 1.0


class Relay:
    def __init__(self, db: Db, seat_map: SeatMap) -> None:
        self._db, self._seat_map = db, seat_map
        self._sql = load_queries("app.checkout")
        self._kicked = asyncio.Event()

    def kick(self) -> None:
        """There is news in the outbox. Cheap, and safe to call at any time."""
        self._kicked.set()

    async def run(self) -> None:
        while True:
            try:
                while await self.once() == BATCH:
                    continue
            except StoreUnavailable as exc:
                log.warning("relay waits", extra={"why": str(exc)})
                await asyncio.sleep(RETRY_S)
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._kicked.wait()
            except TimeoutError:
                continue
            finally:
                self._kicked.clear()

    async def once(self) -> int:
        """How many rows were carried."""
        async with self._db.transaction() as tx:
            rows = await tx.fetch(self._sql["outbox_take"], BATCH)
            for row in rows:
                fates = [Fate(*pair) for pair in zip(row["seats"], row["revs"], strict=True)]
                await self._seat_map.apply(
                    row["event_id"],
                    hold_id=row["hold_id"],
                    state=row["state"],
                    fates=fates,
                )
            await tx.execute(self._sql["outbox_done"], [row["outbox_id"] for row in rows])
        return len(rows)
