"""Ways around waiting rooms that people really found, each tried on this one.

The numbers are those of the list in the comments: what happened elsewhere, and what must not here.
"""

import asyncio

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from app.routes import BY_PASS, GATED
from tests.operators import BEARER
from tests.waiting import LIMIT_S, until

HOLD = "hd_" + "a" * 26
OTHER = "hd_" + "b" * 26


def address(path, event_id):
    for name, value in (("hold_id", HOLD), ("booking_id", "bk_" + "a" * 26)):
        path = path.replace(f"{{{name}}}", value)
    return path.replace("{event_id}", event_id).replace("{admission_id}", "ad_" + "a" * 26)


async def joined(client, event_id):
    return (await client.post(f"/events/{event_id}/queue", json={})).json()


async def state(client, event_id):
    return (await client.get(f"/events/{event_id}/queue")).json()


async def change(client, event_id, **settings):
    path = f"/admin/events/{event_id}/admission"
    version = (await client.get(path, headers=BEARER)).headers["etag"]
    reply = await client.patch(path, json=settings, headers=BEARER | {"if-match": version})
    assert reply.status_code == 200
    return reply.json()


async def hold(client, event_id, *seats, hold_id=HOLD):
    body = {"holdId": hold_id, "ticketIds": [f"{event_id}-{seat}" for seat in seats]}
    return await client.post(f"/events/{event_id}/holds", json=body)


def code_of(reply):
    return reply.json().get("code")


# -- 1. A back door into the sale: later steps asked for directly (Ticketfly, 2015) ---------------


@pytest.mark.parametrize("mode", ["on", "auto", "off"])
async def test_1_no_later_step_answers_before_the_opening(fan, make_sale, mode):
    event_id = await make_sale(mode=mode, opens_in_s=3600)
    client = fan()
    await joined(client, event_id)
    for method, path in GATED | BY_PASS:
        if path.endswith("/stream") and mode == "off":
            continue  # the live map is open to everybody then, and sells nothing
        where = address(path, event_id)
        query = {"event": event_id} if path == "/admissions/check" else None
        reply = await client.request(method, where, params=query)
        assert reply.status_code == 403, (method, path)
        assert code_of(reply) in {"not_admitted", "pass_invalid"}


# -- 2. Sessions handed out before the queue was on stayed good (Ticketfly with Queue-it, 2016) ---


async def test_2_a_turn_from_before_the_opening_is_none_before_it_and_after(fan, make_sale, node):
    event_id = await make_sale(mode="off")
    room, early, operator = node.services.waiting_room, fan(), fan()
    mine = await joined(early, event_id)
    assert code_of(await early.get(f"/events/{event_id}/holds/mine")) == "no_hold"
    for opens_at in (mine["now"] + 3_600_000, mine["now"] + 1):  # put off, and then open
        await change(operator, event_id, mode="on", opensAt=opens_at)
        await until(lambda: room.copied(event_id), opens(opens_at))
        assert code_of(await hold(early, event_id, 1)) == "pass_used"
        bearer = {"authorization": f"Bearer {mine['pass']}"}
        check = await fan().get(f"/admissions/check?event={event_id}", headers=bearer)
        assert code_of(check) == "pass_used"


def opens(at_ms):
    return lambda settings: settings.opens_at_ms == at_ms


# -- 3. Guessed addresses, cookies off, sessions shared, several browsers (Queue-it's own list) ---


async def test_3_who_keeps_no_cookies_is_somebody_new_each_time_and_never_in(fan, make_sale):
    event_id = await make_sale(mode="on")
    seen = set()
    for _ in range(3):
        forgetful = fan()
        seen.add((await joined(forgetful, event_id))["place"])
        assert code_of(await fan().get(f"/events/{event_id}/holds/mine")) == "not_admitted"
    assert seen == {1, 2, 3}


