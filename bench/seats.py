"""The seat map's scripts on the largest venue."""

from __future__ import annotations

import random
import zlib

from redis.asyncio import Redis

from bench.stores import EPOCH, EVENT, Figure, on_valkey, spent
from core.ids import HoldId, Subject, new_id
from seatmap import keys as seat_keys
from seatmap.model import Alternative
from seatmap.store import At, SeatStore
from waiting_room import keys as room_keys

AT = At(EVENT, EPOCH, 0)
SEATS = 110_000


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

    return Figure(count, await spent(one, count), f"4 seats of {SEATS:,}")


async def snapshot(redis: Redis) -> Figure:
    """A third of the seats free, the rest sold, at random: what compresses worst."""
    states = bytes(random.Random(1).choices(b"022", k=SEATS))
    store, count = await _venue(redis, states), 300

    async def one(_: int) -> None:
        await store.snapshot(AT)

    size_kb = len(zlib.compress(states)) / 1000
    return Figure(count, await spent(one, count), f"{SEATS:,} seats; {size_kb:.0f} kB deflated")


BENCHMARKS = (on_valkey(hold_and_release), on_valkey(snapshot))


async def _venue(redis: Redis, states: bytes) -> SeatStore:
    store = SeatStore(redis)
    await store.lay(EVENT, EPOCH, states, bytes(4 * len(states)))
    await redis.set(seat_keys.epoch_key(EVENT), EPOCH.text)
    return store
