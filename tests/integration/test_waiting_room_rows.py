"""Rows of calls and admissions: written late, refused, and what a repair makes of them.

PostgreSQL is held up by a lock on the table, so that each step comes when the test says so.
"""

import asyncio
from contextlib import asynccontextmanager

import pytest

from core.errors import Stale, StoreUnavailable
from tests.waiting import until
from waiting_room.keys import epoch_key
from waiting_room.model import Admission, Call

WAITING_FOR_A_LOCK = "select pid from pg_locks where not granted"
INSERT = (
    "insert into call (event_id, subject, call_id, place, kind, called_at)"
    " values ($1, $2, $3, $4, $5, now())"
)
TWO_WAIT = "select count(distinct pid) = 2 from pg_locks where not granted"


@asynccontextmanager
async def calls_locked(db):
    """Nobody writes to `call` meanwhile; reading goes on."""
    async with db.transaction() as connection:
        await connection.execute("lock table call in exclusive mode")
        yield


@asynccontextmanager
async def another_inserts(db, event_id, call):
    """Whoever inserts this call waits meanwhile for what becomes of it: nothing."""
    async with db.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        held = call.admission
        values = event_id, call.subject, held.call_id, held.place, held.kind
        await connection.execute(INSERT, *values)
        yield
        await transaction.rollback()


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
    async with another_inserts(db, event_id, call):
        insert = asyncio.create_task(room.rooms.insert_calls(event_id, epoch, [call]))
        await who_waits(db)
        repair = asyncio.create_task(repaired(other, redis, event_id))
        await until(lambda: db.fetchval(TWO_WAIT), what="the repair waits for the insert")
    await insert
    await repair
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


async def leave(room, event_id, fan):
    await room.leave(event_id, fan)


async def revoke(room, event_id, fan):
    async def note(_):
        pass

    await room.interventions.revoke(event_id, fan, "robot", lambda *_: note)


@pytest.mark.parametrize("out_of_line", [False, True], ids=["from the queue", "out of line"])
@pytest.mark.parametrize("end", [leave, revoke])
async def test_whose_turn_ends_before_its_row_is_written_is_not_called_again(
    build_room, make_sale, redis, end, out_of_line
):
    event_id = await make_sale(mode="on")
    room, other = build_room(), build_room()
    if not out_of_line:
        await room.join(event_id, "vs_fan")
    epoch, floor = await room.at(event_id)
    await room.store.age(event_id, epoch, floor)
    if out_of_line:
        await room.store.skip(event_id, epoch, floor, "vs_fan", call_id="ad_one")
    calls = await room.store.tick(event_id, epoch, floor, call_ids=["ad_one"])
    assert [call.subject for call in calls] == ["vs_fan"]
    await end(room, event_id, "vs_fan")
    await room.rooms.insert_calls(event_id, epoch, calls)
    await repaired(other, redis, event_id)
    assert (await other.where(event_id, "vs_fan")).kind == "none"


async def test_a_turn_out_of_line_that_redis_was_never_asked_for_leaves_no_row(
    build_room, make_sale, redis
):
    event_id = await make_sale(mode="on", max_active=5)
    room, other = build_room(), build_room()
    mine = await room.join(event_id, "vs_fan")

    async def redis_goes_away(connection):
        await redis.delete(epoch_key(event_id))

    with pytest.raises(Stale):
        await room.interventions.skip(event_id, "vs_fan", lambda *_: redis_goes_away)
    await repaired(other, redis, event_id)
    assert await other.calls(event_id) == []
    back = await other.join(event_id, "vs_fan", mine["slip"])
    assert (back["state"], back["place"]) == ("waiting", mine["place"])


async def test_a_turn_out_of_line_whose_node_dies_before_the_row_is_announced_by_another(
    build_room, make_sale
):
    event_id = await make_sale(mode="on", max_active=5)
    room, other = build_room(), build_room()
    place = (await room.join(event_id, "vs_fan"))["place"]
    epoch, floor = await room.at(event_id)
    await room.store.age(event_id, epoch, floor)
    await room.store.skip(event_id, epoch, floor, "vs_fan", call_id="ad_one")
    await other.hub._tick(event_id, await other.hub.view(event_id))
    (call,) = await other.calls(event_id)
    assert (call["kind"], call["place"], call["end_reason"]) == ("skip", place, None)
    assert (await other.where(event_id, "vs_fan")).kind == "called"
