"""The relay carries what PostgreSQL decided to the seat map, in the order of the outbox.

It runs on every node; SKIP LOCKED gives each row to one. A row goes only after Redis took it, so
a crash in between means a repeat, which changes nothing: the script takes only a higher rev.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

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
                stuck = await self.once()
            except StoreUnavailable as exc:
                log.warning("relay waits", extra={"why": str(exc)})
                await asyncio.sleep(RETRY_S)
            except Exception:
                log.exception("relay failed")
                await asyncio.sleep(RETRY_S)
            else:
                await (asyncio.sleep(RETRY_S) if stuck else self._news())

    async def once(self) -> set[str]:
        """Carry all there is. Events whose seat map does not take it just now keep theirs.

        Returns those events. Raises StoreUnavailable when PostgreSQL is away.
        """
        stuck: set[str] = set()
        while await self._batch(stuck) == BATCH:
            continue
        return stuck

    async def _batch(self, stuck: set[str]) -> int:
        """How many rows were looked at. Adds to `stuck`."""
        done = []
        async with self._db.transaction() as tx:
            rows = await tx.fetch(self._sql["outbox_take"], BATCH, list(stuck))
            for row in rows:
                if row["event_id"] in stuck:
                    continue
                try:
                    await self._carry(row)
                    done.append(row["outbox_id"])
                except StoreUnavailable as exc:
                    stuck.add(row["event_id"])
                    log.warning("relay waits", extra={"event": row["event_id"], "why": str(exc)})
            await tx.execute(self._sql["outbox_done"], done)
        return len(rows)

    async def _carry(self, row: Any) -> None:
        fates = [Fate(*pair) for pair in zip(row["seats"], row["revs"], strict=True)]
        await self._seat_map.apply(
            row["event_id"], hold_id=row["hold_id"], state=row["state"], fates=fates
        )

    async def _news(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._kicked.wait()
        self._kicked.clear()
