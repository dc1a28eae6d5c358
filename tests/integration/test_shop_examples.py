"""The example for a shop in ASGI, run: who is let in, who is not, and when it says 503.

test_shop_nginx.py runs the other one.
"""

import asyncio
import hashlib
import importlib.util
import re
import time
from functools import partial
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import KeySet
from starlette.responses import PlainTextResponse

from core.signing import Keys
from tests.shops import code_for, sale_for
from tests.waiting import until
from waiting_room.passes.keyring import PassKeyStore
from waiting_room.passes.signed import Passes

ROOT = Path(__file__).parents[2]
HERE = "https://shop.example/"
JWKS = "/.well-known/jwks.json"
COOKIE = "__Host-onsale"


async def goods(scope, receive, send):
    await PlainTextResponse("goods")(scope, receive, send)


@pytest.fixture
def sale(make_sale, db):
    return partial(sale_for, make_sale, db)


@pytest.fixture
def middleware():
    """The class of docs/examples/shop.py."""
    spec = importlib.util.spec_from_file_location("shop", ROOT / "docs/examples/shop.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.WaitingRoom


@pytest.fixture
async def shop(sale, fan, middleware):
    """Makes a shop that guards an event; (the application, the event's id)."""

    async def make(http=None):
        event_id = await sale(HERE)
        named = {"room": "https://t.example", "event_id": event_id, "here": HERE}
        return middleware(goods, http=http or fan(), **named), event_id

    return make


def customer(app):
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url="https://shop.example")


def queued(reply):
    return reply.status_code == 303 and reply.headers["location"].startswith("https://t.example/e/")


async def let_in(mine, client, event_id):
    """A customer who came back from the queue of this fan."""
    code = await code_for(client, "", event_id, HERE)
    entered = await mine.get(f"/?onsale_code={code}")
    assert (entered.status_code, entered.headers["location"]) == (303, HERE)
    return entered, code


async def test_the_middleware_lets_in_who_brings_a_code_and_only_that_browser(shop, fan):
    app, event_id = await shop()
    client = fan()
    async with customer(app) as mine, customer(app) as stranger:
        turned_away = await mine.get("/")
        assert queued(turned_away)
        assert turned_away.headers["location"].endswith(f"/e/{event_id}/queue?return={HERE}")
        entered, code = await let_in(mine, client, event_id)
        for attribute in ("Path=/", "Secure", "HttpOnly", "SameSite=Lax"):
            assert attribute in entered.headers["set-cookie"]
        assert (await mine.get("/")).text == "goods"
        assert queued(await stranger.get(f"/?onsale_code={code}"))
        session, _, own = mine.cookies[COOKIE].partition(".")
        unbound = (await client.get(f"/events/{event_id}/queue")).json()["pass"]
        for copied in (own, f".{own}", f"x.{own}", f"{session}.{unbound}", f".{unbound}"):
            stranger.cookies.set(COOKIE, copied)
            assert queued(await stranger.get("/")), copied


async def test_the_middleware_takes_no_pass_of_another_event_house_or_time(shop, fan, node):
    app, event_id = await shop()
    issue = node.services.waiting_room.passes.issue
    foreign = Passes(Keys("t" * 32)).issue
    now_ms = time.time_ns() // 1_000_000
    lasting = {"now_ms": now_ms, "ends_ms": now_ms + 60_000, "binding": bound("s")}
    over = {"now_ms": now_ms - 90_000, "ends_ms": now_ms - 1_000, "binding": bound("s")}
    fan_of = ("vs_x", "ad_x")
    for text, fits in (
        (issue(event_id, *fan_of, **lasting), True),
        (issue("ev_other", *fan_of, **lasting), False),
        (issue(event_id, *fan_of, **over), False),
        (issue(event_id, *fan_of, **lasting | {"binding": bound("t")}), False),
        (foreign(event_id, *fan_of, **lasting), False),
    ):
        async with customer(app) as client:
            client.cookies.set(COOKIE, f"s.{text}")
            assert queued(await client.get("/")) != fits