async def test_3_a_pass_or_its_cookie_in_another_browser_is_worth_nothing(fan, make_sale):
    event_id = await make_sale(mode="auto")
    mine = (await joined(fan(), event_id))["pass"]
    thief = fan()
    await thief.get(f"/events/{event_id}/queue")
    thief.cookies.set(f"onsale_pass_{event_id}", mine)
    assert code_of(await hold(thief, event_id, 1)) == "pass_other_fan"
    bearer = {"authorization": f"Bearer {mine}"}
    reply = await fan().get(f"/events/{event_id}/holds/mine", headers=bearer)
    assert code_of(reply) == "pass_other_fan"


async def test_3_a_whole_session_shared_buys_no_more_than_one_fan_may(fan, make_sale):
    event_id = await make_sale(mode="auto")  # six tickets a fan
    mine, friend = fan(), fan()
    await joined(mine, event_id)
    for name, value in mine.cookies.items():
        friend.cookies.set(name, value)
    assert (await hold(mine, event_id, 0, 1, 2, 3)).status_code == 201
    assert (await hold(friend, event_id, 4, 5, hold_id=OTHER)).status_code == 201
    states = (await mine.get(f"/events/{event_id}/seats")).json()["states"]
    assert states.count("1") == 2  # the second hold took the place of the first


# -- 4. Checked on some requests only; renewed for ever; errors let through (a connector) ---------


async def test_4_renewing_a_pass_puts_its_end_off_by_nothing(fan, make_sale):
    event_id = await make_sale(mode="auto")
    client = fan()
    ends_at = (await joined(client, event_id))["endsAt"]
    keys = KeySet.import_key_set((await client.get("/.well-known/jwks.json")).json())
    for _ in range(20):
        shown = await state(client, event_id)
        assert shown["endsAt"] == ends_at
        claims = jwt.decode(shown["pass"], keys, algorithms=["Ed25519"]).claims
        assert claims["exp"] * 1000 <= ends_at
    path = f"/admissions/{shown['admissionId']}/end"
    await client.post(path, headers={"authorization": f"Bearer {shown['pass']}"})
    assert "pass" not in await state(client, event_id)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "FOO"])
async def test_4_no_method_gets_past_the_gate(fan, make_sale, method):
    event_id = await make_sale(mode="on", max_active=0)
    client = fan()
    await joined(client, event_id)
    for _, path in GATED:
        reply = await client.request(method, address(path, event_id))
        assert reply.status_code in {403, 404, 405}, (method, path)


SPELLINGS = (
    *("//events/{e}/holds/mine", "/events//{e}/holds/mine", "/events/{e}//holds/mine"),
    *("/events/{e}/holds/mine/", "/./events/{e}/holds/mine", "/events/{e}/x/../holds/mine"),
    *("/events/{e}/%2e%2e/{e}/holds/mine", "/events/{e}/holds%2fmine", "/events/{e}/holds/mine%00"),
    *("/EVENTS/{e}/holds/mine", "/events/{e}/Holds/mine", "/events/{e};x/holds/mine"),
    *("/events/{e}/holds/mine?x=/events/{e}/seats", "/%65vents/{e}/holds/mine", "*"),
    *("http://evil.example/events/{e}/holds/mine", "@evil.example/events/{e}/holds/mine"),
    *("/static/../events/{e}/holds/mine", "/static/%2e%2e/events/{e}/holds/mine"),
)


@pytest.mark.parametrize("host", ["x", "evil.example/?x=", "evil.example", "x/events/{e}/seats?"])
async def test_4_no_spelling_of_an_address_and_no_host_gets_past_the_gate(
    served, make_sale, host, fan
):
    event_id = await make_sale(mode="on", max_active=0)
    for spelling in SPELLINGS:
        target, named = spelling.replace("{e}", event_id), host.replace("{e}", event_id)
        said = await raw(served, f"GET {target} HTTP/1.1\r\nhost: {named}\r\n")
        status = int(said.split()[1])
        assert status in {400, 403, 404, 405}, (spelling, said)
        assert "location:" not in said.lower()


