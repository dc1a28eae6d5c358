"""Rows of calls and admissions: written late, refused, and what a repair makes of them.

PostgreSQL is held up by a lock on the table, so that each step comes when the test says so.
"""

import asyncio
from contextlib import asynccontextmanager

import pytest

from core.errors import Stale, StoreUnavailable
from tests.waiting import until
from waiting_room.model import Admission, Call

WAITING_FOR_A_LOCK = "select pid from pg_locks where not granted"


@asynccontextmanager
async def calls_locked(db):
    """Nobody writes to `call` meanwhile; reading goes on."""
    async with db.transaction() as connection:
        await connection.execute("lock table call in exclusive mode")
        yield


async def who_waits(db):
    return await until(lambda: db.fetchval(WAITING_FOR_A_LOCK), what="somebody waits for a lock")


async def repaired(room, redis, event_id):
    """Redis has lost everything, and this node repairs it."""
    await redis.flushall()
    room.generations.forget(event_id)
    return await room.generations.epoch(event_id)


async def test_a_call_of_a_redis_that_is_gone_is_not_inserted_after_the_repair(
    build_room, make_sale, db, redis
):
    event_id = await make_sale(mode="on")
    late, other = build_room(), build_room()
    await late.join(event_id, "vs_fan")
    await late.hub._tick(event_id, await late.hub.view(event_id))  # turns the page of presence
    await late.hub._poll(event_id, late.hub._events[event_id])
    async with calls_locked(db):
        tick = asyncio.create_task(late.hub._tick(event_id, await late.hub.view(event_id)))
        await who_waits(db)
        await repaired(other, redis, event_id)
    with pytest.raises(Stale):
        await tick
    assert await other.calls(event_id) == []


async def test_a_repair_waits_for_calls_that_are_being_inserted_and_lays_them(
    build_room, make_sale, db, redis
):
    event_id = await make_sale(mode="on", max_active=0)
    room, other = build_room(), build_room()
    epoch = await room.generations.epoch(event_id)
    call = Call("vs_fan", Admission("ad_one", 0, 1_900_000_000_000, "skip"))
    repairs = []

    async def while_it_is_written(connection):
        repairs.append(asyncio.create_task(repaired(other, redis, event_id)))
        await who_waits(db)

    await room.rooms.ask_to_skip(event_id, epoch, call, while_it_is_written)
    await repairs[0]
    standing = await other.where(event_id, "vs_fan")
    assert (standing.kind, standing.admission.call_id) == ("called", "ad_one")


async def test_who_was_let_straight_in_while_postgresql_refused_the_row_gets_it_with_the_next_try(
    build_room, make_sale, db, redis
):
    event_id = await make_sale(mode="auto")
    room, other = build_room(), build_room()
    await room.generations.epoch(event_id)
    async with calls_locked(db):
        first = asyncio.create_task(room.join(event_id, "vs_fan"))
        await db.fetchval("select pg_cancel_backend($1)", await who_waits(db))
        with pytest.raises(StoreUnavailable):
            await first
    assert await room.calls(event_id) == []
    again = await room.join(event_id, "vs_fan")
    await repaired(other, redis, event_id)
    kept = await other.state(event_id, "vs_fan")
    assert kept["admissionId"] == again["admissionId"]
    assert kept["endsAt"] == again["endsAt"]


async def test_who_leaves_before_the_row_of_their_call_is_written_is_not_called_again(
    build_room, make_sale, redis
):
    event_id = await make_sale(mode="on")
    room, other = build_room(), build_room()
    await room.join(event_id, "vs_fan")
    epoch, floor = await room.at(event_id)
    await room.store.age(event_id, epoch, floor)
    calls = await room.store.tick(event_id, epoch, floor, call_ids=["ad_one"])
    assert [call.subject for call in calls] == ["vs_fan"]
    await room.leave(event_id, "vs_fan")
    await room.rooms.insert_calls(event_id, epoch, calls)
    await repaired(other, redis, event_id)
    assert (await other.where(event_id, "vs_fan")).kind == "none"
