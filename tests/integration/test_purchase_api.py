"""The way of a fan through the API, and each clear refusal on it."""

import sqlite3

import pytest

from tests.waiting import until

HOLD = "hd_" + "a" * 26
OTHER = "hd_" + "b" * 26


async def admitted(fan, event_id):
    client = fan()
    reply = await client.post(f"/events/{event_id}/queue", json={})
    assert reply.json()["state"] == "admitted"
    return client


async def hold(client, event_id, *seats, hold_id=HOLD):
    body = {"holdId": hold_id, "ticketIds": [f"{event_id}-{seat}" for seat in seats]}
    return await client.post(f"/events/{event_id}/holds", json=body)


async def book(client, event_id, *, key="k1", token="tok_approve", **what):
    body = {"email": "fan@example.org", "paymentDetails": {"token": token}} | what
    return await client.post(f"/bookings/{event_id}", json=body, headers={"idempotency-key": key})


async def test_a_fan_holds_pays_and_gets_one_entry_code_a_ticket(fan, make_sale, gateway_ledger):
    event_id = await make_sale()
    client = await admitted(fan, event_id)

    held = (await hold(client, event_id, 3, 4)).json()
    assert (held["totalMinor"], held["currency"]) == (2000, "EUR")
    bought = await book(client, event_id, holdId=HOLD)
    assert (bought.status_code, bought.json()["status"]) == (201, "confirmed")

    shown = (await client.get(f"/bookings/{bought.json()['bookingId']}")).json()
    assert [(t["row"], t["seat"]) for t in shown["tickets"]] == [("A", "4"), ("A", "5")]
    codes = {ticket["entryCode"] for ticket in shown["tickets"]}
    assert len(codes) == 2
    assert all(code.startswith(f"ON1.{event_id}-") for code in codes)
    assert states_of(gateway_ledger, shown["bookingId"]) == ["captured"]


async def test_another_fan_sees_the_seats_held_and_then_sold(fan, make_sale):
    event_id = await make_sale(seats=6)
    buyer, viewer = await admitted(fan, event_id), fan()
    await hold(buyer, event_id, 1, 2)
    assert (await viewer.get(f"/events/{event_id}/seats")).json()["states"] == "011000"
    await book(buyer, event_id, holdId=HOLD)
    seen = await until(  # the node's relay is on its way with them
        lambda: viewer.get(f"/events/{event_id}/seats"),
        lambda reply: reply.json()["states"] != "011000",
    )
    assert seen.json()["states"] == "022000"


async def test_who_leaves_lets_go_of_what_they_hold(fan, make_sale):
    event_id = await make_sale(seats=6)
    client, viewer = await admitted(fan, event_id), fan()
    await hold(client, event_id, 1, 2)
    assert (await client.post(f"/events/{event_id}/queue/leave", json={})).json()["state"] == "none"
    assert (await viewer.get(f"/events/{event_id}/seats")).json()["states"] == "000000"


async def test_a_booking_is_its_owners_alone(fan, make_sale):
    event_id = await make_sale()
    owner, other = await admitted(fan, event_id), await admitted(fan, event_id)
    await hold(owner, event_id, 1)
    booking_id = (await book(owner, event_id, holdId=HOLD)).json()["bookingId"]
    assert (await other.get(f"/bookings/{booking_id}")).status_code == 404


async def test_ticket_ids_without_a_hold_are_held_in_the_same_call(fan, make_sale):
    event_id = await make_sale()
    client = await admitted(fan, event_id)
    reply = await book(client, event_id, ticketIds=[f"{event_id}-7"])
    assert reply.json()["status"] == "confirmed"


async def test_the_same_key_gives_the_same_answer_and_charges_once(fan, make_sale, gateway_ledger):
    event_id = await make_sale()
    client = await admitted(fan, event_id)
    await hold(client, event_id, 1)
    first = await book(client, event_id, holdId=HOLD)
    again = await book(client, event_id, holdId=HOLD)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert states_of(gateway_ledger, first.json()["bookingId"]) == ["captured"]
    other = await book(client, event_id, holdId=HOLD, email="other@example.org")
    assert refusal(other) == (422, "key_reused")


