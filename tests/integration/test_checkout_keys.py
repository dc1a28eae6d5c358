"""Idempotency-Key: whatever happens on the way, one key is one booking and one answer."""

import asyncio
import contextlib

import orjson
import pytest

from app.checkout.bookings import service
from app.checkout.bookings.service import Order
from app.checkout.bookings.store import BookingStore
from app.checkout.errors import KeyInUse
from core.db import load_queries
from core.ids import new_id
from core.tasks import end
from tests.waiting import until

LONG_AGO = "update idempotency set created_at = now() - interval '1 minute'"


@pytest.fixture
def shopper(fan, make_sale):
    """An admitted fan, the event, and a call that books tickets by their seats."""

    async def make(**sale):
        event_id = await make_sale(**sale)
        client = fan()
        await client.post(f"/events/{event_id}/queue", json={})
        return client, event_id

    return make


def order(event_id, *seats, token="tok_approve"):
    return {
        "ticketIds": [f"{event_id}-{seat}" for seat in seats],
        "email": "fan@example.org",
        "paymentDetails": {"token": token},
    }


async def book(client, event_id, *seats, key="k", token="tok_approve"):
    return await client.post(
        f"/bookings/{event_id}",
        json=order(event_id, *seats, token=token),
        headers={"idempotency-key": key},
    )


async def bookings(db):
    return await db.fetch("select booking_id, state from booking")


def code(reply):
    return reply.json().get("code", reply.json().get("status"))


@pytest.mark.parametrize("token", ["tok_approve", "tok_decline"])
async def test_a_repeat_gets_the_first_answer_whatever_it_was(shopper, db, token):
    client, event_id = await shopper()
    first = await book(client, event_id, 1, token=token)
    again = await book(client, event_id, 1, token=token)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert len(await bookings(db)) == 1


async def test_a_refusal_before_the_claim_is_an_answer_too(shopper, db):
    client, event_id = await shopper()
    await db.execute("update event set cancelled_at = now() where event_id = $1", event_id)
    assert code(await book(client, event_id, 1)) == "event_closed"
    await db.execute("update event set cancelled_at = null where event_id = $1", event_id)
    assert code(await book(client, event_id, 1)) == "event_closed"
    assert code(await book(client, event_id, 1, key="another")) == "confirmed"


async def test_a_key_belongs_to_one_request_of_one_fan(shopper, fan, db):
    client, event_id = await shopper()
    await book(client, event_id, 1)
    assert code(await book(client, event_id, 2)) == "key_reused"
    other = fan()
    await other.post(f"/events/{event_id}/queue", json={})
    assert code(await book(other, event_id, 2)) == "confirmed"


async def test_calls_with_one_key_at_once_make_one_booking(shopper, db):
    client, event_id = await shopper()
    replies = await asyncio.gather(*(book(client, event_id, 1) for _ in range(8)))
    assert {code(reply) for reply in replies} <= {"confirmed", "key_in_use"}
    assert "confirmed" in {code(reply) for reply in replies}
    assert [row["state"] for row in await bookings(db)] == ["captured"]


async def test_calls_with_many_keys_at_once_sell_a_ticket_once(shopper, db):
    client, event_id = await shopper()
    replies = await asyncio.gather(*(book(client, event_id, 1, key=f"k{n}") for n in range(8)))
    assert [code(reply) for reply in replies].count("confirmed") == 1
    assert [row["state"] for row in await bookings(db)] == ["captured"]


async def test_while_the_first_call_is_under_way_a_repeat_is_asked_to_come_back(shopper, db):
    client, event_id = await shopper()
    async with db.transaction() as tx:  # holds the first call up in its claim
        await tx.execute("lock table booking in share mode")
        first = asyncio.create_task(book(client, event_id, 1))
        await until(lambda: db.fetchval("select count(*) from idempotency"))
        repeat = await book(client, event_id, 1)
        assert (repeat.status_code, code(repeat)) == (409, "key_in_use")
        assert repeat.headers["retry-after"]
    assert code(await first) == "confirmed"


async def test_a_client_that_goes_away_does_not_cut_its_booking_in_half(shopper, node, db):
    client, event_id = await shopper()
    async with db.transaction() as tx:
        await tx.execute("lock table booking in share mode")
        first = asyncio.create_task(book(client, event_id, 1))
        await until(lambda: db.fetchval("select count(*) from idempotency"))
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
    await node.services.checkout.bookings.stop()  # waits for what is under way
    assert [row["state"] for row in await bookings(db)] == ["captured"]
    assert code(await book(client, event_id, 1)) == "confirmed"


async def test_an_answer_that_takes_too_long_is_pending_now_and_for_ever(
    shopper, node, monkeypatch
):
    client, event_id = await shopper()
    monkeypatch.setattr(service, "ANSWER_WITHIN_S", 2.0)  # tok_slow takes 4
    first = await book(client, event_id, 1, token="tok_slow")
    assert (first.status_code, first.json()["status"]) == (202, "pending")
    await node.services.checkout.bookings.stop()  # waits for what is under way
    shown = await client.get(f"/bookings/{first.json()['bookingId']}")
    assert shown.json()["status"] == "confirmed"
    again = await book(client, event_id, 1, token="tok_slow")
    assert (again.status_code, again.content) == (first.status_code, first.content)


async def test_a_key_whose_node_died_before_the_claim_can_be_used_again(shopper, node, db):
    client, event_id = await shopper()
    subject = subject_of(client)
    begin = load_queries("app.checkout")["key_begin"]
    await db.fetchval(begin, subject, "k", "the request", new_id("bk"))  # and it died

    async def repeat():
        order = Order(None, (f"{event_id}-1",), "fan@example.org", "tok_approve")
        return await node.services.checkout.bookings.book(
            event_id, subject, "k", "the request", order
        )

    with pytest.raises(KeyInUse):
        await repeat()  # it may still be at work
    await db.execute(LONG_AGO)
    with pytest.raises(KeyInUse):
        await repeat()  # given up now, so that its claim can't come any more
    assert (await repeat())[0] == 201