async def test_a_code_of_another_event_opens_nothing_and_is_not_used_up(shop, fan):
    (app, _), (right, other) = await shop(), await shop()
    client = fan()
    code = await code_for(client, "", other, HERE)
    async with customer(app) as mine:
        assert queued(await mine.get(f"/?onsale_code={code}"))
        assert queued(await mine.get(f"/?onsale_code={'x' * 100}"))
    async with customer(right) as mine:
        assert not queued(await mine.get(f"/?onsale_code={code}"))


async def test_a_key_that_is_new_is_asked_for_and_nobody_is_dropped_by_a_rotation(shop, fan, db):
    app, event_id = await shop()
    async with customer(app) as old, customer(app) as new:
        await let_in(old, fan(), event_id)
        assert await PassKeyStore(db).rotate(1, ahead_ms=0) == 2
        room = fan()
        await until(lambda: room.get(JWKS), lambda reply: len(reply.json()["keys"]) == 3)
        await let_in(new, fan(), event_id)
        app.ask_at = 0  # a minute later
        for customer_of in (old, new):
            assert (await customer_of.get("/")).text == "goods"


async def test_many_who_come_at_once_to_a_shop_that_knows_no_keys_yet_all_get_in(
    shop, fan, middleware
):
    app, event_id = await shop()
    async with customer(app) as mine:
        await let_in(mine, fan(), event_id)
        app.keys, app.ask_at = KeySet([]), 0  # the shop was started anew
        replies = await asyncio.gather(*(mine.get("/") for _ in range(8)))
        assert {reply.text for reply in replies} == {"goods"}


async def test_the_middleware_says_503_when_the_room_cannot_say_and_goes_on_with_whom_it_knows(
    shop, fan
):
    room = Outage(fan())
    app, event_id = await shop(http=room)
    client = fan()
    async with customer(app) as mine, customer(app) as late:
        await let_in(mine, client, event_id)
        second = await code_for(fan(), "", event_id, HERE)
        for room.trouble in (httpx.ConnectError("no route"), 503):
            assert (await mine.get("/")).text == "goods"  # offline
            unsure = await late.get(f"/?onsale_code={second}")
            assert (unsure.status_code, unsure.headers["retry-after"]) == (503, "2")
            app.ask_at = 0
            late.cookies.set(COOKIE, "a.b.c.d")
            assert (await late.get("/")).status_code == 503
        room.trouble = None
        assert (await late.get(f"/?onsale_code={second}")).headers["location"] == HERE


class Outage:
    """The room as a shop sees it, which may be in trouble."""

    def __init__(self, client):
        self.client, self.trouble = client, None

    async def _ask(self, method, path, **kwargs):
        if isinstance(self.trouble, Exception):
            raise self.trouble
        reply = await self.client.request(method, path, **kwargs)
        if self.trouble:
            reply.status_code = self.trouble
        return reply

    async def get(self, path):
        return await self._ask("GET", path)

    async def post(self, path, **kwargs):
        return await self._ask("POST", path, **kwargs)


def bound(session):
    return hashlib.sha256(session.encode()).hexdigest()


async def test_a_socket_without_a_pass_is_refused_before_it_opens(shop):
    app, _ = await shop()
    sent = []

    async def send(message):
        sent.append(message["type"])

    scope = {"type": "websocket", "headers": [], "path": "/", "query_string": b""}
    await app(scope, None, send)
    assert "websocket.accept" not in sent
    assert sent[0] == "websocket.http.response.start"


def test_the_middleware_has_thirty_lines_and_the_documents_name_both_examples():
    code = (ROOT / "docs/examples/shop.py").read_text().partition("\nclass ")[2]
    assert len([line for line in code.splitlines() if line.strip()]) <= 30
    protocol = (ROOT / "docs/protocol.md").read_text()
    for named in re.findall(r"`((?:config|docs)/\S+)`", protocol):
        assert (ROOT / named).exists()
