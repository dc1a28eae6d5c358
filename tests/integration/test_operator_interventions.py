"""What an operator does to one fan: a turn out of line, and the end of what the fan has."""

import asyncio

import pytest

from core.errors import AppError
from tests.operators import join
from tests.rooms import Tab
from tests.waiting import until
from waiting_room.keys import key


async def state(client, event_id):
    return (await client.get(f"/events/{event_id}/queue")).json()


async def subject_of(node, event_id, place):
    epoch, floor = await node.services.waiting_room.at(event_id)
    return await node.services.waiting_room.store.holder(event_id, epoch, floor, place)


# -- skip the line ---------------------------------------------------------------------------------


async def test_a_fan_is_called_past_those_ahead_by_place(operator, fan, make_sale, node):
    event_id = await make_sale(mode="on", max_active=0)
    first, chosen, boss = fan(), fan(), operator(event_id)
    for client in (first, chosen):
        await join(client, event_id)
    subject = await subject_of(node, event_id, 2)
    await boss.change(paused=True, maxActive=1)
    called = (await boss.post("skip", place=2)).json()
    assert (called["state"], called["place"], called["subject"]) == ("called", 2, subject)
    assert (await state(chosen, event_id))["state"] == "called"
    assert (await state(first, event_id))["rank"] == 1
    await chosen.post(f"/events/{event_id}/queue/accept", json={})
    assert (await state(chosen, event_id))["state"] == "admitted"
    row = (await boss.audit())[0]
    assert (row["who"], row["action"]) == ("admin token", "fan called out of line")
    facts = {"subject": subject, "place": 2, "callId": called["admissionId"]}
    assert (row["before"], row["after"]) == ({}, facts)
    (call,) = await boss.get("calls")
    assert (call["kind"], call["place"], call["subject"]) == ("skip", 2, subject)


async def test_a_fan_who_is_not_in_the_queue_is_called_on_every_tab(operator, make_sale, node):
    event_id = await make_sale(mode="on", max_active=1)
    boss = operator(event_id)
    tab = await Tab(node.services.waiting_room, event_id, "vs_guest").open(node.live)
    await tab.told(state="none")
    called = (await boss.post("skip", subject="vs_guest")).json()
    assert (called["state"], called["place"]) == ("called", 0)
    assert (await tab.told(state="called"))["acceptBy"] == called["acceptBy"]
    tab.close()


async def test_who_has_a_turn_already_keeps_it_and_nothing_is_noted(operator, make_sale):
    event_id = await make_sale(mode="on", max_active=1)
    boss = operator(event_id)
    first = (await boss.post("skip", subject="vs_guest")).json()
    assert (await boss.post("skip", subject="vs_guest")).json() == first
    assert len(await boss.audit()) == 1
    assert len(await boss.get("calls")) == 1


async def test_a_turn_out_of_line_takes_a_slot_of_the_cap(operator, make_sale, node):
    event_id = await make_sale(mode="on", max_active=1)
    boss = operator(event_id)
    await boss.post("skip", subject="vs_one")
    refused = await boss.post("skip", subject="vs_two")
    assert (refused.status_code, refused.json()["code"]) == (409, "cap_reached")
    assert refused.json()["maxActive"] == 1
    numbers = await boss.get("numbers")
    assert (numbers["called"], numbers["active"]) == (1, 0)


async def test_of_two_operators_who_both_saw_the_last_slot_one_gets_it_and_both_are_noted(
    operator, make_sale
):
    event_id = await make_sale(mode="on", max_active=1)
    boss = operator(event_id)
    await boss.get("numbers")  # the node's copy: nobody is called
    replies = await asyncio.gather(*(boss.post("skip", subject=f"vs_{n}") for n in range(4)))
    assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409]
    assert (await boss.get("numbers"))["called"] == 1
    actions = [row["action"] for row in await boss.audit()]
    asked, refused = (actions.count(f"{what}") for what in NOTES)
    assert asked - refused == 1
    open_calls = [call for call in await boss.get("calls") if call["endReason"] is None]
    assert len(open_calls) == 1


NOTES = ("fan called out of line", "call out of line refused")


@pytest.mark.parametrize(
    ("sale", "change", "code"),
    [
        ({"mode": "on", "opens_in_s": 3600}, {}, "not_open"),
        ({"mode": "on"}, {"stopped": True}, "sale_stopped"),
    ],
)
async def test_before_the_opening_and_in_a_stopped_sale_nobody_is_called(
    operator, make_sale, sale, change, code
):
    boss = operator(await make_sale(**sale))
    if change:
        await boss.change(**change)
    refused = await boss.post("skip", subject="vs_guest")
    assert (refused.status_code, refused.json()["code"]) == (409, code)


async def test_without_an_audit_row_nobody_is_called(operator, make_sale, db, redis):
    event_id = await make_sale(mode="on", max_active=1)
    boss = operator(event_id)
    await db.execute("alter table audit add constraint full_up check (who <> 'admin token')")
    assert (await boss.post("skip", subject="vs_guest")).status_code == 500
    assert await redis.zcard(key(event_id, "calls")) == 0
    assert await boss.get("calls") == []


# -- revoke ----------------------------------------------------------------------------------------


