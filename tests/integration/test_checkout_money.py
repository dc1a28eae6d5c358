"""The way of the money (M1 to M4, S3), against the real sandbox gateway and its ledger."""

import asyncio
import time

import pytest

from app.checkout.bookings.drive import Driver
from app.checkout.bookings.store import BookingStore, Overtaken
from app.checkout.recovery.service import Recovery
from app.payments.gateway import SandboxGateway, Unsure
from core.signing import Keys
from tests.ledger import movements

DEADLINE_S = 60


@pytest.fixture
def store(db):
    return BookingStore(db)


@pytest.fixture
async def gateway(gateway_socket):
    client = SandboxGateway(gateway_socket, answer_timeout_s=2)  # what "unsure" waits for
    yield client
    await client.aclose()


@pytest.fixture
async def silent_gateway(tmp_path):
    """Nobody is there: every call is unsure."""
    client = SandboxGateway(tmp_path / "nobody.sock")
    yield client
    await client.aclose()


@pytest.fixture
def driver(store, gateway):
    return Driver(store, gateway, Keys("s" * 32))


@pytest.fixture
def recovery(store, driver):
    return Recovery(store, driver, lambda: None, untouched_s=0)


@pytest.fixture
def claimed(store, make_sale, make_claim):
    """A booking of seats 3 and 4 that has just been claimed, and nothing paid."""

    async def make(token="tok_approve"):
        event_id = await make_sale()
        return await store.claim(await make_claim(event_id, 3, 4, token=token))

    return make


