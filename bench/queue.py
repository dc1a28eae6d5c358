"""The waiting room's scripts, and ranks among a million."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from bench.stores import EPOCH, EVENT, Figure, on_valkey, spent
from waiting_room import keys as room_keys
from waiting_room.model import Join, RoomSettings
from waiting_room.ranks import RankIndex
from waiting_room.store import QueueStore

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


async def join(redis: Redis) -> Figure:
    """Fans who were not in the queue before."""
    store = await _room(redis)
    return Figure(FANS, await spent(_joins(store), FANS), "fans, each for the first time")


async def tick(redis: Redis) -> Figure:
    """Calls and their announcement, at the pace."""
    store, count, called = await _room(redis), 300, 0
    await spent(_joins(store), FANS)
    start = time.perf_counter()
    for number in range(1, count + 1):
        now_ms = START_MS + number * 1000
        ids = [f"ad_{number}_{n}" for n in range(CALLS_A_TICK)]
        calls = await store.tick(EVENT, EPOCH, 0, call_ids=ids, now_ms=now_ms)
        await store.announce(EVENT, EPOCH, 0, [call.subject for call in calls], now_ms=now_ms)
        called += len(calls)
    seconds = time.perf_counter() - start
    return Figure(count, seconds, f"called and announced {called:,} of {FANS:,} waiting")


async def rank(_: Redis) -> Figure:
    """One fan's rank, in a node's memory."""
    chance, index = random.Random(1), RankIndex()
    index.load(chance.randbytes(PLACES // 8))
    places = [chance.randrange(PLACES) for _ in range(200_000)]
    start = time.perf_counter()
    for place in places:
        index.rank(place)
    return Figure(len(places), time.perf_counter() - start, f"one of {PLACES:,} places, in memory")


BENCHMARKS = (on_valkey(join), on_valkey(tick), on_valkey(rank))


async def _room(redis: Redis) -> QueueStore:
    store = QueueStore(redis)
    await store.restore(EVENT, ROOM, 0, [])
    await redis.set(room_keys.epoch_key(EVENT), EPOCH.text)
    await store.copy_settings(EVENT, EPOCH, 0, ROOM, ceiling=FANS)
    await store.tick(EVENT, EPOCH, 0, call_ids=[], now_ms=START_MS)  # the pace counts from here
    return store


def _joins(store: QueueStore) -> Callable[[int], Awaitable[object]]:
    return lambda n: store.join(EVENT, EPOCH, 0, [Join(f"vs_{n}", "ad_x")], now_ms=START_MS)
