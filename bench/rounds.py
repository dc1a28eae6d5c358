"""What rounds cost a node: idle events, busy events, a word to all; and fans let straight in.

CPU is the node's own, by process time, so other work on the machine changes it little. Idle rooms
stand beside ten of them, since a process that does nothing at all costs something, too.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from app import metrics
from app.catalogue import demo
from app.embedded.services import EmbeddedServices
from bench.benchmark import Benchmark
from bench.stores import spent
from core.db import Db
from core.errors import AppError
from core.live.asgi import PulledTransport
from core.live.connection import Socket
from core.live.hub import Hub
from core.migrate import migrate
from core.redis import connect
from core.signing import Keys
from waiting_room.node.hub import WANTED_S
from waiting_room.service import WaitingRoom

FEW, MANY = 10, 5_000  # idle events
BUSY, FANS_EACH = 20, 25  # events with a queue, and fans in each
CROWD = 15_000  # fans of one event, connected here
DIRECT = 20_000  # fans who go straight in
WATCHED_S = 10.0
JOIN_AT_ONCE = 200
WORDS = 10  # to all

COPY_EVENTS = """
with made as (
    insert into event
    select (jsonb_populate_record(e, jsonb_build_object('event_id', 'ev_' || n))).*
    from event e, generate_series(1, $1) n where e.event_id = 'ev_theatre' returning event_id
)
insert into room (event_id, mode, per_minute, max_active, accept_ms, shop_ms, grace_ms, opens_at,
                  draw)
select event_id, 'on', 600, $2, 60000, 900000, 120000, now(), false from made
"""


@dataclass(frozen=True, slots=True)
class Stores:
    redis: Redis
    db: Db


def on_stores(name: str, measure: Callable[[Stores], Coroutine[Any, Any, None]]) -> Benchmark:
    """A benchmark with a migrated database and an empty Valkey of its own."""

    def run(_: Sequence[str]) -> None:
        with (
            tempfile.TemporaryDirectory(prefix="onsale-bench-") as folder,
            EmbeddedServices(Path(folder), durable=False) as services,
        ):
            migrate(services.database_url)
            asyncio.run(_measured(measure, services))

    return Benchmark(name, (measure.__doc__ or name).strip(), run)


async def _measured(
    measure: Callable[[Stores], Coroutine[Any, Any, None]], services: EmbeddedServices
) -> None:
    db = await Db.open(services.database_url)
    await demo.seed(db, datetime.now(UTC))
    async with connect(services.redis_url) as redis:
        await measure(Stores(redis, db))
    await db.close()


async def idle(stores: Stores) -> None:
    """Events without a queue that somebody looked at once: what they cost a node for ever."""
    for count in (FEW, MANY):
        await stores.db.execute("delete from event where event_id ~ '^ev_[0-9]+$'")
        await stores.db.execute(COPY_EVENTS, count, 0)
        await stores.db.execute("update room set changed_at = now() - interval '2 days'")
        room = WaitingRoom.build(stores.redis, stores.db, Keys("s" * 32))
        for number in range(1, count + 1):
            await _looked(room, f"ev_{number}")
        await room.start()
        try:
            await asyncio.sleep(WANTED_S + 3)
            cpu_ms, commands, _ = await _watched(stores.redis)
            began_s = time.process_time()
            list(metrics.RoomCollector(room).collect())
            scrape_ms = (time.process_time() - began_s) * 1e3
        finally:
            await room.stop()
        print(
            f"{'idle':18}{count:6,} events: {cpu_ms:.1f} ms of CPU and {commands:.1f} commands a"
            f" second; a look at the metrics takes {scrape_ms:.1f} ms"
        )


async def busy(stores: Stores) -> None:
    """Events with fans who wait and are called: CPU of the node and commands, each second."""
    await stores.db.execute(COPY_EVENTS, BUSY, FANS_EACH * 10)
    await stores.db.execute("update room set per_minute = 60, max_active = 500")
    async with _node(stores) as room, _live() as live:
        for number in range(1, BUSY + 1):
            for fan in range(FANS_EACH):
                await _wait(room, live, f"ev_{number}", f"vs_{fan}")
        cpu_ms, commands, writes = await _watched(stores.redis)
    print(
        f"{'busy':18}{BUSY} events: {cpu_ms:.0f} ms of CPU, {commands:.0f} commands in"
        f" {writes:.0f} reads of Valkey, a second"
    )


async def terms(stores: Stores) -> None:
    """A word of the operator to fifteen thousand who wait: the node's CPU until all have it."""
    await stores.db.execute(COPY_EVENTS, 1, 0)
    async with _node(stores) as room, _live() as live:
        for begin in range(0, CROWD, JOIN_AT_ONCE):
            waits = (_wait(room, live, "ev_1", f"vs_{begin + n}") for n in range(JOIN_AT_ONCE))
            tabs = await asyncio.gather(*waits)
        await asyncio.sleep(5)
        _, idle_s = await _until_told(live, asyncio.sleep(2))
        took_s: list[float] = []
        for number in range(WORDS):
            version = (await room.settings("ev_1")).version
            word = room.change_settings("ev_1", version, message=f"Word {number}.")
            took_s.append((await _until_told(live, word))[1])
        del tabs
    each_us = (sum(took_s) / WORDS) / CROWD * 1e6
    print(
        f"{'terms':18}{CROWD:,} fans told in {sum(took_s) / WORDS * 1e3:.0f} ms of CPU,"
        f" {each_us:.1f} µs a fan ({idle_s * 1e3:.0f} ms in 2 s without a word)"
    )


