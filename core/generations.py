"""Generations of one event's Redis state: how loss is noticed and repaired.

Redis may lose acknowledged writes while its data looks whole. Each part of an event's state
('wr' the waiting room, 'sm' the seat map) therefore carries an *epoch*, and PostgreSQL keeps
the generation that it belongs to, with the run id and replication id of the server it was
written on. A node that meets another epoch, a log shorter than it has seen, or another server
asks here: if Redis carries the generation that PostgreSQL names, on the same server, the node
adopts it. Otherwise one node repairs in place: it raises the generation (compare and set, under
an advisory lock), removes the epoch key, lays the truth, and writes the new epoch last. Until
then every script answers STALE and every caller gets a 503: nobody works on half a truth.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg
from redis import exceptions as redis_errors
from redis.asyncio import Redis

from core.db import Connection, Db, load_queries
from core.errors import NotFound, Stale, StoreUnavailable
from core.redis import identity

log = logging.getLogger(__name__)

WATCH_INTERVAL_S = 1.0
REDIS_OUTAGES = (redis_errors.ConnectionError, redis_errors.TimeoutError)


@dataclass(frozen=True, slots=True)
class Epoch:
    """A generation of one event's state. Epochs of two generations do not compare."""

    generation: int
    tag: str  # random: two repairs of one generation can never be mistaken for each other

    @property
    def text(self) -> str:
        return f"{self.generation}-{self.tag}"

    @classmethod
    def parse(cls, text: str) -> Epoch:
        generation, _, tag = text.partition("-")
        return cls(int(generation), tag)


class Generations:
    """The epochs of one part. Cheap when cached; `forget` after a Stale, then ask again."""

    def __init__(
        self,
        redis: Redis,
        db: Db,
        part: str,
        epoch_key: Callable[[str], str],
        repair: Callable[[str, Epoch], Awaitable[None]],
    ) -> None:
        self._redis, self._db, self._part = redis, db, part
        self._epoch_key, self._repair = epoch_key, repair
        self._sql = load_queries("core")
        self._known: dict[str, Epoch] = {}
        self._distrusted: set[str] = set()
        self._busy: dict[str, asyncio.Lock] = {}
        self._server: tuple[str, str] | None = None

    async def epoch(self, event_id: str) -> Epoch:
        """The epoch to pass to scripts, adopted or made by a repair.

        Raises:
            Stale: Another node is repairing; try again in a second.
            StoreUnavailable: Redis or PostgreSQL is away.
            NotFound: There is no such event.
        """
        known = self._known.get(event_id)
        if known is not None:
            return known
        async with self._busy.setdefault(event_id, asyncio.Lock()):
            if event_id not in self._known:
                self._known[event_id] = await self._adopt_or_repair(event_id)
            return self._known[event_id]

    def known(self, event_id: str) -> int:
        """The generation of the epoch that was adopted last; 0 when none is."""
        known = self._known.get(event_id)
        return known.generation if known else 0

    def forget(self, event_id: str, *, behind: bool = False) -> None:
        """Read the generation anew at the next call.

        `behind`: the epoch was right but the log was shorter than this node has seen, so that
        adopting it again would not help: the state must be repaired.
        """
        self._known.pop(event_id, None)
        if behind:
            self._distrusted.add(event_id)

    async def watch(self) -> None:
        """Run for ever: forget all epochs when the server's identity changes."""
        while True:
            # While it is away nothing changes: whoever comes back is compared then.
            with contextlib.suppress(StoreUnavailable):
                server = await identity(self._redis)
                if self._server not in {None, server}:
                    log.warning("Redis changed its identity", extra={"part": self._part})
                    self._known.clear()
                self._server = server
            await asyncio.sleep(WATCH_INTERVAL_S)

    async def _adopt_or_repair(self, event_id: str) -> Epoch:
        server = await identity(self._redis)
        adopted = await self._adopt(event_id, server)
        if adopted is not None:
            return adopted
        async with self._db.connection() as connection:
            if not await connection.fetchval(self._sql["repair_lock"], self._lock_name(event_id)):
                raise Stale(f"{self._part} {event_id}: another node is repairing")
            try:
                adopted = await self._adopt(event_id, server)
                return adopted or await self._repair_as_leader(connection, event_id, server)
            finally:
                await connection.execute(self._sql["repair_unlock"], self._lock_name(event_id))

    async def _adopt(self, event_id: str, server: tuple[str, str]) -> Epoch | None:
        row = await self._db.fetchrow(self._sql["generation_get"], event_id, self._part)
        carried = await self._carried(event_id)
        if row is None or event_id in self._distrusted:
            return None
        same = carried == row["epoch"] and server == (row["run_id"], row["repl_id"])
        return Epoch.parse(row["epoch"]) if same else None

    async def _carried(self, event_id: str) -> str:
        try:
            carried = await self._redis.get(self._epoch_key(event_id))
        except REDIS_OUTAGES as exc:
            raise StoreUnavailable("GET epoch") from exc
        return carried.decode() if isinstance(carried, bytes) else ""

    async def _repair_as_leader(
        self, connection: Connection, event_id: str, server: tuple[str, str]
    ) -> Epoch:
        number = await connection.fetchval(self._sql["generation_number"], event_id, self._part)
        epoch = Epoch((number or 0) + 1, secrets.token_hex(4))
        raise_it = self._sql["generation_raise"]
        try:
            raised = await connection.fetchval(
                raise_it, event_id, self._part, number or 0, epoch.text
            )
        except asyncpg.ForeignKeyViolationError as exc:
            raise NotFound(event_id) from exc
        if raised is None:
            raise Stale(f"{self._part} {event_id}: another node raised the generation")
        try:
            await self._redis.delete(self._epoch_key(event_id))
            await self._repair(event_id, epoch)
            await self._redis.set(self._epoch_key(event_id), epoch.text)
        except REDIS_OUTAGES as exc:
            raise StoreUnavailable("repair") from exc
        await connection.execute(
            self._sql["generation_repaired"], event_id, self._part, epoch.text, *server
        )
        self._distrusted.discard(event_id)
        log.info(
            "repaired",
            extra={"part": self._part, "event_id": event_id, "epoch": epoch.text},
        )
        return epoch

    def _lock_name(self, event_id: str) -> str:
        return f"onsale repair {self._part} {event_id}"
