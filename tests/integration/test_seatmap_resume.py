"""A viewer that comes over from another node is never shown a seat as it no longer is."""

import pytest

from core.ids import Subject, new_id
from seatmap.model import Alternative
from seatmap.service import SeatMap
from tests.live_clients import Pulled

EVENT, SEATS = "ev_gig", 12
ADMISSION = f"wr:{{{EVENT}}}:active"
FAN = Subject("vs_fan")


@pytest.fixture
async def event(redis, make_event):
    await make_event(EVENT, seats=SEATS)
    await redis.zadd(ADMISSION, {FAN: 9e12})


@pytest.fixture
async def nodes(redis, db, event):
    """Two nodes that share the stores, and no memory."""
    return SeatMap.build(redis, db), SeatMap.build(redis, db)


async def hold(seat_map, *seats):
    return await seat_map.hold(
        EVENT,
        hold_id=new_id("hd"),
        subject=FAN,
        alternatives=[Alternative(seats, {})],
        max_tickets=6,
        booked=0,
        hold_ms=60_000,
        admission_key=ADMISSION,
    )


async def test_a_node_that_missed_part_of_the_log_gives_newcomers_a_snapshot(nodes, redis):
    """It knows where seats were and where they are, not that one went and came back."""
    here, asleep = nodes
    await (await asleep.follower(EVENT)).fresh()
    held = await hold(here, 3)
    seen = (await (await here.follower(EVENT)).fresh()).cursor  # the viewer saw seat 3 held
    await here.release(EVENT, hold_id=held.hold_id, subject=FAN)
    await hold(here, 5)
    await redis.xtrim(f"sm:{{{EVENT}}}:log", maxlen=1, approximate=False)

    position = await (await asleep.follower(EVENT)).position(seen)

    assert position is None, "frames would leave seat 3 shown as held"


async def test_a_flush_costs_the_next_caller_no_error(nodes, redis):
    here, _ = nodes
    await hold(here, 3)
    await redis.flushall()
    await redis.zadd(ADMISSION, {FAN: 9e12})
    again = await hold(here, 3)
    assert again.fence.startswith("2.")


async def test_a_viewer_of_the_node_itself_is_sent_the_difference(nodes, redis, live):
    here, asleep = nodes
    follower = await asleep.follower(EVENT)
    position = await follower.position((await follower.fresh()).cursor)
    for seat in (1, 2, 3):
        await hold(here, seat)
    await redis.xtrim(f"sm:{{{EVENT}}}:log", maxlen=1, approximate=False)
    await follower.sync()
    assert b"data: [3,1]" in await Pulled.reader(live, follower.channel, position).next()