async def raw(url, head):
    """What the server says to these very bytes."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head.encode() + b"connection: close\r\n\r\n")
    async with asyncio.timeout(LIMIT_S):
        said = await reader.read()
    writer.close()
    return said.decode("latin-1")


# -- 5. The same pass for anybody who names the right number (AWS Virtual Waiting Room) -----------


async def test_5_to_know_an_admissions_id_or_a_place_gives_nothing(fan, make_sale):
    event_id = await make_sale(mode="auto")
    mine = await joined(fan(), event_id)
    stranger = fan()
    path = f"/admissions/{mine['admissionId']}/end"
    assert code_of(await stranger.post(path)) == "pass_invalid"
    assert "pass" not in await state(stranger, event_id)
    guess = {"code": mine["admissionId"]}
    assert code_of(await stranger.post("/admissions/exchange", json=guess)) == "code_invalid"


# -- 6. Copied proof, a race at the admission, more sessions than people --------------------------


async def test_6_many_tabs_that_accept_at_once_are_one_admission(fan, make_sale):
    event_id = await make_sale(mode="on", max_active=1)
    client = fan()
    await joined(client, event_id)
    await until(lambda: state(client, event_id), lambda said: said["state"] == "called")
    tabs = [client.post(f"/events/{event_id}/queue/accept", json={}) for _ in range(10)]
    accepted = [reply.json() for reply in await asyncio.gather(*tabs)]
    assert len({said["admissionId"] for said in accepted}) == 1

    async def numbers():
        reply = await client.get(f"/admin/events/{event_id}/numbers", headers=BEARER)
        return reply.json()["called"], reply.json()["active"]

    await until(numbers, lambda now: now == (0, 1))  # the node's copy is a round old


async def test_6_a_hold_is_paid_by_the_fan_who_holds_it_and_by_nobody_else(fan, make_sale):
    event_id = await make_sale(mode="auto", per_minute=60_000)
    mine, other = fan(), fan()
    await joined(mine, event_id)
    await joined(other, event_id)
    await hold(mine, event_id, 1)
    reply = await other.post(
        f"/bookings/{event_id}",
        json={"holdId": HOLD, "email": "a@b.example", "paymentDetails": {"token": "tok_approve"}},
        headers={"idempotency-key": "k"},
    )
    assert code_of(reply) in {"no_hold", "hold_ended"}


# -- 7. Out, and in again without waiting, for as long as the session lasts (Cloudflare) ----------


async def test_7_who_leaves_waits_again_behind_all_others(fan, make_sale):
    event_id = await make_sale(mode="on", max_active=1)
    client, behind = fan(), fan()
    await joined(client, event_id)
    await until(lambda: state(client, event_id), lambda said: said["state"] == "called")
    mine = (await client.post(f"/events/{event_id}/queue/accept", json={})).json()["pass"]
    place = (await joined(behind, event_id))["place"]
    await client.post(f"/events/{event_id}/queue/leave", json={})
    bearer = {"authorization": f"Bearer {mine}"}
    again = await client.get(f"/events/{event_id}/holds/mine", headers=bearer)
    assert code_of(again) == "pass_used"
    assert (await joined(client, event_id))["place"] > place


# -- 8. A draw that nobody could check was taken for cheating (BookMyShow, 2024) ------------------


async def test_8_the_rule_is_on_the_page_and_the_seed_is_fixed_before_anybody_joins(
    fan, make_sale, node
):
    event_id = await make_sale(mode="on", opens_in_s=3600)
    draws = node.services.waiting_room.draws.rows
    before = await draws.get(event_id)
    client = fan()
    await client.post(f"/e/{event_id}/queue", data={"do": "join"})
    page = await client.get(f"/e/{event_id}/queue")
    assert "at the opening the order is drawn" in page.text
    assert (await draws.get(event_id)).seed == before.seed


# -- 9. Each balancer a queue of its own, and fans waiting for what was gone (Shopify) ------------


async def test_9_two_nodes_give_one_order(node, other_node, make_sale_on_both):
    event_id = await make_sale_on_both(mode="on", max_active=0)
    places = []
    for n in range(6):
        transport = httpx.ASGITransport(app=(node, other_node)[n % 2].app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            places.append((await joined(client, event_id))["place"])
    assert places == [1, 2, 3, 4, 5, 6]
