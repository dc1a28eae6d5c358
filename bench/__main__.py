"""`make bench`: figures of the hot paths on this machine, through the product's own functions.

It starts a Valkey of its own in a temporary folder, so it can run beside a sale. Client and
server share the machine's cores: compare two states of the code with it, promise nothing by it.
`make bench ARGS=hold` runs those with that word in their name.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import tempfile
import time
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from app.embedded.services import EmbeddedServices
from core.generations import Epoch
from core.ids import HoldId, Subject, new_id
from core.redis import connect
from seatmap import keys as seat_keys
from seatmap.model import Alternative
from seatmap.store import At, SeatStore
from waiting_room import keys as room_keys
from waiting_room.model import RoomSettings
from waiting_room.ranks import RankIndex
from waiting_room.store import QueueStore

EVENT, EPOCH = "ev_bench", Epoch(1, "abcdef01")
AT = At(EVENT, EPOCH, 0)
CLIENTS = 32  # at once, on connections of their own
SEATS = 110_000
FANS = 20_000
PLACES = 1_000_000
CALLS_A_TICK = 10
START_MS, FAR_MS = 1_000, 10**9

ROOM = RoomSettings(
    mode="on",
    per_minute=CALLS_A_TICK * 60,
    max_active=FANS,
    accept_ms=FAR_MS,
    shop_ms=FAR_MS,
    grace_ms=FAR_MS,
    paused=False,
    pause_reason="",
    opens_at_ms=0,
    version=1,
)


@dataclass(frozen=True, slots=True)
class Figure:
    count: int
    seconds: float
    of_what: str


async def hold_and_release(redis: Redis) -> Figure:
    """Four seats, by fans who are admitted."""
    store, count = await _venue(redis, b"0" * SEATS), 5_000
    admission_key = room_keys.admission_key(EVENT)
    await redis.zadd(admission_key, {f"vs_{n}": 9e12 for n in range(count)})

    async def one(number: int) -> None:
        fan, hold_id, first = Subject(f"vs_{number}"), HoldId(new_id("hd")), number * 4
        await store.hold(
            AT,
            hold_id=hold_id,
            subject=fan,
            alternatives=[Alternative(range(first, first + 4), {})],
            max_tickets=6,
            booked=0,
            hold_ms=60_000,
            admission_key=admission_key,
        )
        await store.release(AT, hold_id=hold_id, subject=fan)

    return Figure(count, await _spent(one, count), f"4 seats of {SEATS:,}")


async def snapshot(redis: Redis) -> Figure:
    """A third of the seats free, the rest sold, at random: what compresses worst."""
    states = bytes(random.Random(1).choices(b"022", k=SEATS))
    store, count = await _venue(redis, states), 300

    async def one(_: int) -> None:
        await store.snapshot(AT)

    size_kb = len(zlib.compress(states)) / 1000
    return Figure(count, await _spent(one, count), f"{SEATS:,} seats; {size_kb:.0f} kB deflated")


async def join(redis: Redis) -> Figure:
    store = await _room(redis)
    return Figure(FANS, await _spent(_joins(store), FANS), "fans, each for the first time")


async def tick(redis: Redis) -> Figure:
    store, count, called = await _room(redis), 300, 0
    await _spent(_joins(store), FANS)
    start = time.perf_counter()
    for number in range(1, count + 1):
        now_ms = START_MS + number * 1000
        ids = [f"ad_{number}_{n}" for n in range(CALLS_A_TICK)]
        calls = await store.tick(EVENT, EPOCH, 0, call_ids=ids, now_ms=now_ms)
        await store.announce(EVENT, EPOCH, 0, [call.subject for call in calls], now_ms=now_ms)
        called += len(calls)
    spent = time.perf_counter() - start
    return Figure(count, spent, f"called and announced {called:,} of {FANS:,} waiting")


async def rank(_: Redis) -> Figure:
    chance, index = random.Random(1), RankIndex()
    index.load(chance.randbytes(PLACES // 8))
    places = [chance.randrange(PLACES) for _ in range(200_000)]
    start = time.perf_counter()
    for place in places:
        index.rank(place)
    return Figure(len(places), time.perf_counter() - start, f"one of {PLACES:,} places, in memory")


BENCHMARKS = (hold_and_release, snapshot, join, tick, rank)


async def _venue(redis: Redis, states: bytes) -> SeatStore:
    store = SeatStore(redis)
    await store.lay(EVENT, EPOCH, states, bytes(4 * len(states)))
    await redis.set(seat_keys.epoch_key(EVENT), EPOCH.text)
    return store


async def _room(redis: Redis) -> QueueStore:
    store = QueueStore(redis)
    await store.restore(EVENT, ROOM, 0, [])
    await redis.set(room_keys.epoch_key(EVENT), EPOCH.text)
    await store.copy_settings(EVENT, EPOCH, 0, ROOM, ceiling=FANS)
    await store.tick(EVENT, EPOCH, 0, call_ids=[], now_ms=START_MS)  # the pace counts from here
    return store


def _joins(store: QueueStore) -> Callable[[int], Awaitable[object]]:
    return lambda n: store.join(EVENT, EPOCH, 0, f"vs_{n}", call_id="ad_x", now_ms=START_MS)


async def _spent(one: Callable[[int], Awaitable[object]], count: int) -> float:
    """Seconds for `count` calls, CLIENTS of them at any time."""
    numbers = itertools.count()

    async def client() -> None:
        while (number := next(numbers)) < count:
            await one(number)

    start = time.perf_counter()
    async with asyncio.TaskGroup() as clients:
        for _ in range(CLIENTS):
            clients.create_task(client())
    return time.perf_counter() - start


async def run(redis_url: str, word: str) -> None:
    print(f"{'':18}{'a second':>12}{'µs each':>12}")
    async with connect(redis_url) as redis:
        for benchmark in BENCHMARKS:
            if word not in benchmark.__name__:
                continue
            await redis.flushall()
            figure = await benchmark(redis)
            each_us = figure.seconds / figure.count * 1e6
            name = benchmark.__name__.replace("_", " ")
            print(f"{name:18}{1e6 / each_us:12,.0f}{each_us:12,.1f}  {figure.of_what}")


def main(word: str) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="onsale-bench-") as folder,
        EmbeddedServices(Path(folder), durable=False, kinds=["valkey"]) as services,
    ):
        asyncio.run(run(services.redis_url, word))


if __name__ == "__main__":
    main(*sys.argv[1:2] or [""])
