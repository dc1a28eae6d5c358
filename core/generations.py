"""Generations of one event's Redis state: how loss is noticed and repaired.

Redis may lose acknowledged writes while its data looks whole. Each part of an event's state
('wr' the waiting room, 'sm' the seat map) therefore carries an *epoch*, and PostgreSQL keeps
the generation that it belongs to, with the run id and replication id of the server it was
written on. A node that meets another epoch, a log shorter than it has seen, or another server
asks here: if Redis carries the generation that PostgreSQL names, on the same server, the node
adopts it. Otherwise one node repairs in place: it raises the generation (compare and set, under
an advisory lock), removes the epoch key, lays the truth, and writes the new epoch last. Until
then every script answers STALE and every caller gets a 503: nobody works on half a truth.

A repair costs a sale half a minute without calls, so each must be needed. Doubt holds for one
epoch: who was overtaken by another node's repair adopts that, and repairs nothing. Whoever asks
first does not carry the repair alone: it goes on when that request is broken off. And generation
1 is the one that nobody has used before: a first build that came to nothing is begun anew as 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

import asyncpg
from redis import exceptions as redis_errors
from redis.asyncio import Redis

from core.db import Connection, Db, load_queries
from core.errors import NotFound, Stale, StoreUnavailable
from core.redis import identity
from core.tasks import end

log = logging.getLogger(__name__)

WATCH_INTERVAL_S = 1.0
STOP_WITHIN_S = 5.0  # a repair that takes longer is broken off, and done again by the next node
FIRST = 1  # the generation that builds the state
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
        self._doubted: dict[str, str] = {}  # epochs that are right, though their log is not
        self._settling: dict[str, asyncio.Task[Epoch]] = {}
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
        task = self._settling.get(event_id)
        if task is None:
            task = self._settling[event_id] = asyncio.create_task(self._adopt_or_repair(event_id))
            task.add_done_callback(partial(self._settled, event_id))
        return await asyncio.shield(task)

    def forget(self, event_id: str, epoch: str = "", *, behind: bool = False) -> bool:
        """Read the generation anew at the next call.

        Args:
            epoch: The one that is doubted; False, and nothing is forgotten, when it is not the
                one of now. '' for whichever that is.
            behind: The epoch was right but the log was shorter than this node has seen, so that
                adopting it again would not help: the state must be repaired.
        """
        known = self._known.get(event_id)
        if known is None or epoch not in {"", known.text}:
            return False
        del self._known[event_id]
        if behind:
            self._doubted[event_id] = known.text
        return True

    async def stop(self) -> None:
        """What is being repaired here is finished first, or the next node does it again."""
        tasks = list(self._settling.values())
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_WITHIN_S)
        await end(*tasks)

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

    def _settled(self, event_id: str, task: asyncio.Task[Epoch]) -> None:
        del self._settling[event_id]
        if not task.cancelled() and task.exception() is None:
            self._known[event_id] = task.result()
            self._doubted.pop(event_id, None)

    async def _adopt_or_repair(self, event_id: str) -> Epoch:
        server = await identity(self._redis)
        row, why_not = await self._look(event_id, server)
        if row and not why_not:
            return Epoch.parse(row["epoch"])
        async with self._db.connection() as connection:
            if not await connection.fetchval(self._sql["repair_lock"], self._lock_name(event_id)):
                raise Stale(f"{self._part} {event_id}: another node is repairing")
            try:
                row, why_not = await self._look(event_id, server)
                if row and not why_not:
                    return Epoch.parse(row["epoch"])
                epoch = await self._raise(connection, event_id, row)
                first = epoch.generation == FIRST
                level = logging.INFO if first else logging.WARNING
                facts = {"part": self._part, "event_id": event_id, "epoch": epoch.text}
                log.log(level, "building" if first else "repairing", extra=facts | {"why": why_not})
                await self._repair_as_leader(connection, event_id, server, epoch)
                log.info("built" if first else "repaired", extra=facts)
                return epoch
            finally:
                await connection.execute(self._sql["repair_unlock"], self._lock_name(event_id))

    async def _look(
        self, event_id: str, server: tuple[str, str]
    ) -> tuple[asyncpg.Record | None, str]:
        """The row, and why Redis' state can't be adopted as what it says; '' when it can."""
        row = await self._db.fetchrow(self._sql["generation_get"], event_id, self._part)
        carried = await self._carried(event_id)
        return row, _why_not(row, carried, server, self._doubted.get(event_id))

    async def _carried(self, event_id: str) -> str:
        try:
            carried = await self._redis.get(self._epoch_key(event_id))
        except REDIS_OUTAGES as exc:
            raise StoreUnavailable("GET epoch") from exc
        return carried.decode() if isinstance(carried, bytes) else ""

    async def _raise(
        self, connection: Connection, event_id: str, row: asyncpg.Record | None
    ) -> Epoch:
        epoch = Epoch(_number_after(row), secrets.token_hex(4))
        before = row["epoch"] if row else ""
        change = (event_id, self._part, before, epoch.generation, epoch.text)
        try:
            raised = await connection.fetchval(self._sql["generation_raise"], *change)
        except asyncpg.ForeignKeyViolationError as exc:
            raise NotFound(event_id) from exc
        if raised is None:
            raise Stale(f"{self._part} {event_id}: another node raised the generation")
        return epoch

    async def _repair_as_leader(
        self, connection: Connection, event_id: str, server: tuple[str, str], epoch: Epoch
    ) -> None:
        try:
            await self._redis.delete(self._epoch_key(event_id))
            await self._repair(event_id, epoch)
            await self._redis.set(self._epoch_key(event_id), epoch.text)
        except REDIS_OUTAGES as exc:
            raise StoreUnavailable("repair") from exc
        change = (event_id, self._part, epoch.text, *server)
        if await connection.fetchval(self._sql["generation_repaired"], *change) is None:
            raise Stale(f"{self._part} {event_id}: another node repaired meanwhile")

    def _lock_name(self, event_id: str) -> str:
        return f"onsale repair {self._part} {event_id}"


def _why_not(
    row: Mapping[str, str] | None, carried: str, server: tuple[str, str], doubted: str | None
) -> str:
    """For the log of a repair: whoever reads it next morning wants to know what was lost."""
    if row is None:
        return "there was none"
    if not row["run_id"]:
        return "the last one was not finished"
    if row["epoch"] == doubted:
        return "the log is shorter than this node has seen"
    if carried != row["epoch"]:
        return f"Redis carries {carried}" if carried else "Redis has lost the epoch"
    if server != (row["run_id"], row["repl_id"]):
        return "Redis was restarted, or is another server"
    return ""


def _number_after(row: Mapping[str, str] | None) -> int:
    """A first build that came to nothing counts as none: nobody has used it."""
    if row is None:
        return FIRST
    number = Epoch.parse(row["epoch"]).generation
    return FIRST if number == FIRST and not row["run_id"] else number + 1
