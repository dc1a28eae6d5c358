"""What operators do to a running sale, seen by fans: the settings, undo, close, drain, stop."""

import pytest

from app.main import Node
from core.errors import StoreUnavailable
from tests.operators import BEARER, join
from tests.rooms import Tab
from tests.waiting import until
from waiting_room.errors import SaleStopped
from waiting_room.keys import key
from waiting_room.node.copies import Copies

# -- settings --------------------------------------------------------------------------------------


async def test_every_setting_of_the_protocol_can_be_changed(operator, make_sale):
    boss = operator(await make_sale(mode="on"))
    wanted = {
        "mode": "auto",
        "perMinute": 7,
        "maxActive": 8,
        "acceptMs": 9_000,
        "shopMs": 70_000,
        "graceMs": 30_000,
        "paused": True,
        "pauseReason": "Rain.",
        "opensAt": 1_234,
        "message": "Doors at 7.",
        "intake": "closed",
        "stopped": True,
    }
    after = await boss.change(**wanted)
    assert {name: after[name] for name in wanted} == wanted
    assert await boss.room() == after


@pytest.mark.parametrize(
    "change",
    [
        {"graceMs": 9_999},
        {"graceMs": 3_600_001},
        {"message": "x" * 281},
        {"message": "two\nlines"},
        {"intake": "drained"},  # a room gets there by itself
        {"stopped": "yes"},
    ],
)
async def test_a_value_beyond_its_limit_is_refused_and_named(operator, make_sale, change):
    boss = operator(await make_sale(mode="on"))
    headers = BEARER | {"if-match": '"1"'}
    reply = await boss.client.patch(f"{boss.path}/admission", json=change, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (422, "bad_request")
    assert reply.json()["problems"][0]["where"] in change
    assert (await boss.room())["version"] == 1


async def test_a_change_without_its_audit_row_is_not_made(operator, make_sale, db):
    boss = operator(await make_sale(mode="on", per_minute=60))
    await db.execute("alter table audit add constraint full_up check (action <> 'room changed')")
    headers = BEARER | {"if-match": '"1"'}
    reply = await boss.client.patch(
        f"{boss.path}/admission", json={"perMinute": 99}, headers=headers
    )
    assert reply.status_code == 500
    room = await boss.room()
    assert (room["perMinute"], room["version"]) == (60, 1)


async def test_an_audit_row_without_its_change_is_not_written(operator, make_sale, db):
    boss = operator(await make_sale(mode="on", per_minute=60))
    await db.execute("""
        create function refuse() returns trigger language plpgsql as
        $$ begin raise 'the commit fails'; end $$;
        create constraint trigger refuse after update on room
        deferrable initially deferred for each row execute function refuse();
    """)
    headers = BEARER | {"if-match": '"1"'}
    reply = await boss.client.patch(
        f"{boss.path}/admission", json={"perMinute": 99}, headers=headers
    )
    assert reply.status_code == 500
    assert (await boss.room())["perMinute"] == 60
    assert await boss.audit() == []


async def test_a_change_that_did_not_reach_redis_is_made_up_for(node: Node, make_sale, redis):
    """PostgreSQL has it, so it is made; the copy that the scripts read follows by itself."""
    event_id = await make_sale(mode="on", per_minute=60)
    room = node.services.waiting_room
    await room.hub.view(event_id)

    async def unreachable(*_, **__):
        raise StoreUnavailable("the copy")

    copy, room.store.copy_settings = room.store.copy_settings, unreachable
    changed = await room.change_settings(event_id, 1, per_minute=99)
    assert changed.per_minute == 99
    room.store.copy_settings = copy
    settings = key(event_id, "settings")
    await until(lambda: redis.hget(settings, "per_minute"), lambda pace: pace == b"99")


async def test_a_copy_is_owed_however_long_redis_is_away(redis, db, make_sale, build_room):
    event_id = await make_sale(mode="on", per_minute=60)
    room = build_room()
    await room.hub.view(event_id)  # Redis has the room as it was
    copies, copy, away = Copies(room), room.store.copy_settings, True

    async def copy_settings(*args):
        if away:
            raise StoreUnavailable("the copy")
        return await copy(*args)

    room.store.copy_settings = copy_settings
    await room.change_settings(event_id, 1, per_minute=99)
    await copies.look()
    await db.execute("update room set changed_at = now() - interval '2 days'")
    await copies.look()
    away = False
    await copies.look()
    assert await redis.hget(key(event_id, "settings"), "per_minute") == b"99"


# -- undo ------------------------------------------------------------------------------------------

CHANGES = [
    {"perMinute": 9},
    {"mode": "off", "maxActive": 1, "graceMs": 20_000},
    {"paused": True, "pauseReason": "Rain."},
    {"opensAt": 1_234_567, "message": "Later."},
    {"intake": "draining", "stopped": True},
]


@pytest.mark.parametrize("change", CHANGES)
async def test_an_undo_leaves_everything_as_before_the_change(operator, make_sale, change):
    boss = operator(await make_sale(mode="on"))
    await boss.change(acceptMs=7_000)
    before = await boss.room()
    changed = await boss.change(**change)
    undone = await boss.undo()
    assert undone.status_code == 200
    assert undone.headers["etag"] == f'"{before["version"] + 2}"'
    assert undone.json() == before | {"version": before["version"] + 2}
    again = (await boss.undo()).json()  # an undo is a change, too
    assert again == changed | {"version": before["version"] + 3}
    rows = await boss.audit()
    actions = [row["action"] for row in rows]
    assert actions == ["change undone", "change undone", "room changed", "room changed"]
    assert rows[1]["after"] == {name: before[name] for name in change}


async def test_an_undo_names_the_version_it_was_decided_on(operator, make_sale):
    boss = operator(await make_sale(mode="on"))
    await boss.change(perMinute=9)
    path = f"{boss.path}/admission/undo"
    reply = await boss.client.post(path, json={}, headers=BEARER | {"if-match": '"1"'})
    assert (reply.status_code, reply.json()["code"]) == (412, "changed")
    assert reply.json()["current"]["perMinute"] == 9
    assert (await boss.client.post(path, json={}, headers=BEARER)).status_code == 422


async def test_without_a_change_there_is_nothing_to_undo(operator, make_sale):
    reply = await operator(await make_sale(mode="on")).undo()
    assert (reply.status_code, reply.json()["code"]) == (409, "nothing_to_undo")


# -- message, close, drain -------------------------------------------------------------------------


async def test_a_message_to_all_is_in_the_queue_state(operator, fan, make_sale):
    event_id = await make_sale(mode="on", max_active=0)
    client = fan()
    assert (await join(client, event_id)).json()["message"] == ""
    await operator(event_id).change(message="Doors at 7.")

    async def told():
        return (await client.get(f"/events/{event_id}/queue")).json()["message"]

    await until(told, lambda message: message == "Doors at 7.")


@pytest.mark.parametrize("mode", ["off", "auto", "on"])
@pytest.mark.parametrize("intake", ["closed", "draining"])
async def test_a_closed_room_takes_nobody_new_in_any_mode(operator, fan, make_sale, mode, intake):
    event_id = await make_sale(mode="on", max_active=0)
    inside, late = fan(), fan()
    place = (await join(inside, event_id)).json()["place"]
    await operator(event_id).change(mode=mode, intake=intake)
    refused = await join(late, event_id)
    assert (refused.status_code, refused.json()["code"]) == (409, "queue_closed")
    assert refused.json()["intake"] == intake
    kept = (await join(inside, event_id)).json()
    assert kept["state"] == ("admitted" if mode == "off" else "waiting")
    assert kept.get("place", place) == place


async def test_those_in_line_of_a_closed_room_go_on(operator, fan, make_sale):
    event_id = await make_sale(mode="on", max_active=0)
    client = fan()
    await join(client, event_id)
    boss = operator(event_id)
    await boss.change(intake="closed", maxActive=1)
    queue = f"/events/{event_id}/queue"

    async def state():
        return (await client.get(queue)).json()["state"]

    await until(state, lambda now: now == "called")
    assert (await client.post(f"{queue}/accept", json={})).json()["state"] == "admitted"
    assert (await boss.room())["intake"] == "closed"  # for ever, unless somebody opens it


async def test_a_drain_ends_by_itself_once_nobody_is_left(operator, fan, make_sale):
    event_id = await make_sale(mode="on", max_active=1)
    client, boss = fan(), operator(event_id)
    await join(client, event_id)
    await boss.change(intake="draining")
    queue = f"/events/{event_id}/queue"

    async def state():
        return (await client.get(queue)).json()["state"]

    await until(state, lambda now: now == "called")
    assert (await boss.room())["intake"] == "draining"
    await client.post(f"{queue}/leave", json={})
    drained = await until(boss.room, lambda room: room["intake"] == "drained")
    newest = (await boss.audit())[0]
    assert (newest["who"], newest["action"]) == ("node", "room drained")
    assert drained["mode"] == "on"
    assert (await join(fan(), event_id)).json()["intake"] == "drained"
    reopened = (await boss.undo()).json()  # of the operator's change, not of the node's
    assert reopened["intake"] == "open"
    assert (await join(fan(), event_id)).json()["state"] == "waiting"


# -- emergency stop --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["off", "auto", "on"])
async def test_a_stopped_sale_lets_nobody_in_and_goes_on_where_it_stood(
    operator, fan, make_sale, mode, node
):
    event_id = await make_sale(mode=mode)
    boss, client, room = operator(event_id), fan(), node.services.waiting_room
    await boss.change(stopped=True, pauseReason="Wrong prices.")
    said = (await join(client, event_id)).json()
    assert (said["state"], said["stopped"], said["paused"]) == ("waiting", True, True)
    assert (said["pauseReason"], said["etaLowMs"]) == ("Wrong prices.", None)
    epoch, floor = await room.at(event_id)
    assert await room.store.tick(event_id, epoch, floor, call_ids=["ad_1"]) == []
    await boss.change(stopped=False)

    async def state():
        return (await client.get(f"/events/{event_id}/queue")).json()["state"]

    await until(state, lambda now: now == ("admitted" if mode == "off" else "called"))


async def test_a_stopped_sale_takes_no_holds_and_begins_no_payment(operator, fan, make_sale):
    event_id = await make_sale(mode="off")
    holder, other, boss = fan(), fan(), operator(event_id)
    for client in (holder, other):
        joined = (await join(client, event_id)).json()
        client.headers["authorization"] = f"Bearer {joined['pass']}"
    holds = f"/events/{event_id}/holds"
    held = (await holder.post(holds, json={"ticketIds": [f"{event_id}-1"]})).json()
    await boss.change(stopped=True)
    refused = await other.post(holds, json={"ticketIds": [f"{event_id}-2"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "sale_stopped")
    assert refused.json()["retry"] is True
    assert int(refused.headers["retry-after"]) > 0
    order = {
        "holdId": held["holdId"],
        "email": "fan@example.org",
        "paymentDetails": {"token": "tok_approve"},
    }
    key = {"idempotency-key": "k1"}
    booked = await holder.post(f"/bookings/{event_id}", json=order, headers=key)
    assert booked.json()["code"] == "sale_stopped"
    assert (await holder.get(f"{holds}/mine")).json()["holdId"] == held["holdId"]
    await boss.change(stopped=False)
    booked = await holder.post(f"/bookings/{event_id}", json=order, headers=key)
    assert booked.json()["status"] == "confirmed"
    again = await holder.post(f"/bookings/{event_id}", json=order, headers=key)
    assert again.json() == booked.json()


async def test_a_payment_under_way_is_finished_although_the_sale_is_stopped(
    node, operator, fan, make_sale
):
    event_id = await make_sale(mode="off")
    client, boss = fan(), operator(event_id)
    joined = (await join(client, event_id)).json()
    client.headers["authorization"] = f"Bearer {joined['pass']}"
    order = {
        "ticketIds": [f"{event_id}-1"],
        "email": "fan@example.org",
        "paymentDetails": {"token": "tok_unsure"},  # authorises, but the gateway answers nothing
    }
    path, key = f"/bookings/{event_id}", {"idempotency-key": "k1"}
    begun = (await client.post(path, json=order, headers=key)).json()
    assert begun["status"] == "pending"
    await boss.change(stopped=True)
    node.services.checkout.recovery._untouched_s = 0  # its owner has answered: it is in no hand

    async def status():
        return (await client.get(f"/bookings/{begun['bookingId']}")).json()["status"]

    await until(status, lambda now: now == "confirmed")
    again = (await client.post(path, json=order, headers=key)).json()
    assert again["bookingId"] == begun["bookingId"]


# -- every node ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"message": "Doors at 7."}, {"message": "Doors at 7."}),
        ({"paused": True, "pauseReason": "Rain."}, {"paused": True, "pauseReason": "Rain."}),
        ({"stopped": True}, {"stopped": True, "paused": True}),
        ({"intake": "closed"}, {"intake": "closed"}),
        ({"perMinute": 7}, {"perMinute": 7}),
    ],
)
async def test_a_change_on_one_node_is_told_to_fans_of_the_other(
    operator, other_node, make_sale_on_both, change, told
):
    event_id = await make_sale_on_both(mode="on", max_active=0)
    room = other_node.services.waiting_room
    await room.join(event_id, "vs_fan")
    tab = await Tab(room, event_id, "vs_fan").open(other_node.live)
    await operator(event_id).change(**change)
    await tab.told(**told)
    tab.close()


async def test_a_stop_on_one_node_is_obeyed_by_the_other(operator, other_node, make_sale_on_both):
    event_id = await make_sale_on_both(mode="off")
    room = other_node.services.waiting_room
    await room.require_running(event_id)
    await operator(event_id).change(stopped=True)

    async def refusal():
        try:
            await room.require_running(event_id)
        except SaleStopped as exc:
            return exc.code
        return None

    await until(refusal, lambda code: code == "sale_stopped")
