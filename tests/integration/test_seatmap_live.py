"""Versions never go back, no change is lost, and after a loss every viewer sees the truth."""

import contextlib
import random
import re

import orjson
import pytest

from core.errors import NotAdmitted, NotFound
from core.ids import Subject, new_id
from seatmap.delta import Cursor
from seatmap.errors import HoldEnded, NoHold, SeatsTaken, TooManyTickets
from seatmap.keys import lock_prefix
from seatmap.model import Alternative, Fate
from seatmap.service import SeatMap
from tests.live_clients import Pulled

EVENT = "ev_gig"
SEATS = 12
ADMISSION = f"wr:{{{EVENT}}}:active"
FAN, OTHER = Subject("vs_fan"), Subject("vs_other")


@pytest.fixture
async def event(redis, make_event):
    await make_event(EVENT, seats=SEATS, off_sale=1)
    await redis.zadd(ADMISSION, {FAN: 9e12, OTHER: 9e12})
    return EVENT


@pytest.fixture
async def seat_map(redis, db, event):
    return SeatMap.build(redis, db)


async def hold(seat_map, *seats, fan=FAN, hold_id=None, booked=0, hold_ms=60_000):
    return await seat_map.hold(
        EVENT,
        hold_id=hold_id or new_id("hd"),
        subject=fan,
        alternatives=[Alternative(seats, {"totalMinor": 100 * len(seats), "lines": []})],
        max_tickets=6,
        booked=booked,
        hold_ms=hold_ms,
        admission_key=ADMISSION,
    )


async def pin(seat_map, held, fence=None):
    return await seat_map.pin(
        EVENT,
        hold_id=held.hold_id,
        subject=held.subject,
        fence=fence or held.fence,
        pin_ms=90_000,
        admission_key=ADMISSION,
    )


async def states(seat_map):
    follower = await seat_map.follower(EVENT)
    await follower.sync()
    return orjson.loads(follower.snapshot().json)["states"]


async def sell(db, seat, state):
    await db.execute(
        "insert into booking (booking_id, event_id, subject, hold_id, fence, state, email,"
        " currency, total_minor, token) values ($1, $2, 'vs_x', 'hd_x', '1.1', 'claimed', '',"
        " 'EUR', 100, '')",
        f"bk_{seat}",
        EVENT,
    )
    await db.execute(
        "insert into booking_ticket (booking_id, event_id, seat_index, state, price_minor)"
        " values ($1, $2, $3, $4, 100)",
        f"bk_{seat}",
        EVENT,
        seat,
        state,
    )
    await db.execute("update ticket set rev = rev + 1 where seat_index = $1", seat)


async def test_a_fresh_event_shows_postgresqls_truth(seat_map, db):
    await sell(db, 1, "sold")
    await sell(db, 2, "claimed")
    assert await states(seat_map) == "021000000003"
    counts = await seat_map.counts(EVENT)
    assert counts == {
        "seats": 12, "available": 9, "held": 0, "claimed": 1, "sold": 1, "offSale": 1,
    }  # fmt: skip


async def test_a_hold_takes_all_its_seats_or_none(seat_map):
    await hold(seat_map, 3, 4)
    with pytest.raises(SeatsTaken) as taken:
        await hold(seat_map, 4, 5, fan=OTHER)
    assert taken.value.tickets == [f"{EVENT}-4"]
    assert await states(seat_map) == "000110000003"


async def test_the_same_hold_id_gives_the_same_hold_and_costs_nothing(seat_map):
    first = await hold(seat_map, 3, 4)
    assert await hold(seat_map, 3, 4, hold_id=first.hold_id) == first
    assert await seat_map.mine(EVENT, FAN) == first


async def test_a_new_hold_replaces_the_old_one_only_when_it_succeeds(seat_map):
    first = await hold(seat_map, 0, 1)
    await hold(seat_map, 5, fan=OTHER)
    with pytest.raises(SeatsTaken):
        await hold(seat_map, 1, 5)
    assert await seat_map.mine(EVENT, FAN) == first
    second = await hold(seat_map, 1, 2, hold_ms=600_000)
    assert second.ends_ms == first.ends_ms, "sharing a seat keeps the end"
    assert await states(seat_map) == "011001000003"


async def test_the_limit_a_fan_counts_what_is_booked(seat_map):
    with pytest.raises(TooManyTickets):
        await hold(seat_map, 0, 1, 2, booked=4)
    await hold(seat_map, 0, 1, booked=4)


async def test_nobody_holds_without_a_live_admission(seat_map, redis):
    await redis.zadd(ADMISSION, {FAN: 1_000})
    with pytest.raises(NotAdmitted):
        await hold(seat_map, 0)


async def test_a_hold_extends_the_admission_beyond_its_end_but_revives_none(seat_map, redis):
    now_ms = int((await redis.time())[0]) * 1_000
    await redis.zadd(ADMISSION, {FAN: now_ms + 10_000})
    held = await hold(seat_map, 0)
    assert await redis.zscore(ADMISSION, FAN) == held.ends_ms + 120_000
    await redis.zrem(ADMISSION, FAN)
    await pin(seat_map, held)
    assert await redis.zscore(ADMISSION, FAN) is None


async def test_a_fence_replaced_in_redis_fails_at_the_pin(seat_map, redis):
    held = await hold(seat_map, 0, 1)
    await redis.set(lock_prefix(EVENT) + "1", "hd_somebody:9.9", px=60_000)
    with pytest.raises(HoldEnded):
        await pin(seat_map, held)


