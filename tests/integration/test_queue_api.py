"""The queue through the API: join, wait, be called, accept, leave; and what survives."""

import pytest

from tests.waiting import until


async def state(client, event_id, verb="", body=None):
    if verb == "get":
        return (await client.get(f"/events/{event_id}/queue")).json()
    path = f"/events/{event_id}/queue" + (f"/{verb}" if verb else "")
    return (await client.post(path, json=body or {})).json()


async def told(client, event_id, wanted):
    return await until(lambda: state(client, event_id, "get"), lambda s: s["state"] == wanted)


async def test_places_rise_and_a_repeat_keeps_ones_own(fan, make_sale):
    event_id = await make_sale(mode="on", max_active=0)
    first, second = fan(), fan()
    joined = await state(first, event_id)
    assert (joined["state"], joined["place"], joined["rank"]) == ("waiting", 1, 1)
    assert (await state(second, event_id))["place"] == 2
    assert (await state(first, event_id))["place"] == 1
    polled = await told(second, event_id, "waiting")
    assert (polled["place"], polled["rank"]) == (2, 2)


async def test_a_call_is_accepted_once_and_gives_a_pass_that_does_not_outlive_it(fan, make_sale):
    event_id = await make_sale(mode="on", max_active=1)
    client = fan()
    await state(client, event_id)
    called = await told(client, event_id, "called")
    assert called["acceptBy"] > called["now"]
    admitted = await state(client, event_id, "accept")
    assert (await state(client, event_id, "accept"))["admissionId"] == admitted["admissionId"]
    assert f"onsale_pass_{event_id}" in client.cookies
    rows = (await client.get(f"/events/{event_id}/holds/mine")).json()
    assert rows["code"] == "no_hold"  # and not not_admitted


async def test_calls_are_in_postgresql_before_they_are_announced(fan, make_sale, db):
    event_id = await make_sale(mode="on", max_active=1)
    client = fan()
    await state(client, event_id)
    await told(client, event_id, "called")
    assert await db.fetchval("select count(*) from call where event_id = $1", event_id) == 1


async def test_accept_without_a_call_is_refused(fan, make_sale):
    event_id = await make_sale(mode="on", max_active=0)
    client = fan()
    await state(client, event_id)
    assert (await state(client, event_id, "accept"))["code"] == "not_called"


async def test_without_a_lobby_nobody_joins_before_the_opening_and_the_page_learns_when(
    fan, make_sale
):
    event_id = await make_sale(mode="on", opens_in_s=3600, draw=False)
    reply = await fan().post(f"/events/{event_id}/queue", json={})
    assert (reply.status_code, reply.json()["code"]) == (409, "not_open")
    shown = await state(fan(), event_id, "get")
    assert (shown["state"], shown["opensAt"]) == ("early", reply.json()["opensAt"])


async def test_leaving_gives_the_place_up(fan, make_sale):
    event_id = await make_sale(mode="on", max_active=0)
    client, behind = fan(), fan()
    await state(client, event_id)
    await state(behind, event_id)
    assert (await state(client, event_id, "leave"))["state"] == "none"
    await until(lambda: state(behind, event_id, "get"), lambda said: said["rank"] == 1)


@pytest.mark.parametrize(
    ("mode", "cap", "wanted"), [("auto", 5, "admitted"), ("auto", 0, "waiting")]
)
async def test_auto_lets_straight_through_only_while_there_is_room(
    fan, make_sale, mode, cap, wanted
):
    event_id = await make_sale(mode=mode, max_active=cap)
    assert (await state(fan(), event_id))["state"] == wanted


async def test_a_paused_room_calls_nobody_and_says_why(fan, make_sale, node):
    event_id = await make_sale(mode="on")
    room = node.services.waiting_room
    await room.change_settings(event_id, 1, paused=True, pause_reason="The lift is stuck.")
    client = fan()
    await state(client, event_id)
    shown = await told(client, event_id, "waiting")
    assert (shown["paused"], shown["pauseReason"]) == (True, "The lift is stuck.")
    await room.change_settings(event_id, 2, paused=False)
    await told(client, event_id, "called")


async def test_after_redis_lost_everything_fans_get_their_places_back_by_their_slips(
    fan, make_sale, redis
):
    event_id = await make_sale(mode="on", max_active=0)
    clients = [fan() for _ in range(3)]
    slips = [(await state(client, event_id))["slip"] for client in clients]
    await redis.flushall()
    newcomer = fan()
    said = await until(lambda: state(newcomer, event_id), lambda said: "place" in said)
    assert said["place"] > 10_000 - 1
    back = [
        (await state(client, event_id, body={"slip": slip}))["place"]
        for client, slip in reversed(list(zip(clients, slips, strict=True)))
    ]
    assert back == [3, 2, 1]


async def test_the_status_in_cloudflares_shape_tells_the_same(fan, make_sale):
    event_id = await make_sale(mode="on", max_active=0)
    client, path = fan(), f"/events/{event_id}/queue/status.json"
    await state(client, event_id)
    shown = (await client.get(path)).json()["cfWaitingRoom"]
    assert (shown["inWaitingRoom"], shown["queueingMethod"], len(shown)) == (True, "fifo", 25)
    assert (await client.get("/events/ev_nothing/queue/status.json")).status_code == 404
