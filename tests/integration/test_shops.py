"""A shop elsewhere: a fan comes back with a code, the shop exchanges it once, checks, ends."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

SHOP = "https://shop.example/tickets"


@pytest.fixture
async def sale(make_sale, db):
    """An event whose fans may be sent back to the shop."""
    event_id = await make_sale(mode="auto", per_minute=60_000)
    await db.execute("insert into shop values ($1, $2)", event_id, [SHOP])
    return event_id


async def joined(client, event_id):
    return (await client.post(f"/events/{event_id}/queue", json={})).json()


async def sent_back(client, event_id, url=SHOP):
    return await client.post(f"/events/{event_id}/queue/return", json={"return": url})


async def code_for(client, event_id):
    location = (await sent_back(client, event_id)).json()["location"]
    (code,) = parse_qs(urlsplit(location).query)["onsale_code"]
    return code


async def exchanged(shop, code, **binding):
    return await shop.post("/admissions/exchange", json={"code": code, **binding})


def bearer(text):
    return {"authorization": f"Bearer {text}"}


async def check(shop, event_id, text):
    return await shop.get(f"/admissions/check?event={event_id}", headers=bearer(text))


async def test_a_fan_comes_back_with_a_code_which_is_exchanged_for_a_pass(fan, sale):
    client, shop = fan(), fan()
    admitted = await joined(client, sale)
    reply = await exchanged(shop, await code_for(client, sale))
    body = reply.json()
    assert (body["eventId"], body["admissionId"]) == (sale, admitted["admissionId"])
    assert reply.headers["x-onsale-pass"] == body["pass"]
    keys = KeySet.import_key_set((await shop.get("/.well-known/jwks.json")).json())
    claims = jwt.decode(body["pass"], keys, algorithms=["Ed25519"]).claims
    assert (claims["aud"], claims["jti"]) == (sale, admitted["admissionId"])
    live = await check(shop, sale, body["pass"])
    assert (live.status_code, live.headers["x-onsale-admission"]) == (204, claims["jti"])


async def test_a_code_is_exchanged_once_however_many_try_at_once(fan, sale):
    client = fan()
    await joined(client, sale)
    code = await code_for(client, sale)
    replies = await asyncio.gather(*(exchanged(fan(), code) for _ in range(8)))
    assert sorted(reply.status_code for reply in replies) == [200] + [403] * 7
    codes = {reply.json().get("code") for reply in replies if reply.status_code == 403}
    assert codes == {"pass_exchanged"}


async def test_of_two_shops_that_exchange_at_once_with_a_binding_each_one_has_the_pass(fan, sale):
    client = fan()
    await joined(client, sale)
    code = await code_for(client, sale)
    bindings = ["first-cookie", "second-cookie"] * 3
    replies = await asyncio.gather(*(exchanged(fan(), code, binding=name) for name in bindings))
    won = {name for name, reply in zip(bindings, replies, strict=True) if reply.is_success}
    assert len(won) == 1  # and its repeats, should their reply have been lost
    for reply in replies:
        if reply.is_success:
            live = await check(fan(), sale, reply.json()["pass"])
            assert {live.headers["x-onsale-binding"]} == won
        else:
            assert reply.json()["code"] == "pass_exchanged"


async def test_after_the_exchange_there_is_no_other_code_for_this_admission(fan, sale):
    client = fan()
    await joined(client, sale)
    await exchanged(fan(), await code_for(client, sale))
    assert (await sent_back(client, sale)).json()["code"] == "at_shop"


async def test_a_lost_reply_can_be_had_again_with_the_same_binding_and_no_other(fan, sale):
    client, shop = fan(), fan()
    await joined(client, sale)
    code = await code_for(client, sale)
    for _ in range(2):
        text = (await exchanged(shop, code, binding="cookie-hash")).json()["pass"]
        assert (await check(shop, sale, text)).headers["x-onsale-binding"] == "cookie-hash"
    for binding in ({"binding": "another"}, {}):
        assert (await exchanged(fan(), code, **binding)).json()["code"] == "pass_exchanged"


async def test_a_repeat_long_after_is_refused_also_with_the_binding(fan, sale, db):
    client, shop = fan(), fan()
    await joined(client, sale)
    code = await code_for(client, sale)
    await exchanged(shop, code, binding="cookie-hash")
    await db.execute("update exchange set used_at = now() - interval '2 minutes'")
    assert (await exchanged(shop, code, binding="cookie-hash")).json()["code"] == "pass_exchanged"


async def test_a_newer_code_takes_the_place_of_an_older_one(fan, sale):
    client = fan()
    await joined(client, sale)
    older, newer = await code_for(client, sale), await code_for(client, sale)
    assert (await exchanged(fan(), older)).json()["code"] == "code_invalid"
    assert (await exchanged(fan(), newer)).status_code == 200


async def test_a_code_that_was_not_used_in_time_has_expired(fan, sale, db):
    client = fan()
    await joined(client, sale)
    code = await code_for(client, sale)
    await db.execute("update exchange set expires_at = now()")
    assert (await exchanged(fan(), code)).json()["code"] == "code_expired"


async def test_codes_of_admissions_that_are_over_are_swept_and_those_of_live_ones_stay(
    fan, sale, db
):
    shopping, left = fan(), [fan() for _ in range(3)]
    for client in (shopping, *left):
        await joined(client, sale)
        await exchanged(fan(), await code_for(client, sale))
    for client in left:
        await client.post(f"/events/{sale}/queue/leave", json={})
    old = "update exchange set expires_at = now() - interval '2 days'"
    await db.execute(old)
    newcomer = fan()
    await joined(newcomer, sale)
    await code_for(newcomer, sale)
    assert await db.fetchval("select count(*) from exchange") == 2
    assert (await sent_back(shopping, sale)).json()["code"] == "at_shop"  # as before


@pytest.mark.parametrize("code", ["", "xc_", "xc_" + "a" * 26, "ad_" + "a" * 26, "xc_ä"])
async def test_a_forged_code_is_invalid(fan, node, code):
    assert (await exchanged(fan(), code)).json()["code"] == "code_invalid"


async def test_a_code_of_an_admission_that_ended_buys_nothing_and_an_outage_uses_nothing_up(
    fan, sale, redis
):
    client = fan()
    await joined(client, sale)
    code = await code_for(client, sale)
    await redis.client_pause(1_500)
    assert (await exchanged(fan(), code)).status_code == 503
    await redis.client_unpause()
    await client.post(f"/events/{sale}/queue/leave", json={})
    assert (await exchanged(fan(), code)).json()["code"] == "pass_used"


async def test_only_an_admitted_fan_is_sent_back(fan, make_sale, db):
    event_id = await make_sale(mode="on", max_active=0)
    await db.execute("insert into shop values ($1, $2)", event_id, [SHOP])
    client = fan()
    assert (await sent_back(client, event_id)).json()["code"] == "not_admitted"
    await joined(client, event_id)
    assert (await sent_back(client, event_id)).json()["code"] == "not_admitted"


async def test_nobody_is_sent_anywhere_that_the_list_does_not_name(fan, sale, make_sale):
    client = fan()
    await joined(client, sale)
    for url in ("https://evil.example/", "https://shop.example/ticketsevil"):
        reply = await sent_back(client, sale, url)
        assert (reply.status_code, reply.json()["code"]) == (400, "return_refused")
    unlisted = await make_sale(mode="auto")
    await joined(client, unlisted)
    assert (await sent_back(client, unlisted)).json()["code"] == "return_refused"


async def test_a_shop_ends_an_admission_early_and_may_say_so_twice(fan, sale, db):
    client, shop = fan(), fan()
    admitted = await joined(client, sale)
    text = (await exchanged(shop, await code_for(client, sale))).json()["pass"]
    path = f"/admissions/{admitted['admissionId']}/end"
    for _ in range(2):
        assert (await shop.post(path, headers=bearer(text))).status_code == 204
    assert (await check(shop, sale, text)).json()["code"] == "pass_used"
    reason = "select end_reason from call where call_id = $1"
    assert await db.fetchval(reason, admitted["admissionId"]) == "ended"
    held = await client.get(f"/events/{sale}/holds/mine")
    assert held.json()["code"] == "pass_used"


async def test_an_old_pass_neither_ends_nor_opens_the_fans_next_admission(fan, sale):
    client, shop = fan(), fan()
    first = await joined(client, sale)
    await client.post(f"/events/{sale}/queue/leave", json={})
    second = await joined(client, sale)
    assert second["admissionId"] != first["admissionId"]
    path = f"/admissions/{first['admissionId']}/end"
    assert (await shop.post(path, headers=bearer(first["pass"]))).status_code == 204
    assert (await check(shop, sale, first["pass"])).json()["code"] == "pass_used"
    assert (await check(shop, sale, second["pass"])).status_code == 204


async def test_a_pass_ends_only_its_own_admission_and_a_forged_one_none(fan, sale):
    mine, theirs = await joined(fan(), sale), await joined(fan(), sale)
    path = f"/admissions/{theirs['admissionId']}/end"
    assert (await fan().post(path, headers=bearer(mine["pass"]))).json()["code"] == "not_found"
    for text in ("", "x.y.z", theirs["pass"][:-4] + "AAAA"):
        assert (await fan().post(path, headers=bearer(text))).json()["code"] == "pass_invalid"
    assert (await check(fan(), sale, theirs["pass"])).status_code == 204


async def test_a_check_is_for_one_event_and_never_says_yes_when_unsure(fan, sale, redis):
    text = (await joined(fan(), sale))["pass"]
    shop = fan()
    assert (await check(shop, "ev_other", text)).json()["code"] == "pass_other_event"
    assert (await check(shop, sale, "")).json()["code"] == "not_admitted"
    assert (await shop.get("/admissions/check", headers=bearer(text))).status_code == 422
    await redis.client_pause(1_500)
    assert (await check(shop, sale, text)).status_code == 503


# -- the operator's list ----------------------------------------------------------------------

ADMIN = {"authorization": "Bearer admin-token-of-the-tests"}


async def put(client, event_id, urls, version):
    headers = ADMIN | {"if-match": f'"{version}"'}
    path = f"/admin/events/{event_id}/shop"
    return await client.put(path, json={"returnUrls": urls}, headers=headers)


async def test_an_operator_sets_the_list_which_counts_at_once_and_is_audited(fan, make_sale, db):
    event_id, operator = await make_sale(mode="auto"), fan()
    path = f"/admin/events/{event_id}/shop"
    empty = (await operator.get(path, headers=ADMIN)).json()
    assert empty == {"returnUrls": [], "version": 0}
    assert (await put(operator, event_id, [SHOP], 0)).json()["version"] == 1
    client = fan()
    await joined(client, event_id)
    assert (await sent_back(client, event_id)).status_code == 200
    assert (await put(operator, event_id, [], 1)).json() == {"returnUrls": [], "version": 2}
    assert (await sent_back(client, event_id)).json()["code"] == "return_refused"
    audit = await operator.get(f"/admin/events/{event_id}/audit", headers=ADMIN)
    assert [row["action"] for row in audit.json()] == ["shop changed"] * 2
    assert audit.json()[0]["before"] == {"returnUrls": [SHOP]}


async def test_a_change_from_an_old_version_is_refused_with_what_is_there_now(fan, make_sale):
    event_id, operator = await make_sale(), fan()
    await put(operator, event_id, [SHOP], 0)
    for version in (0, 2):
        late = await put(operator, event_id, [], version)
        assert (late.status_code, late.json()["code"]) == (412, "changed")
        assert late.json()["current"] == {"returnUrls": [SHOP], "version": 1}
    assert (await put(operator, await make_sale(), [SHOP], 5)).status_code == 412


async def undo(client, event_id, version):
    headers = ADMIN | {"if-match": f'"{version}"'}
    return await client.post(f"/admin/events/{event_id}/shop/undo", json={}, headers=headers)


async def test_the_last_change_of_the_list_is_taken_back_and_made_again(fan, make_sale):
    event_id, operator = await make_sale(mode="auto"), fan()
    nothing = await undo(operator, event_id, 0)
    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing_to_undo")
    await put(operator, event_id, [SHOP], 0)
    undone = await undo(operator, event_id, 1)
    assert (undone.json(), undone.headers["etag"]) == ({"returnUrls": [], "version": 2}, '"2"')
    client = fan()
    await joined(client, event_id)
    assert (await sent_back(client, event_id)).json()["code"] == "return_refused"
    late = await undo(operator, event_id, 1)
    assert (late.status_code, late.json()["current"]["version"]) == (412, 2)
    assert (await undo(operator, event_id, 2)).json() == {"returnUrls": [SHOP], "version": 3}
    audit = (await operator.get(f"/admin/events/{event_id}/audit", headers=ADMIN)).json()
    actions = [(row["action"], row["after"]["returnUrls"]) for row in audit]
    undoing = [("shop change undone", [SHOP]), ("shop change undone", [])]
    assert actions == [*undoing, ("shop changed", [SHOP])]


async def test_an_undo_of_the_list_leaves_the_settings_of_the_room_alone(fan, operator, make_sale):
    boss = operator(await make_sale(mode="auto"))
    await put(fan(), boss.event_id, [SHOP], 0)
    await boss.change(perMinute=77)
    await undo(fan(), boss.event_id, 1)
    assert (await boss.room())["perMinute"] == 77
    assert (await boss.undo()).status_code == 200
    assert (await boss.room())["perMinute"] != 77
    shop = await fan().get(f"{boss.path}/shop", headers=ADMIN)
    assert shop.json()["returnUrls"] == []


@pytest.mark.parametrize("url", ["http://shop.example/", "https://shop.example/?a=1", "", "//x"])
async def test_the_list_takes_no_address_that_could_be_read_in_two_ways(fan, make_sale, url):
    reply = await put(fan(), await make_sale(), [SHOP, url], 0)
    assert (reply.status_code, reply.json()["problems"][0]["where"]) == (422, "returnUrls.1")


async def test_only_an_operator_sets_the_list(fan, make_sale):
    path = f"/admin/events/{await make_sale()}/shop"
    for method, what in (("GET", ""), ("PUT", ""), ("POST", "/undo")):
        assert (await fan().request(method, path + what, json={})).status_code == 401
    assert (await put(fan(), "ev_nothing", [], 0)).status_code == 404
    assert (await undo(fan(), "ev_nothing", 0)).status_code == 404