async def test_a_place_is_revoked_with_its_reason_and_the_page_is_told(operator, make_sale, node):
    event_id = await make_sale(mode="on", max_active=0)
    room, boss = node.services.waiting_room, operator(event_id)
    for name in ("vs_robot", "vs_fan"):
        await room.join(event_id, name)
    robot = await Tab(node.services.waiting_room, event_id, "vs_robot").open(node.live)
    behind = await Tab(node.services.waiting_room, event_id, "vs_fan").open(node.live)
    await behind.told(rank=2)
    revoked = (await boss.post("revoke", place=1, reason="Many tickets, one person.")).json()
    assert revoked == {"subject": "vs_robot", "ended": {"state": "waiting", "place": 1}}
    said = await robot.told(state="none")
    assert said["revokedReason"] == "Many tickets, one person."
    await behind.told(rank=1)
    row = (await boss.audit())[0]
    assert row["action"] == "fan revoked"
    assert (row["after"]["subject"], row["after"]["place"]) == ("vs_robot", 1)
    assert row["after"]["reason"] == "Many tickets, one person."
    again = await boss.post("revoke", subject="vs_robot", reason="Again.")
    assert (again.status_code, again.json()["code"]) == (404, "not_found")
    assert (await room.join(event_id, "vs_robot"))["place"] == 3  # at the end, no exile
    robot.close()
    behind.close()


async def test_a_revoked_admission_opens_nothing_from_that_moment_and_its_seats_are_free(
    operator, fan, make_sale, node
):
    event_id = await make_sale(mode="off")
    robot, other, boss = fan(), fan(), operator(event_id)
    for client in (robot, other):
        joined = (await join(client, event_id)).json()
        client.headers["authorization"] = f"Bearer {joined['pass']}"
    holds = f"/events/{event_id}/holds"
    await robot.post(holds, json={"ticketIds": [f"{event_id}-1"]})
    (subject,) = {
        call["subject"]
        for call in await boss.get("calls")
        if (await state_of(node, event_id, call["subject"])) == "held"
    }
    revoked = (await boss.post("revoke", subject=subject, reason="A robot.")).json()
    assert revoked["ended"]["state"] == "admitted"
    refused = await robot.post(holds, json={"ticketIds": [f"{event_id}-2"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "pass_used")
    assert (await state(robot, event_id))["revokedReason"] == "A robot."
    assert (await other.post(holds, json={"ticketIds": [f"{event_id}-1"]})).status_code == 201
    ends = {call["subject"]: call["endReason"] for call in await boss.get("calls")}
    assert ends[subject] == "revoked"


async def state_of(node, event_id, subject):
    held = await node.services.checkout.holds.mine(event_id, subject)
    return "held" if held else "nothing"


async def test_a_revoked_call_is_not_called_again(operator, make_sale, node):
    event_id = await make_sale(mode="on", max_active=1)
    room, boss = node.services.waiting_room, operator(event_id)
    await room.join(event_id, "vs_robot")

    async def where():
        return (await room.where(event_id, "vs_robot")).kind

    await until(where, lambda kind: kind == "called")
    ended = (await boss.post("revoke", subject="vs_robot", reason="A robot.")).json()["ended"]
    assert (ended["state"], ended["place"]) == ("called", 1)
    assert await where() == "none"
    assert (await boss.get("numbers"))["called"] == 0
    (call,) = await boss.get("calls")
    assert call["endReason"] == "revoked"


async def test_a_revoked_place_does_not_come_back_by_its_slip(operator, make_sale, node, redis):
    event_id = await make_sale(mode="on", max_active=0)
    room, boss = node.services.waiting_room, operator(event_id)
    slip = (await room.join(event_id, "vs_robot"))["slip"]
    await boss.post("revoke", subject="vs_robot", reason="A robot.")
    await redis.flushall()

    async def rejoin():
        try:
            return await room.join(event_id, "vs_robot", slip)
        except AppError as exc:  # being repaired, at first
            return exc.code

    await until(rejoin, lambda said: said == "slip_used")
    assert (await room.join(event_id, "vs_robot"))["place"] > 10_000


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("skip", {}),
        ("skip", {"subject": "vs_a", "place": 1}),
        ("skip", {"subject": "vs_a b"}),
        ("skip", {"place": 0}),
        ("revoke", {"subject": "vs_a"}),
        ("revoke", {"subject": "vs_a", "reason": ""}),
        ("revoke", {"place": 1, "reason": "x" * 201}),
    ],
)
async def test_a_fan_is_named_in_one_way_and_a_revocation_has_its_reason(
    operator, make_sale, name, body
):
    refused = await operator(await make_sale(mode="on")).post(name, **body)
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_request")


@pytest.mark.parametrize("body", [{"place": 99}, {"subject": "vs_nobody"}])
async def test_where_there_is_nothing_nothing_is_revoked(operator, make_sale, body):
    boss = operator(await make_sale(mode="on"))
    refused = await boss.post("revoke", reason="A robot.", **body)
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert await boss.audit() == []


async def test_a_fan_is_taken_out_of_the_lobby_and_told_why(operator, make_sale, node):
    event_id = await make_sale(mode="on", opens_in_s=3600, draw=True)
    room, boss = node.services.waiting_room, operator(event_id)
    assert (await room.join(event_id, "vs_robot"))["state"] == "lobby"
    ended = (await boss.post("revoke", subject="vs_robot", reason="A robot.")).json()["ended"]
    assert ended["state"] == "lobby"
    said = await room.state(event_id, "vs_robot")
    assert (said["state"], said["revokedReason"]) == ("none", "A robot.")
    assert (await boss.get("numbers"))["lobby"] == 0
