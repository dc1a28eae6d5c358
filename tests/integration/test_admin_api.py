"""The operator API: who gets in, and changes that are never blind, lost or unseen."""

import asyncio
import hashlib
import time

import httpx
import pytest
from starlette.applications import Starlette

from app.admin.service import Admin
from app.routes import exception_handlers
from core.cookies import Cookies
from core.live.hub import Hub
from core.signing import Keys
from waiting_room.service import WaitingRoom

TOKEN = "the-admin-token-of-this-test"
BEARER = {"authorization": f"Bearer {TOKEN}"}
ROOM = "/admin/events/ev_hall/admission"
OPERATOR_PATHS = [
    ("GET", ROOM),
    ("PATCH", ROOM),
    ("POST", f"{ROOM}/undo"),
    ("POST", f"{ROOM}/preview"),
    ("POST", "/admin/events/ev_hall/skip"),
    ("POST", "/admin/events/ev_hall/revoke"),
    ("GET", "/admin/events/ev_hall/numbers"),
    ("GET", "/admin/events/ev_hall/numbers/history"),
    ("GET", "/admin/events/ev_hall/numbers/stream"),
    ("GET", "/admin/events/ev_hall/calls"),
    ("GET", "/admin/events/ev_hall/audit"),
]
ONE_EVENT = """
insert into venue values ('ve_1', 'Hall', 'Bergen', 'NO', 'Europe/Oslo');
insert into plan values ('pl_1', 've_1', 1, '', '');
insert into event values ('ev_hall', 'A', '', 've_1', 'pl_1', '', now(), 'EUR', 4, 1000, null,
                          now(), '');
insert into room (event_id, mode, per_minute, max_active, accept_ms, shop_ms, grace_ms, opens_at)
values ('ev_hall', 'on', 120, 60, 60000, 900000, 120000, now());
"""


async def no_seats(_):
    return {"held": 0, "claimed": 0, "sold": 0, "seats": 1}


async def nothing_held(*_):
    return


@pytest.fixture
def keys():
    return Keys("k" * 32)


@pytest.fixture
async def admin(db, redis, keys):
    await db.execute(ONE_EVENT)
    room = WaitingRoom(redis, db, keys)
    return Admin(
        db,
        keys,
        room,
        Hub(),
        seat_counts=no_seats,
        give_back=nothing_held,
        admin_token=TOKEN,
    )


@pytest.fixture
async def client(admin):
    app = Starlette(routes=admin.routes(), exception_handlers=exception_handlers())
    app.state.cookies = Cookies(secure=False)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://onsale") as opened:
        yield opened


async def change(client, version, **changes):
    return await client.patch(ROOM, json=changes, headers=BEARER | {"if-match": f'"{version}"'})


@pytest.mark.parametrize(("method", "path"), OPERATOR_PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": b"Bearer \xe9"},
        {"cookie": "onsale_console=abcdef01.9999999999.forged"},
    ],
)
async def test_nobody_but_an_operator_gets_in(client, method, path, headers):
    reply = await client.request(method, path, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (401, "not_operator")


async def test_the_room_is_shown_with_its_version_as_the_etag(client):
    reply = await client.get(ROOM, headers=BEARER)
    assert (reply.json()["maxActive"], reply.json()["perMinute"]) == (60, 120)
    assert reply.headers["etag"] == f'"{reply.json()["version"]}"'
    assert reply.headers["cache-control"] == "no-store"


async def test_a_change_is_made_and_audited_with_who_before_and_after(client):
    reply = await change(client, 1, perMinute=300, paused=True, pauseReason="crowd at gate 2")
    assert (reply.json()["perMinute"], reply.json()["paused"]) == (300, True)
    assert (reply.headers["etag"], reply.json()["maxActive"]) == ('"2"', 60)
    (row,) = (await client.get("/admin/events/ev_hall/audit", headers=BEARER)).json()
    assert row["who"] == "admin token"
    assert row["before"] == {"perMinute": 120, "paused": False, "pauseReason": ""}
    assert row["after"] == {"perMinute": 300, "paused": True, "pauseReason": "crowd at gate 2"}


async def test_of_two_changes_to_one_version_one_wins_and_the_other_sees_the_values_of_now(client):
    replies = await asyncio.gather(change(client, 1, maxActive=10), change(client, 1, maxActive=20))
    won, lost = sorted(replies, key=lambda reply: reply.status_code)
    assert (won.status_code, lost.status_code, lost.json()["code"]) == (200, 412, "changed")
    assert lost.json()["current"]["maxActive"] == won.json()["maxActive"]
    assert lost.json()["current"]["version"] == 2
    assert len((await client.get("/admin/events/ev_hall/audit", headers=BEARER)).json()) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"perMinute": "300"},
        {"perMinute": -1},
        {"mode": "open"},
        {"mode": None},
        {"graceMs": 1},
        {"shopMs": 1},
        {"pauseReason": "a\x00b"},
        {"pauseReason": "a" * 201},
        {"opensAt": 10**15},
        {"paused": 1},
    ],
)
async def test_a_change_that_is_not_as_described_changes_nothing(client, body):
    reply = await change(client, 1, **body)
    assert (reply.status_code, reply.json()["code"]) == (422, "bad_request")
    assert (await client.get(ROOM, headers=BEARER)).json()["version"] == 1


