"""`kill -9` of a node anywhere between the pin and the end leaves nothing half-sold (M1 to M4).

Whatever was left, another node's recovery and relay bring it to one of two ends: sold, captured
once and shown as sold; or free, with nothing charged.
"""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from app.checkout.bookings.drive import Driver
from app.checkout.bookings.store import BookingStore
from app.checkout.recovery.service import Recovery
from app.payments.gateway import SandboxGateway
from core.signing import Keys
from tests.ledger import movements
from tests.waiting import LIMIT_S

SCRIPT = Path(__file__).with_name("crashing_node.py")
HOLD_MS = 600_000  # of the event; a pin never shortens what the fan was promised
SOLD = [
    *("claimed", "payment stored", "authorised", "committed"),
    *("captured at the gateway", "captured"),
]


@pytest.fixture
def die_at(make_sale, database_url, redis_url, gateway_socket):
    async def die(point):
        event_id = await make_sale(seats=6)
        places = (database_url, redis_url, str(gateway_socket))
        command = [sys.executable, str(SCRIPT), point, event_id, *places]
        process = await asyncio.create_subprocess_exec(*command, cwd=SCRIPT.parents[2])
        async with asyncio.timeout(LIMIT_S):
            assert await process.wait() == -signal.SIGKILL
        return event_id

    return die


@pytest.fixture
async def recovery(db, gateway_socket):
    gateway = SandboxGateway(gateway_socket)
    store = BookingStore(db)
    driver = Driver(store, gateway, Keys("s" * 32))
    yield Recovery(store, driver, lambda: None, untouched_s=0)
    await gateway.aclose()


@pytest.mark.parametrize("point", SOLD)
async def test_a_claimed_booking_is_completed_and_charged_once(
    point, die_at, recovery, node, fan, db, gateway_ledger
):
    event_id = await die_at(point)

    await recovery.once()
    await recovery.once()
    await node.services.checkout.relay.once()

    booking = await db.fetchrow("select * from booking where event_id = $1", event_id)
    assert booking["state"] == "captured"
    assert await ticket_states(db, event_id) == {3: "sold", 4: "sold"}
    assert movements(gateway_ledger, booking["booking_id"]) == ["authorised", "captured"]
    shown = (await fan().get(f"/events/{event_id}/seats")).json()
    assert shown["states"] == "000220"


async def test_a_node_that_died_before_the_claim_leaves_no_booking_and_the_pin_ends(
    die_at, recovery, node, fan, db, redis
):
    event_id = await die_at("pinned")
    assert await recovery.once() == 0
    assert await db.fetchval("select count(*) from booking where event_id = $1", event_id) == 0
    locks = [key async for key in redis.scan_iter(f"sm:{{{event_id}}}:lock:*")]
    assert len(locks) == 2
    for lock in locks:
        assert 0 < await redis.pttl(lock) <= HOLD_MS


async def test_two_nodes_that_recover_at_once_charge_once(die_at, recovery, db, gateway_ledger):
    event_id = await die_at("authorised")
    await recovery.once()
    taken = await recovery._store.take_over(untouched_s=0, limit=10)
    assert taken == []  # what has reached its end is left alone
    booking_id = await db.fetchval("select booking_id from booking where event_id = $1", event_id)
    assert movements(gateway_ledger, booking_id) == ["authorised", "captured"]


async def test_a_slow_owner_that_wakes_up_after_a_takeover_writes_nothing(die_at, recovery, db):
    event_id = await die_at("payment stored")
    store = recovery._store
    slow = await store.get(
        await db.fetchval("select booking_id from booking where event_id = $1", event_id)
    )
    await recovery.once()
    with pytest.raises(Exception, match=slow.booking_id) as refused:
        await store.commit(slow)
    assert type(refused.value).__name__ == "Overtaken"


async def ticket_states(db, event_id):
    rows = await db.fetch(
        "select seat_index, state from booking_ticket where event_id = $1", event_id
    )
    return {row["seat_index"]: row["state"] for row in rows}