async def straight_in(stores: Stores) -> None:
    """Fans who need not wait, a thousand at any time: joins, with their rows in PostgreSQL."""
    await stores.db.execute(COPY_EVENTS, 1, 0)
    await stores.db.execute("update room set mode = 'off'")
    async with _node(stores) as room:
        await room.join("ev_1", "vs_first")
        began_s = time.process_time()
        seconds = await spent(lambda n: room.join("ev_1", f"vs_{n}"), DIRECT, clients=1_000)
        cpu_us = (time.process_time() - began_s) / DIRECT * 1e6
    rows = await stores.db.fetchval("select count(*) from call where accepted_at is not null")
    print(
        f"{'straight in':18}{DIRECT / seconds:8,.0f} joins a second, {cpu_us:.0f} µs of the node's"
        f" CPU each; {rows:,} rows in PostgreSQL"
    )


BENCHMARKS = (
    on_stores("rounds idle", idle),
    on_stores("rounds busy", busy),
    on_stores("rounds terms", terms),
    on_stores("straight in", straight_in),
)


class Sink(PulledTransport):
    """Takes everything at once: what the kernel would do with it is measured elsewhere."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        del data


@asynccontextmanager
async def _node(stores: Stores) -> AsyncIterator[WaitingRoom]:
    room = WaitingRoom.build(stores.redis, stores.db, Keys("s" * 32))
    await room.start()
    try:
        yield room
    finally:
        await room.stop()


@asynccontextmanager
async def _live() -> AsyncIterator[Hub]:
    live = Hub()
    await live.start()
    try:
        yield live
    finally:
        await live.stop()


async def _looked(room: WaitingRoom, event_id: str) -> None:
    """The first look lays the event in Redis: again, where the machine was too busy for it."""
    while True:
        try:
            await room.hub.view(event_id)
        except AppError:
            await asyncio.sleep(1)
        else:
            return


async def _wait(room: WaitingRoom, live: Hub, event_id: str, fan: str) -> Socket:
    """A fan who joined and is connected."""
    await room.join(event_id, fan)
    tab = Socket(live, lambda _: True)
    live.adopt(tab, Sink(tab))
    await room.hub.connect(event_id, fan, tab)
    return tab


async def _watched(redis: Redis) -> tuple[float, float, float]:
    """(ms of CPU, commands of clients, reads by the server) a second."""
    before, began_s = await _counted(redis), time.process_time()
    await asyncio.sleep(WATCHED_S)
    spent_s, after = time.process_time() - began_s, await _counted(redis)
    grew = [(b - a) / WATCHED_S for a, b in zip(before, after, strict=True)]
    return spent_s * 1e3 / WATCHED_S, grew[0], grew[1]


async def _counted(redis: Redis) -> tuple[int, int]:
    stats = await redis.info("commandstats")
    scripts = sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha"))
    return scripts, (await redis.info("stats"))["total_reads_processed"]


async def _until_told(live: Hub, word: Coroutine[Any, Any, object]) -> tuple[int, float]:
    """(messages, CPU in seconds) from the word until nothing more goes out for half a second."""
    began_s, told = time.process_time(), live.metrics.messages
    await word
    seen, quiet = told, 0
    while quiet < 10:
        await asyncio.sleep(0.05)
        quiet = quiet + 1 if live.metrics.messages == seen else 0
        seen = live.metrics.messages
    return seen - told, time.process_time() - began_s