async def test_a_pin_needs_the_holds_owner_and_its_own_fence(seat_map):
    held = await hold(seat_map, 0)
    with pytest.raises(HoldEnded):
        await pin(seat_map, held, fence="1.999")
    assert (await pin(seat_map, held)).pinned
    with pytest.raises(HoldEnded):
        await seat_map.release(EVENT, hold_id=held.hold_id, subject=FAN)
    assert await seat_map.unpin(EVENT, hold_id=held.hold_id, fence=held.fence)
    assert await seat_map.mine(EVENT, FAN) == held
    assert await seat_map.release(EVENT, hold_id=held.hold_id, subject=FAN)
    with pytest.raises(NoHold):
        await seat_map.mine(EVENT, FAN)


async def test_a_stale_relay_cannot_undo_a_newer_owner(seat_map):
    await seat_map.apply(EVENT, hold_id="", state="sold", fates=[Fate(3, 5)])
    assert await seat_map.apply(EVENT, hold_id="", state="available", fates=[Fate(3, 4)]) == 0
    assert (await states(seat_map))[3] == "2"
    assert await seat_map.apply(EVENT, hold_id="", state="available", fates=[Fate(3, 6)]) == 1
    assert (await states(seat_map))[3] == "0"


async def test_a_claim_ends_the_hold_and_leaves_the_seat_to_the_booking(seat_map, redis):
    held = await hold(seat_map, 3)
    await seat_map.apply(EVENT, hold_id=held.hold_id, state="claimed", fates=[Fate(3, 1)])
    with pytest.raises(NoHold):
        await seat_map.mine(EVENT, FAN)
    assert not await redis.exists(lock_prefix(EVENT) + "3")
    assert (await seat_map.counts(EVENT))["claimed"] == 1
    with pytest.raises(SeatsTaken):
        await hold(seat_map, 3, fan=OTHER)


async def test_an_event_nobody_knows_leaves_nothing_behind(seat_map, redis):
    with pytest.raises(NotFound):
        await seat_map.follower("ev_none")
    assert await redis.keys("sm:{ev_none}*") == []


class Viewer:
    """What a browser does: keep states, apply frames, remember the last id."""

    def __init__(self, follower, stream, digits):
        self.follower, self.stream, self.states = follower, stream, list(digits)
        self.ids = []

    @classmethod
    async def open(cls, seat_map, live):
        follower = await seat_map.follower(EVENT)
        snapshot = orjson.loads((await follower.fresh()).json)
        position = await follower.position(Cursor(snapshot["epoch"], snapshot["version"]))
        return cls(follower, Pulled.reader(live, follower.channel, position), snapshot["states"])

    async def read(self):
        frames = await self.stream.next()
        assert b"event: snapshot" not in frames, "an up-to-date viewer needs no snapshot"
        for cursor, data in re.findall(rb"id: (\S+)\nevent: seats\ndata: (.*)\n", frames):
            self.ids.append(Cursor.parse(cursor.decode()))
            numbers = orjson.loads(data)
            for seat, state in zip(numbers[::2], numbers[1::2], strict=True):
                self.states[seat] = str(state)


async def test_snapshot_and_changes_make_a_later_snapshot_and_versions_only_rise(seat_map, live):
    viewer = await Viewer.open(seat_map, live)
    chance = random.Random(4)
    for _ in range(25):
        fan = chance.choice([FAN, OTHER])
        with contextlib.suppress(SeatsTaken, NoHold):
            if chance.random() < 0.6:
                await hold(seat_map, *chance.sample(range(11), 3), fan=fan)
            else:
                held = await seat_map.mine(EVENT, fan)
                await seat_map.release(EVENT, hold_id=held.hold_id, subject=fan)
        await viewer.follower.sync()
    while viewer.ids[-1:] != [viewer.follower.snapshot().cursor]:  # the hub ticks as it likes
        await viewer.read()
    assert "".join(viewer.states) == await states(seat_map)
    versions = [cursor.version for cursor in viewer.ids]
    assert versions == sorted(set(versions))


async def test_after_a_flush_an_open_viewer_is_shown_the_truth_without_a_reload(
    seat_map, redis, db, live
):
    await hold(seat_map, 0, 1)
    await seat_map.apply(EVENT, hold_id="", state="sold", fates=[Fate(5, 1)])
    await sell(db, 5, "sold")
    viewer = await Viewer.open(seat_map, live)
    seat_map.follow(viewer.follower)
    await redis.flushall()
    await viewer.read()
    assert "".join(viewer.states) == "000002000003"
    await seat_map.stop()


async def test_a_repair_keeps_the_locks_that_survived(seat_map, redis, db):
    held = await hold(seat_map, 0, 1)
    await redis.delete(f"sm:{{{EVENT}}}:epoch", f"sm:{{{EVENT}}}:states", f"sm:{{{EVENT}}}:ends")
    again = SeatMap.build(redis, db)
    assert await again.mine(EVENT, FAN) == held
    assert await states(again) == "110000000003"
    newer = await hold(again, 4)
    assert newer.fence.startswith("2.")


async def test_an_ended_hold_frees_its_seats_without_anybodys_timer(seat_map, live):
    viewer = await Viewer.open(seat_map, live)
    free = viewer.follower.snapshot().cursor.version
    seat_map.follow(viewer.follower)
    await hold(seat_map, 0, 1, hold_ms=60)
    while not viewer.ids or viewer.ids[-1].version < free + 2:  # held, and free again
        await viewer.read()
    assert viewer.states[:2] == ["0", "0"]
    await seat_map.stop()


async def test_a_node_behind_a_clients_version_catches_up_first(seat_map, redis, db):
    other_node = SeatMap.build(redis, db)
    behind = await other_node.follower(EVENT)
    await behind.fresh()
    await hold(seat_map, 7)
    seen = await (await seat_map.follower(EVENT)).fresh()
    await behind.position(seen.cursor)
    assert behind.snapshot().cursor.version >= seen.cursor.version
