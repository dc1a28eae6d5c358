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
from core.errors import NotFound, StoreUnavailable
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
                await (asyncio.sleep(RETRY_S) if stuck else self._news())
            except StoreUnavailable as exc:
                log.warning("relay waits", extra={"why": str(exc)})
                await asyncio.sleep(RETRY_S)
            except Exception:
                log.exception("relay failed")
                await asyncio.sleep(RETRY_S)

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
                if await self._carried(row):
                    done.append(row["outbox_id"])
                else:
                    stuck.add(row["event_id"])
            await tx.execute(self._sql["outbox_done"], done)
        return len(rows)

    async def _carried(self, row: Any) -> bool:
        """False: not now. Whatever is wrong with one event must not hold up the others."""
        event_id = row["event_id"]
        fates = [Fate(*pair) for pair in zip(row["seats"], row["revs"], strict=True)]
        try:
            await self._seat_map.apply(
                event_id, hold_id=row["hold_id"], state=row["state"], fates=fates
            )
        except NotFound:
            log.warning("outbox row of an event that is gone", extra={"event_id": event_id})
        except StoreUnavailable as exc:
            log.warning("relay waits", extra={"event_id": event_id, "why": str(exc)})
            return False
        except Exception:
            log.exception("relay failed", extra={"event_id": event_id})
            return False
        return True

    async def _news(self) -> None:
        """Until this node has news, or one question finds what another has left."""
        while not await self._is_kicked():
            if await self._db.fetchval(self._sql["outbox_any"]):
                return

    async def _is_kicked(self) -> bool:
        """Within LOOK_EVERY_S."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._kicked.wait()
        kicked = self._kicked.is_set()
        self._kicked.clear()
        return kicked