async def test_a_blind_change_is_refused(client):
    reply = await client.patch(ROOM, json={"maxActive": 1}, headers=BEARER)
    assert reply.json()["problems"][0]["where"] == "If-Match"


@pytest.mark.parametrize("name", ["admission", "numbers", "numbers/history", "calls", "audit"])
async def test_an_event_that_is_not_there_is_not_found(client, name):
    for made_up in ("ev_nothing", "nothing"):
        reply = await client.get(f"/admin/events/{made_up}/{name}", headers=BEARER)
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


async def test_numbers_tell_of_the_queue_and_of_the_seats(client):
    numbers = (await client.get("/admin/events/ev_hall/numbers", headers=BEARER)).json()
    promised = "waiting present called active maxActive perMinute calledLastMinute lapsed"
    assert set(promised.split()) <= numbers.keys()
    assert {"held", "claimed", "sold", "seats", "paused", "mode"} <= numbers.keys()


async def test_calls_are_told_in_the_words_of_the_protocol(client, db):
    await db.execute(
        "insert into call (event_id, subject, call_id, place, kind, called_at)"
        " values ('ev_hall', 'vs_1', 'ad_1', 7, 'fresh', to_timestamp(5))"
    )
    (call,) = (await client.get("/admin/events/ev_hall/calls", headers=BEARER)).json()
    assert call == {
        "subject": "vs_1",
        "place": 7,
        "kind": "fresh",
        "calledAt": 5000,
        "acceptedAt": None,
        "endsAt": None,
        "endReason": None,
    }
    after = await client.get("/admin/events/ev_hall/calls?after=7", headers=BEARER)
    assert after.json() == []


async def test_a_console_link_opens_a_session_once(client, admin):
    link = await admin.make_link("http://onsale")
    first = await client.get(link)
    assert (first.status_code, first.headers["location"]) == (303, "/console")
    assert "HttpOnly" in first.headers["set-cookie"]
    assert (await client.get(ROOM)).status_code == 200  # by the cookie alone
    second = await client.get(link)
    assert "set-cookie" not in second.headers


async def test_of_a_link_opened_twice_at_once_one_opening_counts(admin):
    token = await admin.operators.make_link_token()
    opened = await asyncio.gather(*(admin.operators.open_session(token) for _ in range(8)))
    assert sum(cookie is not None for cookie in opened) == 1


async def test_a_link_ends_and_only_its_hash_is_kept(admin, db):
    token = await admin.operators.make_link_token()
    kept = await db.fetchval("select token_hash from console_link")
    assert kept == hashlib.sha256(token.encode()).hexdigest()
    await db.execute("update console_link set expires_at = now()")
    assert await admin.operators.open_session(token) is None


@pytest.mark.parametrize(("lives_s", "status"), [(60, 200), (-1, 401)])
async def test_a_session_lasts_until_the_end_that_its_cookie_names(client, admin, lives_s, status):
    session = admin.sessions.value(int(time.time()) + lives_s)
    reply = await client.get(ROOM, headers={"cookie": f"onsale_console={session}"})
    assert reply.status_code == status


async def test_a_session_can_not_be_prolonged_by_its_bearer(client, admin):
    name, end, mac = admin.sessions.value(int(time.time()) + 60).split(".")
    longer = f"{name}.{int(end) + 3600}.{mac}"
    reply = await client.get(ROOM, headers={"cookie": f"onsale_console={longer}"})
    assert reply.status_code == 401
