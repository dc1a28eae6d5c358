"""The relay carries PostgreSQL's word to the seat map, whatever order and however often."""

import asyncio

import pytest

from app.checkout.bookings.store import BookingStore
from app.checkout.relay import Relay
from core.db import load_queries
from seatmap.service import SeatMap
from tests.waiting import until


@pytest.fixture
async def seat_map(redis, db):
    made = SeatMap.build(redis, db)
    yield made
    await made.stop()


@pytest.fixture
def relay(db, seat_map):
    return Relay(db, seat_map)


async def shown(redis, event_id):
    return (await redis.get(f"sm:{{{event_id}}}:states")).decode()


async def test_each_change_is_shown_and_its_row_goes(relay, redis, db, make_sale, make_claim):
    event_id = await make_sale(seats=4)
    store = BookingStore(db)
    booking = await store.claim(await make_claim(event_id, 1, 2))
    await relay.once()
    assert await shown(redis, event_id) == "0440"
    await store.commit(booking)
    await relay.once()
    assert await shown(redis, event_id) == "0220"
    assert await db.fetchval("select count(*) from outbox") == 0


async def test_a_late_row_does_not_undo_a_newer_owner(relay, redis, db, make_sale, make_claim):
    event_id = await make_sale(seats=4)
    store = BookingStore(db)
    first = await store.claim(await make_claim(event_id, 1, subject="vs_first"))
    await store.give_up(first, "cancelling", "payment_declined")
    await store.free(await store.get(first.booking_id), "cancelled")
    late = await db.fetch("delete from outbox returning event_id, hold_id, seats, revs, state")
    second = await store.claim(await make_claim(event_id, 1, subject="vs_second"))
    await store.commit(second)
    await relay.once()

    for row in late:  # what a relay had taken before it was frozen
        await db.execute(load_queries("app.checkout")["outbox_insert"], *row.values())
    await relay.once()
    assert await shown(redis, event_id) == "0200"


async def test_an_event_under_repair_keeps_its_rows_and_holds_up_no_other(
    relay, redis, db, make_sale, make_claim, monkeypatch
):
    monkeypatch.setattr("app.checkout.relay.BATCH", 2)
    stuck, other = await make_sale(seats=4), await make_sale(seats=4)
    store = BookingStore(db)
    for seat in range(3):
        await store.claim(await make_claim(stuck, seat))
    await store.claim(await make_claim(other, 2))
    queries = load_queries("core")
    async with db.connection() as repairing_node:
        assert await repairing_node.fetchval(queries["repair_lock"], f"onsale repair sm {stuck}")
        assert await relay.once() == {stuck}
        assert await shown(redis, other) == "0040"
        rows = await db.fetch("select event_id from outbox")
        assert [row["event_id"] for row in rows] == [stuck] * 3
        await repairing_node.fetchval(queries["repair_unlock"], f"onsale repair sm {stuck}")
    assert await relay.once() == set()
    assert await shown(redis, stuck) == "4440"


async def test_relays_of_many_nodes_carry_everything_once(
    redis, db, seat_map, make_sale, make_claim
):
    event_id = await make_sale(seats=40)
    store = BookingStore(db)
    for seat in range(40):
        booking = await store.claim(await make_claim(event_id, seat, subject=f"vs_{seat}"))
        await store.commit(booking)
    await asyncio.gather(*(Relay(db, seat_map).once() for _ in range(4)))
    assert await shown(redis, event_id) == "2" * 40
    assert await db.fetchval("select count(*) from outbox") == 0


async def test_a_row_of_an_event_that_is_gone_holds_up_no_running_relay(
    redis, db, seat_map, make_sale, make_claim
):
    event_id = await make_sale(seats=4)
    await db.execute(
        load_queries("app.checkout")["outbox_insert"], "ev_gone", "hd_x", [1], [1], "sold"
    )
    await BookingStore(db).claim(await make_claim(event_id, 1))
    relay = Relay(db, seat_map)
    task = asyncio.create_task(relay.run())

    async def nothing_left():
        relay.kick()
        return await db.fetchval("select count(*) = 0 from outbox")

    await until(nothing_left)
    assert not task.done()
    task.cancel()
    assert await shown(redis, event_id) == "0400"


async def test_what_another_node_left_is_found_without_a_kick(
    relay, redis, db, make_sale, make_claim
):
    event_id, store = await make_sale(seats=4), BookingStore(db)
    task = asyncio.create_task(relay.run())
    for seat in (1, 2):  # at the second the relay is surely past its first look
        await store.claim(await make_claim(event_id, seat, subject=f"vs_{seat}"))
        await until(lambda: db.fetchval("select count(*) = 0 from outbox"))
    task.cancel()
    assert await shown(redis, event_id) == "0440"
