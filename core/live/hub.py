"""The hub: pushes bytes to many sockets from one loop, at the cost of one send a client and tick.

    publish (a frame, once)  ─► channel ─► tick ─► write the same bytes to every live member
    send (a frame, for one)  ─► connection ─┘      late members get one merged frame or a snapshot

A tick joins all that was published since the last one, so that each client gets at most one write
in it; what is for one client alone comes before what is for all, which is the newer where both
say the same thing. The first change after a quiet spell goes out at once; then the tick is TICK_S
and stretches so that writing takes at most half of the time. Nothing is awaited per client: a
socket that is full says so (`is_full`), is passed over, and is brought up to date when it has room
again.

Rejected: a task and a queue a client, as usual in ASGI. They cost twenty times the memory and most
of the processor's time (docs/performance.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from core.live.channel import Channel
from core.live.connection import Connection
from core.live.metrics import LiveMetrics
from core.live.websocket import COME_BACK
from core.refusals import Refusals
from core.tasks import Repeated, end

log = logging.getLogger(__name__)

TICK_S = 0.05
MAX_TICK_S = 1.0
SLICE = 512  # writes between two looks at what else the process has to do
BEAT_EVERY_S = 25  # each client hears something as often; proxies give up after 60
MAX_FULL_S = 20.0  # a client that takes nothing for so long is hopeless
HOUSEKEEP_EVERY_S = 1.0
LINGER_S = 5.0  # how long a goodbye may take
DRAIN_STEP_S = 0.05
DRAIN_SHARE = 0.75  # of the drain, for goodbyes; the rest is for who is slow to take them

Item = TypeVar("Item")
# What late members at one position are owed, and where it came from: made once for all of them.
Made = dict[tuple[int | None, int], tuple[str, bytes]]


class Hub:
    """One a process. `start` it, `adopt` connections, `join` them to channels, `stop` it.

    Everything but `start`, `stop` and `drained` is called on the loop and never waits.
    """

    def __init__(
        self,
        *,
        drain_s: float = 4.0,
        beat_every_s: int = BEAT_EVERY_S,
        refused: Refusals | None = None,
    ) -> None:
        """`drain_s`: how long the end may take; for most of it clients are told to come back."""
        self.metrics = LiveMetrics(self)
        self.refused = refused or Refusals()
        self.draining = False
        self.in_asgi_calls = 0  # connections for which an ASGI call is kept open
        self._drain_s = drain_s
        self._wheel: list[set[Connection]] = [set() for _ in range(beat_every_s)]
        self._next_bucket = 0
        self._changed: dict[Channel, None] = {}
        self._owed: list[Connection] = []
        self._full: dict[Connection, float] = {}  # since when, monotonic s
        self._leaving: dict[Connection, float] = {}  # until when
        self._work = asyncio.Event()
        self._empty = asyncio.Event()
        self._among: set[Any] | None = None
        self._housekeeping = Repeated(self._housekeep, every_s=HOUSEKEEP_EVERY_S)
        self._turn = 0  # of the wheel
        self._tick_task: asyncio.Task[None] | None = None
        self._drain_task: asyncio.Task[None] | None = None
        self.tick_s = TICK_S

    async def start(self) -> None:
        self._tick_task = asyncio.create_task(self._tick())
        await self._housekeeping.start()

    async def stop(self) -> None:
        """Cut off whoever is left. Stopping twice is fine."""
        await self._housekeeping.stop()
        await end(*(task for task in (self._tick_task, self._drain_task) if task is not None))
        self._tick_task = self._drain_task = None
        for connection in self.connections():
            connection.abort()

    # -- connections --------------------------------------------------------------------------

    def connections(self) -> list[Connection]:
        return [connection for bucket in self._wheel for connection in bucket]

    @property
    def count(self) -> int:
        return sum(map(len, self._wheel))

    @property
    def outside_calls(self) -> int:
        """Connections that no ASGI call is kept open for."""
        return self.count - self.in_asgi_calls

    @staticmethod
    def now_s() -> float:
        return time.monotonic()

    def adopt(
        self,
        connection: Connection,
        transport: asyncio.BaseTransport,
        *,
        among: set[Any] | None = None,
    ) -> None:
        """The connection is the hub's from now on. One that comes while it drains is sent away.

        `among`: the server's connections, where the hub stands for all of its own.
        """
        if among is not None:
            self._among = among
            among.add(self)
        self._empty.clear()
        bucket = self._wheel[self._next_bucket]
        self._next_bucket = (self._next_bucket + 1) % len(self._wheel)
        bucket.add(connection)
        connection.bucket = bucket
        connection.connection_made(transport)
        if connection.frame is not None:  # owed since before it was ours
            self.owes(connection)
        if connection.channel is not None:  # likewise
            self._channel_changed(connection.channel)
        self.metrics.opened[connection.kind] += 1
        if self.draining:
            connection.close(COME_BACK)

    def join(self, connection: Connection, channel: Channel, after: int | None) -> None:
        """Make it a member that has everything up to `after`; None: it gets a snapshot first."""
        if connection.leaving:
            return
        connection.channel = channel
        channel.on_change = self._channel_changed
        channel.join(connection, after)

    def owes(self, connection: Connection) -> None:
        self._owed.append(connection)
        self._work.set()

    def is_full(self, connection: Connection) -> None:
        self._full.setdefault(connection, self.now_s())

    def has_room(self, connection: Connection) -> None:
        self._full.pop(connection, None)
        if connection.frame is not None:
            self.owes(connection)
        if connection.channel is not None and connection in connection.channel.late:
            self._channel_changed(connection.channel)

    def leaves(self, connection: Connection) -> None:
        self._leaving.setdefault(connection, self.now_s() + LINGER_S)
        self._full.pop(connection, None)

    def is_gone(self, connection: Connection) -> None:
        self._full.pop(connection, None)
        self._leaving.pop(connection, None)
        if connection.bucket is not None:
            connection.bucket.discard(connection)
            connection.bucket = None
        if not self.count:
            self._empty.set()
            if self._among is not None:
                self._among.discard(self)

    # -- the tick -----------------------------------------------------------------------------

    def _channel_changed(self, channel: Channel) -> None:
        self._changed[channel] = None
        self._work.set()

    async def _tick(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            began_s = self.now_s()
            wrote_s = await self.flush()
            self.tick_s = stretched(wrote_s)
            await asyncio.sleep(max(0.0, began_s + self.tick_s - self.now_s()))

    async def flush(self) -> float:
        """Write all that is owed, one write a client. How long writing took, s."""
        changed, self._changed = self._changed, {}
        owed, self._owed = self._owed, []
        wrote_s = 0.0
        for channel in changed:
            try:
                wrote_s += await self._flush_channel(channel)
            except Exception:  # of whoever makes its frames: the other channels go on
                log.exception("a channel was not written")
        for some in _slices(owed):
            began_s = time.perf_counter()
            self._write_frames(some)
            wrote_s += time.perf_counter() - began_s
            await asyncio.sleep(0)
        if changed or owed:
            self.metrics.tick.observe(wrote_s)
        return wrote_s

    async def _flush_channel(self, channel: Channel) -> float:
        before, head, changed_at = channel.sent, channel.head, channel.changed_at
        channel.tick_s = self.tick_s
        late = [member for member in channel.late if member.out is not None]
        wrote_s = 0.0
        if before < head:
            news = channel.since(before)
            if news is None:
                news = channel.snapshot()
            channel.sent, channel.sent_at = head, self.now_s()
            for some in _slices(list(channel.live)):
                began_s = time.perf_counter()
                self._write_news(channel, some, news, before)
                wrote_s += time.perf_counter() - began_s
                await asyncio.sleep(0)
            self.metrics.lag.observe(self.now_s() - changed_at)
        made: Made = {}
        for some in _slices(late):
            began_s = time.perf_counter()
            for member in some:
                self._catch_up(channel, member, made)
            wrote_s += time.perf_counter() - began_s
            await asyncio.sleep(0)
        return wrote_s

    def _write_news(
        self, channel: Channel, members: Iterable[Connection], news: bytes, before: int
    ) -> None:
        """The hot path: the same bytes to all."""
        wrote = skipped = 0
        for member in members:
            if member.out is None:
                skipped += 1
                channel.fell_behind(member, before)
            else:
                member.write(news if member.frame is None else member.take_frame() + news)
                wrote += 1
        self.metrics.wrote(wrote, wrote * len(news))
        self.metrics.skipped += skipped

    def _catch_up(self, channel: Channel, member: Connection, made: Made) -> None:
        """Bring a late member to the head, which may have moved on since this tick began."""
        if member.out is None or member not in channel.late:
            return
        place = (member.position, channel.head)
        if place not in made:
            owed = None if member.position is None else channel.since(member.position)
            made[place] = ("ring", owed) if owed is not None else ("snapshot", channel.snapshot())
        source, news = made[place]
        member.position = channel.head
        if channel.head == channel.sent:
            channel.caught_up(member)
        if news:
            self.metrics.recovered[source] += 1
        if news or member.frame is not None:
            news = member.take_frame() + news
            member.write(news)
            self.metrics.wrote(1, len(news))

    def _write_frames(self, connections: Iterable[Connection]) -> None:
        wrote = size = 0
        for connection in connections:
            if connection.out is not None and connection.frame is not None:
                frame = connection.take_frame()
                connection.write(frame)
                wrote, size = wrote + 1, size + len(frame)
        self.metrics.wrote(wrote, size)

    # -- housekeeping -------------------------------------------------------------------------

    async def _housekeep(self) -> None:
        """Once a second: one bucket of the wheel is sent a sign of life, the hopeless are ended."""
        self._turn = (self._turn + 1) % len(self._wheel)
        await self._beat(self._wheel[self._turn])
        self.sweep(self.now_s())

    async def _beat(self, bucket: set[Connection]) -> None:
        quiet_since_s = self.now_s() - len(self._wheel)
        for some in _slices(list(bucket)):
            for connection in some:
                channel = connection.channel
                connection.beat(quiet=channel is None or channel.sent_at <= quiet_since_s)
            await asyncio.sleep(0)

    def sweep(self, now_s: float) -> None:
        """End those whose socket has been full for too long, cut off those who linger."""
        for connection, until_s in list(self._leaving.items()):
            if now_s >= until_s:
                connection.abort()
        for connection, since_s in list(self._full.items()):
            if now_s - since_s >= MAX_FULL_S:
                self.metrics.evicted += 1
                connection.refuse("slow_reader")

    # -- the end ------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """Tell everybody to come back, spread over `drain_s`. Safe to repeat.

        uvicorn calls it when it has stopped to listen: the hub is among its connections.
        """
        if self._drain_task is None:
            self.draining = True
            self._drain_task = asyncio.create_task(self._drain())

    async def drained(self) -> None:
        """Wait until the last client is gone."""
        if self.count:
            await self._empty.wait()

    async def _drain(self) -> None:
        """In random order, so that no kind of client is sent away before the others."""
        ends_s = self.now_s() + self._drain_s
        connections = self.connections()
        random.shuffle(connections)
        steps = max(1, round(self._drain_s * DRAIN_SHARE / DRAIN_STEP_S))
        each = -(-len(connections) // steps) or 1
        for some in _slices(connections, each):
            for connection in some:
                connection.close(COME_BACK)
            await asyncio.sleep(DRAIN_STEP_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ends_s - self.now_s()):
                await self.drained()
        for connection in self.connections():
            connection.abort()


def stretched(wrote_s: float) -> float:
    """How far the next tick is from the start of one that wrote for so long, s.

    Writing takes at most half of the time, until MAX_TICK_S: later than that nobody is told.
    """
    return min(max(TICK_S, 2 * wrote_s), MAX_TICK_S)


def _slices(items: list[Item], size: int = SLICE) -> Iterator[list[Item]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
