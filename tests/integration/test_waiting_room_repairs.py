"""A repair stops the calling for half a minute: one where something was lost, and no second."""

from __future__ import annotations

import asyncio

import pytest

from core.errors import Stale
from core.redis import now_ms
from core.tasks import end
from tests.waiting import until
from waiting_room import keys

FANS = [f"vs_{n}" for n in range(5)]
ANOTHER = ("another run", "another id")
SOON_S = 5


@pytest.fixture
async def rooms(build_room):
    """Two nodes whose rounds the test runs itself."""
    return build_room(), build_room()


@pytest.fixture
async def event_id(rooms, make_sale):
    """Five fans wait, and both nodes have read the log to its end."""
    event_id = await make_sale(mode="on", max_active=0)
    for fan in FANS:
        await rooms[0].join(event_id, fan)
    for room in rooms:
        await room.hub.view(event_id)
        epoch, floor = await room.at(event_id)
        assert (epoch.generation, floor > 0) == (1, True)
    return event_id


async def rounds(rooms, event_id):
    for _ in range(4):
        for room in rooms:
            await room.hub._round_guarded(event_id)


async def generations(rooms, event_id):
    return [(await room.generations.epoch(event_id)).generation for room in rooms]


async def let_go(room, event_id):
    room.hub._events[event_id].wanted_at -= 3_600
    await room.hub._let_go()
    assert not room.hub.views()


@pytest.fixture
def soon_on(monkeypatch):
    monkeypatch.setenv("ONSALE_RESTORE_S", str(SOON_S))


@pytest.mark.usefixtures("soon_on")
async def test_after_a_repair_calling_stands_still_for_as_long_as_the_operator_said(
    node, make_sale, redis
):
    room, event_id = node.services.waiting_room, await make_sale(mode="on")
    await until(lambda: room.join(event_id, "vs_fan"), despite=Stale)  # who may come back then
    before_ms = await now_ms(redis)
    room.hub.lost(event_id, behind=True)
    await until(lambda: room.at(event_id), lambda at: at[0].generation == 2, despite=Stale)
    resume_at_ms = (await room.settings(event_id)).resume_at_ms
    assert before_ms <= resume_at_ms - SOON_S * 1000 <= await now_ms(redis)


async def test_a_redis_that_was_restarted_is_repaired_once_though_every_node_sees_it(
    rooms, event_id, db
):
    await db.execute("update generation set run_id = $1, repl_id = $2", *ANOTHER)
    for room in rooms:
        room.generations._server = ANOTHER
        watch = asyncio.create_task(room.generations.watch())
        await until(lambda room=room: room.generations._server != ANOTHER)
        await end(watch)
    await rounds(rooms, event_id)
    assert await generations(rooms, event_id) == [2, 2]
    for room in rooms:
        assert (await room.hub.view(event_id)).ranks.present == len(FANS)


async def test_a_log_that_is_too_short_is_repaired_once_though_every_node_sees_it(
    rooms, event_id, redis
):
    await redis.hset(keys.key(event_id, "state"), "version", 0)
    for room in rooms:
        with pytest.raises(Stale):
            await room.state(event_id, FANS[0])
    await rounds(rooms, event_id)
    assert await generations(rooms, event_id) == [2, 2]


async def test_an_answer_from_before_a_repair_is_not_taken_for_one_from_after_it(rooms, event_id):
    room, _ = rooms
    event = room.hub._events[event_id]
    poll = asyncio.create_task(room.hub._poll(event_id, event))
    await asyncio.sleep(0)  # it has asked
    room.hub.lost(event_id, behind=True)
    view = await poll
    assert view.ranks.present == len(FANS)
    await rounds(rooms, event_id)
    assert await generations(rooms, event_id) == [2, 2]


async def test_a_node_that_let_an_event_go_takes_no_version_from_before_a_repair_for_one_of_now(
    rooms, event_id
):
    room, other = rooms
    other.hub.lost(event_id, behind=True)
    await other.generations.epoch(event_id)
    room.generations.forget(event_id)
    await room.generations.epoch(event_id)
    await let_go(room, event_id)
    await room.state(event_id, FANS[0])
    assert await generations(rooms, event_id) == [2, 2]


async def test_a_node_that_let_an_event_go_sees_by_its_first_look_that_the_log_is_too_short(
    rooms, event_id, redis
):
    room, _ = rooms
    await let_go(room, event_id)
    await redis.hset(keys.key(event_id, "state"), "version", 0)
    with pytest.raises(Stale):
        await room.hub.view(event_id)


@pytest.mark.parametrize(
    ("sale", "stands_still"),
    [
        ({"mode": "auto"}, False),
        ({"mode": "auto", "max_active": 0}, True),  # the fan below gets a place
        ({"mode": "on", "opens_in_s": 3600}, True),  # and here an entry of the lobby
    ],
)
async def test_calling_stands_still_after_a_loss_where_somebody_may_have_lost_a_place(
    rooms, make_sale, redis, sale, stands_still
):
    event_id = await make_sale(**sale)
    for room in rooms:
        await room.join(event_id, "vs_fan")
    await redis.flushall()
    rooms[0].hub.lost(event_id, behind=False)
    assert (await rooms[0].generations.epoch(event_id)).generation == 2
    settings = await rooms[0].settings(event_id)
    assert (settings.resume_at_ms > 0) == stands_still


async def test_in_a_room_that_nobody_waited_in_fans_go_straight_in_at_once_after_a_loss(
    rooms, make_sale, redis
):
    event_id = await make_sale(mode="auto")
    await rooms[0].generations.epoch(event_id)
    await redis.flushall()
    rooms[0].hub.lost(event_id, behind=False)
    assert (await rooms[0].join(event_id, "vs_fan"))["state"] == "admitted"