async def test_a_declined_payment_frees_the_seats_and_says_so(fan, make_sale, node):
    event_id = await make_sale()
    client = await admitted(fan, event_id)
    await hold(client, event_id, 1)
    reply = await book(client, event_id, holdId=HOLD, token="tok_decline")
    assert refusal(reply) == (402, "payment_declined")
    await node.services.checkout.relay.once()
    assert (await hold(await admitted(fan, event_id), event_id, 1)).status_code == 201


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ({"ticketIds": ["{e}-1", "{e}-1"]}, 422, "same_ticket_twice"),
        ({"ticketIds": ["ev_other-1"]}, 422, "other_event"),
        ({"ticketIds": ["{e}-999"]}, 422, "bad_request"),
        ({"ticketIds": ["seat one"]}, 422, "bad_request"),
        ({"ticketIds": "{e}-1"}, 422, "bad_request"),
        ({"ticketIds": []}, 422, "bad_request"),
        ({"ticketIds": ["{e}-1"], "discount": 100}, 422, "bad_request"),
        ({"ticketIds": ["{e}-1"], "holdId": "mine"}, 422, "bad_request"),
        ({}, 422, "bad_request"),
        ({"ticketIds": [f"{{e}}-{n}" for n in range(7)]}, 409, "too_many_tickets"),
        ({"ticketIds": ["{e}-0"]}, 409, "seats_taken"),
        ({"ticketIds": ["x" * 20_000]}, 413, "body_too_long"),
    ],
)
async def test_each_wrong_hold_gets_its_own_refusal(fan, make_sale, what, status, code):
    event_id = await make_sale()
    await hold(await admitted(fan, event_id), event_id, 0, hold_id=OTHER)
    client = await admitted(fan, event_id)
    ids = what.get("ticketIds")
    if isinstance(ids, list):
        what = what | {"ticketIds": [text.format(e=event_id) for text in ids]}
    reply = await client.post(f"/events/{event_id}/holds", json=what)
    assert refusal(reply) == (status, code)


async def test_a_booking_needs_a_key_a_live_hold_and_its_own_tickets(fan, make_sale):
    event_id = await make_sale()
    client = await admitted(fan, event_id)
    body = {"holdId": HOLD, "email": "a@b.org", "paymentDetails": {"token": "tok_approve"}}
    assert refusal(await client.post(f"/bookings/{event_id}", json=body)) == (400, "key_missing")
    assert refusal(await book(client, event_id, holdId=HOLD)) == (409, "hold_ended")
    await hold(client, event_id, 1, 2)
    differs = await book(client, event_id, key="k2", ticketIds=[f"{event_id}-1"])
    assert refusal(differs) == (409, "hold_differs")


async def test_a_cancelled_event_sells_nothing(fan, make_sale, db):
    event_id = await make_sale()
    client = await admitted(fan, event_id)
    await hold(client, event_id, 1)
    await db.execute("update event set cancelled_at = now() where event_id = $1", event_id)
    assert refusal(await book(client, event_id, holdId=HOLD)) == (409, "event_closed")
    assert refusal(await hold(client, event_id, 2, hold_id=OTHER)) == (409, "event_closed")


async def test_a_pass_is_good_for_its_fan_and_event_only(fan, make_sale):
    event_id, elsewhere = await make_sale(), await make_sale()
    owner, thief = await admitted(fan, event_id), await admitted(fan, event_id)
    theirs = (await owner.get(f"/events/{event_id}/queue")).json()["pass"]
    path = f"/events/{event_id}/holds/mine"

    def bearing(text):
        return thief.get(path, headers={"authorization": f"Bearer {text}"})

    assert refusal(await bearing(theirs)) == (403, "pass_other_fan")
    assert refusal(await bearing(theirs[:-2] + "xx")) == (403, "pass_invalid")
    assert refusal(await bearing("none")) == (403, "pass_invalid")
    there = (await thief.post(f"/events/{elsewhere}/queue", json={})).json()["pass"]
    assert refusal(await bearing(there)) == (403, "pass_other_event")


def refusal(reply):
    assert reply.headers["content-type"] == "application/problem+json"
    return reply.status_code, reply.json()["code"]


def states_of(ledger, booking_id):
    with sqlite3.connect(ledger) as book:
        rows = book.execute("select state from payment where key = ?", (booking_id,)).fetchall()
    book.close()
    return [state for (state,) in rows]
