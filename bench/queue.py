"""The waiting room's scripts, a queue of a million, and what a node does for its fans in memory."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import numpy as np
from redis.asyncio import Redis

from bench.stores import EPOCH, EVENT, Figure, on_valkey, spent
from core.batch import Batcher
from core.ids import new_id
from waiting_room import keys as room_keys
from waiting_room.model import Counts, Join, RoomSettings, Standing
from waiting_room.node.local import LocalEvent
from waiting_room.ranks.index import RankIndex, bitmap_of
from waiting_room.service import JOINS_AT_ONCE
from waiting_room.store import QueueStore
from waiting_room.views import EventView

FANS = 20_000
PLACES = 1_000_000
LOCAL_FANS = 15_000  # of one node
CALLS_A_TICK = 10
CALLS_A_SECOND = 50  # 3,000 a minute
ROUND_MS = 250
COUNTDOWN_MS = 180_000
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
    """Whom a round tells, at 3,000 calls a minute: three minutes, with and without trouble."""
    for waiting in (PLACES, 100_000, 10_000):
        for no_shows, pause in ((0.0, False), (0.05, True)):
            told, fan_seconds, _ = _countdown(waiting, no_shows=no_shows, pause=pause)
            share = fan_seconds / told
            how = f"{no_shows:.0%} no-shows, {'a' if pause else 'no'} pause"
            print(f"{'frames':18}{waiting:12,} waiting, {how}: one frame a fan in {share:.0f} s")
    rounds = COUNTDOWN_MS // ROUND_MS
    return Figure(rounds, _countdown(PLACES, no_shows=0.0, pause=False)[2], "rounds of a million")


def _countdown(waiting: int, *, no_shows: float, pause: bool) -> tuple[int, float, float]:
    """(frames, seconds of all fans together who wait, CPU seconds that rounds took).

    In the first minute of three one fan in a thousand goes away; a pause takes 15 s of the second.
    """
    chance, event, view = random.Random(1), LocalEvent(), EventView(ROOM, START_MS)
    view.room = replace(ROOM, per_minute=CALLS_A_SECOND * 60)
    view.ranks.load(bitmap_of(range(1, waiting + 1))[1])
    here = min(LOCAL_FANS, waiting // 2)
    for place in chance.sample(range(1, waiting + 1), here):
        event.board.stands(event.board.add(str(place)), Standing("waiting", place))
    away = chance.sample(range(1, waiting + 1), waiting // 1_000)
    calls, told, fan_ms, took_s = 0.0, -here, 0, 0.0
    for now_ms in range(0, COUNTDOWN_MS, ROUND_MS):
        paused = pause and 60_000 <= now_ms < 75_000
        view.now_ms, view.room = START_MS + now_ms, replace(view.room, paused=paused)
        calls += 0 if paused else CALLS_A_SECOND * (1 + no_shows) * ROUND_MS / 1000
        passed = view.state.get("fresh", 0)
        view.ranks.set(range(passed + 1, int(calls) + 1), False)
        view.ranks.set(
            away[len(away) * now_ms // 60_000 :][: 1 + len(away) * ROUND_MS // 60_000], False
        )
        for place in range(passed + 1, int(calls) + 1):
            if fan := event.board.fans.get(str(place)):
                event.board.stands(fan, Standing("called"))
        view.state["fresh"] = int(calls)
        view.counts = Counts(view.ranks.present, 0, 0, 0, present=view.ranks.present)
        start = time.process_time()
        event.speed.note(view.now_ms, view.passed)
        to_all, due = event.news(view)
        for fan in due:
            mark = view.rank(fan.place) + view.line.passed_by(view.now_ms)
            event.board.told(fan, mark, view.now_ms)
        took_s += time.process_time() - start
        waits = len(event.board.places())
        told += len(due) + (waits if to_all and now_ms else 0)
        fan_ms += waits * ROUND_MS
    return told, fan_ms / 1000, took_s


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
