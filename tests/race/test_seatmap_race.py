"""Many nodes take the same seats at once. First show that this test can see the race at all."""

import asyncio
import contextlib

import pytest

from core.errors import AppError
from core.generations import Epoch
from core.ids import new_id
from core.redis import connect
from seatmap.errors import HoldEnded, SeatsTaken
from seatmap.keys import epoch_key, lock_prefix
from seatmap.model import Alternative
from seatmap.store import At, SeatStore

EVENT, EPOCH = "ev_gig", Epoch(1, "ab")
AT = At(EVENT, EPOCH, 0)
SEATS, NODES = 20, 20
ADMISSION = f"wr:{{{EVENT}}}:active"
FANS = [f"vs_{n}" for n in range(NODES)]


@pytest.fixture
async def nodes(redis, redis_url):
    """Stores with a connection each, on an event whose every seat is free."""
    first = SeatStore(redis)
    await first.lay(EVENT, EPOCH, b"0" * SEATS, bytes(4 * SEATS))
    await redis.set(epoch_key(EVENT), EPOCH.text)
    await redis.zadd(ADMISSION, dict.fromkeys(FANS, 9e12))
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(redis_url)) for _ in range(NODES)]
        yield [SeatStore(client) for client in clients]


async def hold(store, fan, *alternatives, hold_id=None):
    _, held = await store.hold(
        AT,
        hold_id=hold_id or new_id("hd"),
        subject=fan,
        alternatives=[Alternative(seats, {}) for seats in alternatives],
        max_tickets=6,
        booked=0,
        hold_ms=60_000,
        admission_key=ADMISSION,
    )
    return held


async def pin(store, held):
    _, pinned = await store.pin(
        AT,
        hold_id=held.hold_id,
        subject=held.subject,
        fence=held.fence,
        pin_ms=90_000,
        admission_key=ADMISSION,
    )
    return pinned


async def outcomes(calls):
    """What each call returned, or the refusal that it raised."""
    found = await asyncio.gather(*calls, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, AppError):
            raise one
    return found


async def locks(redis):
    prefix = lock_prefix(EVENT)
    names = [name.decode() for name in await redis.keys(prefix + "*")]
    return {int(name.removeprefix(prefix)): (await redis.get(name)).decode() for name in names}


async def test_control_check_then_act_gives_one_seat_to_everybody(nodes, redis):
    """What hold.lua would be without the script. If this passes no more, the tests below prove
    nothing. A barrier, not a sleep, makes the race certain."""
    all_have_checked = asyncio.Barrier(NODES)
    holders = []

    async def check_then_act(fan):
        free = not await redis.exists(lock_prefix(EVENT) + "7")
        await all_have_checked.wait()
        if free:
            await redis.set(lock_prefix(EVENT) + "7", fan, px=60_000)
            holders.append(fan)

    await asyncio.gather(*(check_then_act(fan) for fan in FANS))
    assert sorted(holders) == sorted(FANS)


async def test_one_seat_that_all_nodes_want_goes_to_exactly_one_fan(nodes, redis):
    found = await outcomes(hold(store, fan, [7]) for store, fan in zip(nodes, FANS, strict=True))
    winners = [one for one in found if not isinstance(one, AppError)]
    assert len(winners) == 1
    assert [type(one) for one in found].count(SeatsTaken) == NODES - 1
    assert await locks(redis) == {7: f"{winners[0].hold_id}:{winners[0].fence}"}


async def test_holds_that_overlap_in_a_ring_get_all_their_seats_or_none(nodes, redis):
    found = await outcomes(
        hold(store, fan, [n, (n + 1) % SEATS, (n + 2) % SEATS])
        for n, (store, fan) in enumerate(zip(nodes, FANS, strict=True))
    )
    winners = [one for one in found if not isinstance(one, AppError)]
    owned = {seat: f"{one.hold_id}:{one.fence}" for one in winners for seat in one.seats}
    assert winners
    assert len(owned) == sum(len(one.seats) for one in winners), "no seat has two holds"
    assert await locks(redis) == owned, "a refused hold has left no lock"


async def test_one_hold_id_sent_by_all_nodes_at_once_makes_one_hold(nodes, redis):
    hold_id = new_id("hd")
    found = await outcomes(hold(store, FANS[0], [3, 4], hold_id=hold_id) for store in nodes)
    assert all(one == found[0] for one in found)
    assert len(await locks(redis)) == 2


async def test_a_fan_in_many_tabs_ends_with_the_seats_of_one_hold(nodes, redis):
    await outcomes(hold(store, FANS[0], [n]) for n, store in enumerate(nodes))
    _, mine = await nodes[0].mine(AT, subject=FANS[0])
    assert await locks(redis) == {mine.seats[0]: f"{mine.hold_id}:{mine.fence}"}
    assert (await nodes[0].snapshot(AT)).states.count(b"1") == 1


async def test_a_hold_is_pinned_or_replaced_and_never_both(nodes, redis):
    for _ in range(NODES):
        held = await hold(nodes[0], FANS[0], [3])
        pinned, newer = await outcomes([pin(nodes[1], held), hold(nodes[2], FANS[0], [3, 4])])
        if isinstance(pinned, HoldEnded):
            assert newer.seats == (3, 4)
        else:
            assert isinstance(newer, SeatsTaken), "what is being paid for is not replaced"
            await nodes[0].unpin(AT, hold_id=held.hold_id, fence=held.fence)
        _, mine = await nodes[0].mine(AT, subject=FANS[0])
        assert set((await locks(redis)).values()) == {f"{mine.hold_id}:{mine.fence}"}
