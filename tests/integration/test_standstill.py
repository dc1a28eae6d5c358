"""How nodes come to know that a sale stands still, and what each of their looks does then."""

import pytest

from app.standstill import Standstill
from core.signing import Keys
from seatmap.service import SeatMap
from waiting_room.keys import key
from waiting_room.node.nodes import Nodes
from waiting_room.policy import (
    OUTAGE_MS,
    PUT_OFF_EVERY_MS,
    away_since,
    made_good_until,
)
from waiting_room.service import WaitingRoom

AHEAD_MS = 3 * PUT_OFF_EVERY_MS


class OneNode:
    """What a node knows of the sale, and its looks, which the test runs itself."""

    def __init__(self, redis, db):
        self.room, self.seat_map = WaitingRoom.build(redis, db, Keys("s" * 32)), SeatMap(redis, db)
        self.db = db
        self.standstill = Standstill(db, self.room, self.seat_map)

    async def look(self, event_id):
        await self.room.hub._poll(event_id, self.room.hub._event(event_id))
        await self.standstill.look()

    async def end_of(self, event_id, fan):
        return (await self.room.state(event_id, fan))["endsAt"]


@pytest.fixture
async def nodes(redis, db):
    made = [OneNode(redis, db) for _ in range(2)]
    yield made
    for each in made:
        await each.room.stop()
        await each.seat_map.stop()


def test_ends_are_put_off_some_way_ahead_and_to_one_moment_for_all():
    for now_ms in (0, 1, PUT_OFF_EVERY_MS - 1, 1_900_000_000_123):
        ahead_ms = made_good_until(now_ms) - now_ms
        assert AHEAD_MS - PUT_OFF_EVERY_MS < ahead_ms <= AHEAD_MS
        assert made_good_until(now_ms) % PUT_OFF_EVERY_MS == 0


async def test_postgresql_is_away_when_no_node_has_reached_it_for_a_while(redis):
    one, other = Nodes(redis), Nodes(redis)
    assert await one.reached(here=False, now_ms=500) == (500, 500), "nobody ever did"
    await one.reached(here=True, now_ms=1_000)
    short = await other.reached(here=False, now_ms=999 + OUTAGE_MS)
    assert away_since(*short) is None
    long = await other.reached(here=False, now_ms=1_000 + OUTAGE_MS)
    assert away_since(*long) == 1_000
    await one.reached(here=True, now_ms=1_001 + OUTAGE_MS)
    assert away_since(*await other.reached(here=False, now_ms=1_002 + OUTAGE_MS)) is None


async def test_a_node_that_alone_does_not_reach_postgresql_puts_nothing_off(
    nodes, make_sale, redis, db
):
    event_id, (one, other) = await make_sale(mode="auto"), nodes
    before = (await one.room.join(event_id, "vs_fan"))["endsAt"]
    for each in nodes:
        await each.look(event_id)
    db.away = True  # as the other finds it, whose own pool is
    await other.standstill.look()
    assert await one.end_of(event_id, "vs_fan") == before
    await redis.decrby(key("nodes", "reached"), OUTAGE_MS)
    db.away = True
    await other.standstill.look()
    assert await one.end_of(event_id, "vs_fan") >= before + OUTAGE_MS


async def test_a_stop_is_made_good_from_its_beginning_though_no_node_looked_for_a_while(
    nodes, make_sale, redis
):
    event_id, (one, other) = await make_sale(mode="auto"), nodes
    before = (await one.room.join(event_id, "vs_fan"))["endsAt"]
    await one.room.change_settings(event_id, 1, stopped=True)
    await redis.hincrby(key(event_id, "state"), "stopped_at_ms", -60_000)
    await one.look(event_id)
    once = await one.end_of(event_id, "vs_fan")
    assert 60_000 <= once - before <= 60_000 + 2 * AHEAD_MS
    await other.look(event_id)
    await one.look(event_id)
    assert (await one.end_of(event_id, "vs_fan") - once) % PUT_OFF_EVERY_MS == 0, "whole steps"
    await one.look(event_id)
    (call,) = await one.room.calls(event_id)
    assert call["ends_at_ms"] >= once


async def test_a_stop_begins_once_and_another_change_leaves_its_beginning(nodes, make_sale, redis):
    event_id, (one, _) = await make_sale(mode="auto"), nodes
    state = key(event_id, "state")
    await one.room.change_settings(event_id, 1, stopped=True)
    began = await redis.hget(state, "stopped_at_ms")
    await redis.hincrby(state, "stopped_at_ms", -1)
    await one.room.change_settings(event_id, 2, message="Soon.")
    assert int(await redis.hget(state, "stopped_at_ms")) == int(began) - 1
    await one.room.change_settings(event_id, 3, stopped=False)
    assert await redis.hget(state, "stopped_at_ms") is None


async def test_whoever_is_called_during_a_stop_has_the_accept_window_after_it(
    nodes, make_sale, redis
):
    event_id, (one, _) = await make_sale(mode="on"), nodes
    await one.room.join(event_id, "vs_fan")
    for _ in range(2):  # the first turns the page of presence
        view = await one.room.hub._poll(event_id, one.room.hub._event(event_id))
        await one.room.hub._tick(event_id, view)
    called = await one.room.state(event_id, "vs_fan")
    await one.room.change_settings(event_id, 1, stopped=True)
    await one.look(event_id)
    later = await one.room.state(event_id, "vs_fan")
    assert (called["state"], later["state"]) == ("called", "called")
    assert later["acceptBy"] >= called["acceptBy"] + PUT_OFF_EVERY_MS


async def test_an_admission_that_ends_just_as_the_sale_is_stopped_is_over(nodes, make_sale):
    event_id, (one, _) = await make_sale(mode="auto"), nodes
    await one.room.join(event_id, "vs_fan")
    await one.room.change_settings(event_id, 1, stopped=True)
    await one.room.ended(event_id, "vs_fan", "ended")
    await one.look(event_id)
    assert (await one.room.where(event_id, "vs_fan")).kind == "none"