async def until_settled(recovery, store, booking):
    """The booking at its end. A gateway under load may be unsure now and then."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        found = await store.get(booking.booking_id)
        if found.state in {"captured", "cancelled", "revoked"}:
            return found
        assert time.monotonic() < deadline, f"still {found.state}"
        await recovery.once()


async def seats(db, booking):
    rows = await db.fetch(
        "select seat_index, state from booking_ticket where booking_id = $1", booking.booking_id
    )
    return {row["seat_index"]: row["state"] for row in rows}


async def test_an_approved_payment_is_captured_once_and_gives_entry_codes(
    db, store, driver, claimed, gateway_ledger
):
    booking = await driver.drive(await claimed())
    assert booking.state == "captured"
    assert movements(gateway_ledger, booking.booking_id) == ["authorised", "captured"]
    assert await seats(db, booking) == {3: "sold", 4: "sold"}
    assert all(row["entry_code"] for row in await store.tickets(booking.booking_id))


async def test_a_declined_payment_frees_the_seats_and_charges_nothing(
    db, driver, claimed, gateway_ledger
):
    booking = await driver.drive(await claimed("tok_decline"))
    assert (booking.state, booking.reason) == ("cancelled", "payment_declined")
    assert movements(gateway_ledger, booking.booking_id) == ["declined"]
    assert await seats(db, booking) == {3: "freed", 4: "freed"}


@pytest.mark.parametrize(
    ("token", "state", "fate", "moved"),
    [
        ("tok_unsure", "captured", "sold", ["authorised", "captured"]),
        ("tok_unsure_declined", "cancelled", "freed", ["declined"]),
    ],
)
async def test_a_seat_whose_payment_is_unknown_is_kept_until_the_gateways_record_tells(
    db, store, driver, recovery, claimed, gateway_ledger, token, state, fate, moved
):
    booking = await claimed(token)
    with pytest.raises(Unsure):
        await driver.drive(booking)
    assert await seats(db, booking) == {3: "claimed", 4: "claimed"}

    assert (await until_settled(recovery, store, booking)).state == state
    assert await seats(db, booking) == {3: fate, 4: fate}
    assert movements(gateway_ledger, booking.booking_id) == moved


async def test_a_slow_gateway_is_waited_for(store, claimed, gateway_socket, gateway_ledger):
    patient = SandboxGateway(gateway_socket)
    booking = await Driver(store, patient, Keys("s" * 32)).drive(await claimed("tok_slow"))
    await patient.aclose()
    assert booking.state == "captured"
    assert movements(gateway_ledger, booking.booking_id) == ["authorised", "captured"]


async def test_while_the_gateway_is_away_nothing_is_freed_however_late_it_is(
    db, store, silent_gateway, recovery, claimed, gateway_ledger
):
    booking = await claimed()
    await grow_old(db, booking)
    alone = Driver(store, silent_gateway, Keys("s" * 32))
    for _ in range(3):
        assert await Recovery(store, alone, lambda: None, untouched_s=0).once() == 0
    assert (await store.get(booking.booking_id)).state == "cancelling"
    assert await seats(db, booking) == {3: "claimed", 4: "claimed"}

    # The gateway never heard of it. That alone frees nothing: it is created, then cancelled,
    # so that a first call which is still on its way finds a cancelled payment.
    assert (await until_settled(recovery, store, booking)).state == "cancelled"
    assert movements(gateway_ledger, booking.booking_id) == ["cancelled"]
    assert await seats(db, booking) == {3: "freed", 4: "freed"}


async def test_a_call_that_reaches_the_gateway_after_the_cancellation_moves_no_money(
    db, store, recovery, gateway, claimed, gateway_ledger
):
    booking = await claimed()
    await grow_old(db, booking)
    await until_settled(recovery, store, booking)
    late = await gateway.create(
        booking.booking_id, booking.total_minor, booking.currency, booking.token
    )
    assert (await gateway.confirm(late.payment_id)).state == "cancelled"
    assert (await gateway.capture(late.payment_id)).state == "cancelled"
    assert movements(gateway_ledger, booking.booking_id) == ["cancelled"]


async def test_a_confirmed_booking_that_was_not_captured_in_time_is_revoked_with_a_reason(
    db, store, gateway, recovery, claimed, gateway_ledger
):
    booking = await committed(store, gateway, await claimed())
    await grow_old(db, booking)
    ended = await until_settled(recovery, store, booking)
    assert (ended.state, ended.reason) == ("revoked", "not_captured")
    assert movements(gateway_ledger, booking.booking_id) == ["authorised", "cancelled"]
    assert await seats(db, booking) == {3: "freed", 4: "freed"}


async def test_a_confirmed_booking_that_stands_still_is_captured(
    store, gateway, recovery, claimed, gateway_ledger
):
    booking = await committed(store, gateway, await claimed())
    assert (await until_settled(recovery, store, booking)).state == "captured"
    assert movements(gateway_ledger, booking.booking_id) == ["authorised", "captured"]


async def test_a_success_that_shows_after_giving_up_is_refunded(
    db, store, gateway, recovery, claimed, gateway_ledger
):
    booking = await committed(store, gateway, await claimed())
    await store.give_up(await store.get(booking.booking_id), "revoking", "not_captured")
    payment = await gateway.find(booking.booking_id)
    await gateway.capture(payment.payment_id)  # sent by an owner that did not know

    assert (await until_settled(recovery, store, booking)).state == "revoked"
    assert movements(gateway_ledger, booking.booking_id) == ["authorised", "captured", "refunded"]


async def test_an_event_that_was_cancelled_meanwhile_is_not_charged(
    db, driver, claimed, gateway_ledger
):
    booking = await claimed()
    await db.execute("update event set cancelled_at = now() where event_id = $1", booking.event_id)
    booking = await driver.drive(booking)
    assert (booking.state, booking.reason) == ("cancelled", "event_closed")
    assert movements(gateway_ledger, booking.booking_id) == ["authorised", "cancelled"]


async def test_two_nodes_that_recover_at_once_charge_once(
    db, store, driver, claimed, gateway_ledger
):
    bookings = [await claimed() for _ in range(8)]
    nodes = [Recovery(store, driver, lambda: None, untouched_s=0) for _ in range(2)]
    await asyncio.gather(*(node.once() for node in nodes))
    for booking in bookings:
        await until_settled(nodes[0], store, booking)
        assert movements(gateway_ledger, booking.booking_id) == ["authorised", "captured"]
        assert await seats(db, booking) == {3: "sold", 4: "sold"}


async def test_an_owner_that_wakes_up_after_a_takeover_can_write_nothing(
    store, driver, recovery, claimed
):
    slow = await claimed()
    assert await store.take_over(untouched_s=0, limit=1)  # and the new owner has done nothing yet
    for write in (
        store.payment(slow, "pay_other"),
        store.commit(slow),
        store.give_up(slow, "cancelling", "payment_timeout"),
    ):
        with pytest.raises(Overtaken):
            await write
    with pytest.raises(Overtaken):
        await driver.drive(slow)
    assert (await store.get(slow.booking_id)).state == "claimed"
    assert (await until_settled(recovery, store, slow)).state == "captured"


async def committed(store, gateway, booking):
    """Paid and sold, but its node died before the capture."""
    payment = await gateway.create(
        booking.booking_id, booking.total_minor, booking.currency, booking.token
    )
    await store.payment(booking, payment.payment_id)
    await gateway.confirm(payment.payment_id)
    await store.commit(booking)
    return await store.get(booking.booking_id)


async def grow_old(db, booking):
    await db.execute(
        "update booking set created_at = created_at - interval '16 minutes' where booking_id = $1",
        booking.booking_id,
    )
