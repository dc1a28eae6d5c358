"""Many fans want the same seats at once. First show that this test can see the race at all."""

import asyncio
import time

import pytest

from core.generations import Epoch
from core.ids import new_id
from seatmap.errors import SeatsTaken
from seatmap.keys import epoch_key, lock_prefix
from seatmap.model import Alternative
from seatmap.store import At, SeatStore

EVENT, EPOCH = "ev_gig", Epoch(1, "ab")
ADMISSION = f"wr:{{{EVENT}}}:active"
BUYERS, WANTED = 20, (3, 4, 5)


@pytest.fixture
async def store(redis):
    store = SeatStore(redis)
    await store.lay(EVENT, EPOCH, b"0" * 30, bytes(120))
    await redis.set(epoch_key(EVENT), EPOCH.text)
    await redis.zadd(ADMISSION, {f"vs_{n}": time.time() * 1_000 + 600_000 for n in range(BUYERS)})
    return store


async def buy(store, fan, seats):
    try:
        _, held = await store.hold(
            At(EVENT, EPOCH, 0),
            hold_id=new_id("hd"),
            subject=fan,
            alternatives=[Alternative(seats, {})],
            max_tickets=6,
            booked=0,
            hold_ms=60_000,
            admission_key=ADMISSION,
        )
    except SeatsTaken:
        return None
    return held


async def test_control_check_then_act_gives_one_seat_to_many(redis):
    """What hold.lua would be without the script. If this passes no more, the tests below prove
    nothing. A barrier, not a sleep, makes the race certain."""
    all_have_checked = asyncio.Barrier(BUYERS)

    async def check_then_act(fan):
        taken = await redis.exists(*(f"{lock_prefix(EVENT)}{seat}" for seat in WANTED))
        await all_have_checked.wait()
        if not taken:
            await redis.mset({f"{lock_prefix(EVENT)}{seat}": fan for seat in WANTED})
        return not taken

    won = await asyncio.gather(*(check_then_act(f"vs_{n}") for n in range(BUYERS)))
    assert sum(won) == BUYERS


async def test_of_many_buyers_of_the_same_seats_exactly_one_gets_them(store, redis):
    holds = await asyncio.gather(*(buy(store, f"vs_{n}", WANTED) for n in range(BUYERS)))
    [winner] = [held for held in holds if held]
    owners = await redis.mget(*(f"{lock_prefix(EVENT)}{seat}" for seat in WANTED))
    assert set(owners) == {f"{winner.hold_id}:{winner.fence}".encode()}


async def test_overlapping_wishes_leave_no_hold_with_half_its_seats(store, redis):
    wishes = [tuple((n + k) % 30 for k in range(4)) for n in range(BUYERS)]
    found = await asyncio.gather(*(buy(store, f"vs_{n}", seats) for n, seats in enumerate(wishes)))
    holds = [held for held in found if held]
    assert holds
    seats = [seat for held in holds for seat in held.seats]
    assert len(seats) == len(set(seats))
    for held in holds:
        owners = await redis.mget(*(f"{lock_prefix(EVENT)}{seat}" for seat in held.seats))
        assert set(owners) == {f"{held.hold_id}:{held.fence}".encode()}
    locked = await redis.keys(lock_prefix(EVENT) + "*")
    assert len(locked) == len(seats)


async def test_a_repeated_hold_under_way_twice_is_one_hold(store):
    hold_id = new_id("hd")

    async def once():
        _, held = await store.hold(
            At(EVENT, EPOCH, 0),
            hold_id=hold_id,
            subject="vs_0",
            alternatives=[Alternative(WANTED, {})],
            max_tickets=6,
            booked=0,
            hold_ms=60_000,
            admission_key=ADMISSION,
        )
        return held

    first, *others = await asyncio.gather(*(once() for _ in range(10)))
    assert all(held == first for held in others)
