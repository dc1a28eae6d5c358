"""The numbers of the pass keys, followed in PostgreSQL by every node.

A node reads them every ROUND_S and hands them to `Passes`. Whoever finds the newest too old adds
the next: compare and set, so that two nodes that rotate at once rotate once. While PostgreSQL is
away a node goes on with what it knows, which is right for PUBLISH_AHEAD_MS at least, and accepts
the one key that may have come since (`Passes`).
"""

from __future__ import annotations

import logging
import time

from core.db import Db, load_queries
from core.tasks import Repeated
from waiting_room.passes.policy import PUBLISH_AHEAD_MS, PassKey, rotation_due
from waiting_room.passes.signed import Passes

log = logging.getLogger(__name__)

ROUND_S = 2.0


class PassKeyStore:
    def __init__(self, db: Db) -> None:
        self._db = db
        self._sql = load_queries("waiting_room.passes")

    async def all(self) -> tuple[PassKey, ...]:
        rows = await self._db.fetch(self._sql["pass_keys"])
        return tuple(PassKey(row["number"], row["signs_from_ms"]) for row in rows)

    async def rotate(self, newest: int, *, ahead_ms: int = PUBLISH_AHEAD_MS) -> int | None:
        """Publishes the next key; None when `newest` is newest no more, or does not sign yet."""
        number = await self._db.fetchval(self._sql["pass_key_add"], newest, ahead_ms)
        return None if number is None else int(number)


class KeyRing(Repeated):
    """Start it before passes are issued. `days`: rotate by age, 0 for never."""

    def __init__(self, db: Db, passes: Passes, *, days: int) -> None:
        super().__init__(self._follow, every_s=ROUND_S)
        self._store, self._passes, self._days = PassKeyStore(db), passes, days

    async def start(self) -> None:
        """Raises StoreUnavailable: there is no node without a key."""
        await self._follow()
        await super().start()

    async def _follow(self) -> None:
        keys = await self._store.all()
        if rotation_due(keys, time.time_ns() // 1_000_000, days=self._days):
            newest = keys[-1].number
            if await self._store.rotate(newest) is not None:
                log.info("pass key published", extra={"number": newest + 1})
                keys = await self._store.all()
        self._passes.use_keys(keys)