async def test_a_key_whose_node_died_after_the_claim_tells_of_its_booking(
    shopper, node, db, make_claim
):
    client, event_id = await shopper()
    claim = await make_claim(event_id, 1, subject=subject_of(client))
    await BookingStore(db).claim(claim)  # and it died
    await db.execute(LONG_AGO)
    order = Order(None, (f"{event_id}-1",), claim.email, claim.token)
    status, body = await node.services.checkout.bookings.book(
        event_id, claim.subject, claim.key, "", order
    )
    assert status == 202
    assert orjson.loads(body) == {"bookingId": claim.booking_id, "status": "pending"}


async def test_an_outage_after_the_claim_hides_no_paid_booking(shopper, db, redis):
    """The waiting room is under repair when the payment comes through."""
    client, event_id = await shopper()
    first = asyncio.create_task(book(client, event_id, 1, token="tok_slow"))
    await until(lambda: bookings(db))
    queries = load_queries("core")
    async with db.connection() as other_node:
        assert await other_node.fetchval(queries["repair_lock"], f"onsale repair wr {event_id}")
        await redis.delete(f"wr:{{{event_id}}}:epoch")
        reply = await first
        await other_node.fetchval(queries["repair_unlock"], f"onsale repair wr {event_id}")
    assert code(reply) == "confirmed"
    again = await book(client, event_id, 1, token="tok_slow")
    assert again.content == reply.content


@pytest.fixture
async def outage(db):
    """PostgreSQL goes away whenever the statement is run, until `drop trigger outage` is."""
    await db.execute(
        "create function go_away() returns trigger language plpgsql as"
        " $$ begin raise exception 'going away' using errcode = 'admin_shutdown'; end $$"
    )

    async def at(statement):
        await db.execute(f"create trigger outage before {statement} execute function go_away()")

    return at


async def test_an_outage_in_the_claim_gives_key_and_hold_back(shopper, db, outage):
    client, event_id = await shopper()
    await outage("insert on booking")
    reply = await book(client, event_id, 1)
    assert (reply.status_code, code(reply)) == (503, "store_unavailable")
    await db.execute("drop trigger outage on booking")
    assert (await client.delete(await hold_path(client, event_id))).status_code == 204
    assert code(await book(client, event_id, 1)) == "confirmed"


async def test_an_outage_in_the_commit_leaves_the_booking_pending_and_recovery_ends_it(
    shopper, db, outage, node
):
    client, event_id = await shopper()
    await outage("update on booking_ticket")
    first = await book(client, event_id, 1)
    assert (first.status_code, code(first)) == (202, "pending")
    assert (await book(client, event_id, 1)).content == first.content
    await db.execute("drop trigger outage on booking_ticket")
    await db.execute("update booking set touched_at = now() - interval '1 minute'")

    async def captured():
        return [row["state"] for row in await bookings(db)] == ["captured"]

    await until(captured)  # by the node's own recovery
    until_booked = "select end_reason from call where event_id = $1"
    await until(lambda: db.fetchval(until_booked, event_id))


async def test_a_claim_that_comes_too_long_after_the_pin_is_abandoned(shopper, db, monkeypatch):
    client, event_id = await shopper()
    with monkeypatch.context() as frozen:
        frozen.setattr(service, "CLAIM_WITHIN_S", -1.0)  # as if it had been frozen in between
        reply = await book(client, event_id, 1)
    assert (reply.status_code, code(reply)) == (503, "store_unavailable")
    assert not await bookings(db)
    assert (await client.delete(await hold_path(client, event_id))).status_code == 204
    assert code(await book(client, event_id, 1)) == "confirmed"


async def hold_path(client, event_id):
    """Of the fan's hold. Only one that no booking is taking can be released."""
    mine = await client.get(f"/events/{event_id}/holds/mine")
    return f"/events/{event_id}/holds/{mine.json()['holdId']}"


async def test_a_hold_that_came_too_late_in_postgresql_is_told_which_seats_are_taken(
    shopper, db, make_claim, node
):
    """S4: this fan's node was frozen, its locks ran out, another fan was faster."""
    client, event_id = await shopper()
    relay = node.services.checkout._relaying
    await end(relay)  # it would take the faster fan's claim to Redis, and the hold would be gone
    await client.post(
        f"/events/{event_id}/holds", json={"ticketIds": [f"{event_id}-1", f"{event_id}-2"]}
    )
    await BookingStore(db).claim(await make_claim(event_id, 2, subject="vs_faster"))
    reply = await book(client, event_id, 1, 2)
    assert (reply.status_code, code(reply)) == (409, "seats_taken")
    assert reply.json()["tickets"] == [f"{event_id}-2"]
    assert len(await bookings(db)) == 1


async def test_a_fence_that_was_replaced_in_redis_fails_at_the_pin(shopper, db, redis):
    client, event_id = await shopper()
    held = await client.post(f"/events/{event_id}/holds", json={"ticketIds": [f"{event_id}-1"]})
    await redis.set(f"sm:{{{event_id}}}:lock:1", "hd_other:1.99")
    body = order(event_id, 1) | {"holdId": held.json()["holdId"]}
    del body["ticketIds"]
    reply = await client.post(f"/bookings/{event_id}", json=body, headers={"idempotency-key": "k"})
    assert (reply.status_code, code(reply)) == (409, "hold_ended")
    assert not await bookings(db)


def subject_of(client):
    return client.cookies["onsale_visitor"].partition(".")[0]
