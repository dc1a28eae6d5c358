"""The maps that a node follows are brought up to date together, and none waits for another."""

import asyncio
import contextlib
import time
from functools import partial

import pytest

from core.errors import Stale
from core.ids import Subject, new_id
from seatmap.keys import epoch_key
from seatmap.model import Alternative
from seatmap.service import SeatMap
from tests.waiting import until

FAN = Subject("vs_fan")
MAPS = 20


@pytest.fixture
async def nodes(redis, db):
    """Two nodes that share the stores, and no memory."""
    pair = SeatMap.build(redis, db), SeatMap.build(redis, db)
    yield pair
    for node in pair:
        await node.stop()


async def followed(node, make_sale, count):
    followers = [await node.follower(await make_sale(seats=4)) for _ in range(count)]
    for follower in followers:
        await follower.fresh()
    return followers


async def hold(node, redis, event_id, seat):
    admission_key = f"wr:{{{event_id}}}:active"
    await redis.zadd(admission_key, {FAN: 9e12})
    await node.hold(
        event_id,
        hold_id=new_id("hd"),
        subject=FAN,
        alternatives=[Alternative([seat], {})],
        max_tickets=6,
        booked=0,
        hold_ms=60_000,
        admission_key=admission_key,
    )


async def reads(redis):
    """How often the server has read from a socket; once for this question."""
    return (await redis.info("stats"))["total_reads_processed"]


async def test_maps_that_are_due_at_one_moment_share_one_way_to_the_store(nodes, redis, make_sale):
    here, there = nodes
    followers = await followed(here, make_sale, MAPS)
    await followers[0].sync()  # the server knows the script from here on
    for follower in followers:
        await hold(there, redis, follower.event_id, 2)
    before = await reads(redis)
    await asyncio.gather(*(follower.sync() for follower in followers))
    assert await reads(redis) - before < MAPS / 2
    assert {follower.available for follower in followers} == {3}


async def test_a_map_that_must_be_repaired_keeps_no_other_waiting(nodes, db, redis, make_sale):
    here, there = nodes
    broken, well = await followed(here, make_sale, 2)
    epoch = broken.snapshot().cursor.epoch
    await redis.delete(epoch_key(broken.event_id))
    async with db.connection() as another_node:  # repairs, and takes its time
        lock = f"onsale repair sm {broken.event_id}"
        await another_node.execute("select pg_advisory_lock(hashtextextended($1, 0))", lock)
        for follower in (broken, well):
            await looked_at(here, follower)
        await hold(there, redis, well.event_id, 2)
        await until(partial(available, well), lambda free: free == 3)
        assert broken.snapshot().cursor.epoch == epoch
        await another_node.execute("select pg_advisory_unlock(hashtextextended($1, 0))", lock)

    async def epoch_now():
        return broken.snapshot().cursor.epoch

    await until(epoch_now, lambda now: now != epoch)


async def test_a_map_is_followed_until_nobody_looks(nodes, redis, make_sale):
    here, there = nodes
    (follower,) = await followed(here, make_sale, 1)
    await looked_at(here, follower)
    await hold(there, redis, follower.event_id, 2)
    await until(partial(available, follower), lambda free: free == 3)
    follower.viewed_at -= 3_600
    follower.nudge()

    async def ends():
        return here._rounds._loop.done()

    await until(ends, bool)


async def looked_at(node, follower):
    """As by a stream that is just being opened."""
    with contextlib.suppress(Stale):  # it is being repaired
        await follower.position(None)
    follower.viewed_at = time.monotonic()
    node.follow(follower)


async def available(follower):
    return follower.available
