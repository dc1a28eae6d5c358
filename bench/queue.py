"""The waiting room's scripts, a queue of a million, and what a node does for its fans in memory."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import numpy as np
from redis.asyncio import Redis

from bench.stores import EPOCH, EVENT, Figure, on_valkey, spent
from core.ids import new_id
from waiting_room import keys as room_keys
from waiting_room.batch import Batcher
from waiting_room.board import Board
from waiting_room.model import Join, RoomSettings, Standing
from waiting_room.ranks import RankIndex, bitmap_of
from waiting_room.service import JOINS_AT_ONCE
from waiting_room.store import QueueStore

FANS = 20_000
PLACES = 1_000_000
LOCAL_FANS = 15_000  # of one node
CALLS_A_TICK = 10
CALLS_A_SECOND = 50  # 3,000 a minute
ROUND_MS = 250
SLOW_US = 1_000  # scripts that took longer are looked at
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
    """Fans who were not in the queue before, one call each."""
    store = await _room(redis)
    return Figure(FANS, await spent(_joins(store), FANS), "fans, a call each")


async def batched_join(redis: Redis) -> Figure:
    """The same, a thousand at any time, in the batches that a node makes of them."""
    store = await _room(redis)

    async def all_of(joins: list[Join]) -> list[Standing | int]:
        return await store.join(EVENT, EPOCH, 0, joins, now_ms=START_MS)

    batcher: Batcher[Join, Standing | int] = Batcher(all_of, JOINS_AT_ONCE)  # type: ignore[arg-type]
    seconds = await spent(lambda n: batcher(Join(f"vs_{n}", "ad_x")), FANS, clients=1_000)
    await batcher.stop()
    return Figure(FANS, seconds, "fans, together with all of the same moment")


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


async def million(redis: Redis) -> Figure:
    """A million in one queue: memory, and what a round's commands cost then."""
    store = await _room(redis, ceiling=PLACES, grace_ms=4 * 10 * ROUND_MS)
    await redis.config_set("slowlog-log-slower-than", SLOW_US)
    before = (await redis.info("memory"))["used_memory"]
    start = time.perf_counter()
    for _ in range(0, PLACES, JOINS_AT_ONCE):
        joins = [Join(new_id("vs"), "ad_x") for _ in range(JOINS_AT_ONCE)]
        await store.join(EVENT, EPOCH, 0, joins, now_ms=START_MS)
    seconds = time.perf_counter() - start
    used = (await redis.info("memory"))["used_memory"] - before
    print(f"{'memory':18}{used / PLACES:12,.1f} bytes of Redis memory a waiting fan")
    here = random.Random(1).sample(range(1, PLACES + 1), LOCAL_FANS)
    await redis.config_resetstat()
    floor = 0
    for number in range(1, 41):
        now_ms = START_MS + number * ROUND_MS
        looked = await store.changes(EVENT, EPOCH, floor, whole=number == 1, now_ms=now_ms)
        floor = looked.version
        at = EVENT, EPOCH, floor
        await store.see(*at, here)
        ids = [f"ad_{number}_{n}" for n in range(CALLS_A_TICK)]
        calls = await store.tick(*at, call_ids=ids, now_ms=now_ms)
        await store.announce(*at, [call.subject for call in calls], now_ms=now_ms)
        if number % 10 == 0:
            await store.age(*at, now_ms=now_ms)
    stats = await redis.info("commandstats")
    scripts = stats["cmdstat_evalsha"]
    print(f"{'rounds':18}{scripts['usec_per_call']:12,.0f} µs of Redis' time a command, of a round")
    slowest = max((int(entry["duration"]) for entry in await redis.slowlog_get(128)), default=0)
    print(f"{'slowest':18}{slowest / 1000:12,.1f} ms, of joins and rounds")
    return Figure(PLACES, seconds, f"joins, {JOINS_AT_ONCE} a call, one call at a time")


async def ranks(_: Redis) -> Figure:
    """The ranks of all fans of a node, counted anew after a change."""
    chance, index, count = random.Random(1), RankIndex(), 200
    index.load(chance.randbytes(PLACES // 8))
    places = np.array(chance.sample(range(PLACES), LOCAL_FANS))
    start = time.perf_counter()
    for number in range(count):
        index.set([number], False)
        index.ranks(places)
    return Figure(count, time.perf_counter() - start, f"{LOCAL_FANS:,} of {PLACES:,} places")


async def frames(_: Redis) -> Figure:
    """Whom a round tells, at 3,000 calls a minute, with a million waiting."""
    chance, index, board = random.Random(1), RankIndex(), Board()
    index.load(bitmap_of(range(PLACES))[1])
    for place in chance.sample(range(10_000, PLACES), LOCAL_FANS):
        fan = board.add(str(place))
        board.stands(fan, Standing("waiting", place))
        board.shown(fan, index.rank(place), -chance.randrange(60_000))
    rounds, told = 480, 0
    start = time.perf_counter()
    for number in range(1, rounds + 1):
        now_ms = number * ROUND_MS
        index.set(range((now_ms - ROUND_MS) // 20, now_ms * CALLS_A_SECOND // 1000), False)
        for fan in board.due(index, now_ms):
            board.shown(fan, index.rank(fan.place), now_ms)
            told += 1
    seconds = time.perf_counter() - start
    share = LOCAL_FANS * rounds * ROUND_MS / 1000 / told
    return Figure(rounds, seconds, f"rounds; one frame a fan in {share:.0f} seconds")


BENCHMARKS = tuple(
    on_valkey(measure) for measure in (join, batched_join, tick, million, ranks, frames)
)


async def _room(redis: Redis, *, ceiling: int = FANS, **settings: int) -> QueueStore:
    store, room = QueueStore(redis), replace(ROOM, **settings)
    await store.restore(EVENT, room, 0, [])
    await redis.set(room_keys.epoch_key(EVENT), EPOCH.text)
    await store.copy_settings(EVENT, EPOCH, 0, room, ceiling=ceiling)
    await store.tick(EVENT, EPOCH, 0, call_ids=[], now_ms=START_MS)  # the pace counts from here
    return store


def _joins(store: QueueStore) -> Callable[[int], Awaitable[object]]:
    return lambda n: store.join(EVENT, EPOCH, 0, [Join(f"vs_{n}", "ad_x")], now_ms=START_MS)
