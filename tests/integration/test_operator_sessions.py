"""A console session's end, by time or by hand, is the end of all it opened, on every node."""

import asyncio
import time
from contextlib import asynccontextmanager
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from starlette.requests import HTTPConnection

from app.cli import main
from core.errors import StoreUnavailable
from tests.live_clients import Wire
from tests.operators import ADMIN_TOKEN, BEARER
from tests.waiting import until


def cookie(value):
    return {"cookie": f"onsale_console={value}"}


@asynccontextmanager
async def reading(served, event_id, value):
    """A reader of the numbers, who has heard the first of them."""
    address = urlsplit(served)
    async with Wire.open((address.hostname, address.port)) as wire:
        path = f"/admin/events/{event_id}/numbers/stream"
        wire.send(
            f"GET {path} HTTP/1.1\r\nhost: x\r\ncookie: onsale_console={value}\r\n\r\n".encode()
        )
        assert b" 200 " in await wire.until(b"\r\n\r\n")
        assert (await wire.event()).name == "numbers"
        yield wire


@pytest.fixture
def sessions(node):
    return node.services.admin.sessions


@pytest.fixture
def value(sessions):
    return sessions.value(int(time.time()) + 3600)


async def test_a_stream_of_numbers_ends_when_its_session_does(
    served, sessions, value, make_sale, monkeypatch
):
    event_id = await make_sale(mode="on")
    async with reading(served, event_id, value) as wire:
        an_hour_later = SimpleNamespace(time=lambda: time.time() + 3600)
        monkeypatch.setattr("app.admin.sessions.time", an_hour_later)
        rest = await wire.rest()
    assert rest.endswith(b"}\n\n")
    assert b"event: bye" in rest, "the page asks again, and is told why it gets no further"
    await until(lambda: not sessions._streams)


async def test_logging_out_ends_the_session_and_its_stream_and_no_other(
    served, sessions, value, make_sale, fan
):
    event_id = await make_sale(mode="on")
    room, other = f"/admin/events/{event_id}/admission", sessions.value(int(time.time()) + 3600)
    async with reading(served, event_id, value) as wire, reading(served, event_id, other) as stays:
        left = await fan().post("/console/leave", headers=cookie(value))
        assert (left.status_code, left.headers["location"]) == (303, "/console")
        assert "onsale_console=; Path=/; Max-Age=0" in left.headers["set-cookie"]
        assert b"event: bye" in await wire.rest()
        assert (await stays.event()).name == "numbers"
    for kept, status in ((value, 401), (other, 200)):  # a copy of the cookie is worth nothing
        assert (await fan().get(room, headers=cookie(kept))).status_code == status
    assert (await fan().get(room, headers=BEARER)).status_code == 200


async def test_every_node_hears_of_a_logout(sessions, value, other_node, fan):
    other = other_node.services.admin.sessions

    async def lives():
        said = [(b"cookie", f"onsale_console={value}".encode())]
        scope = {"type": "http", "app": other_node.app, "headers": said}
        return other.of(HTTPConnection(scope)) is not None

    assert await lives()
    await fan().post("/console/leave", headers=cookie(value))
    assert not await until(lives, lambda alive: not alive)


async def test_a_logout_that_could_not_be_kept_is_none(sessions, value, fan):
    async def unreachable(*_):
        raise StoreUnavailable("PostgreSQL")

    log_out, sessions._store.log_out = sessions._store.log_out, unreachable
    refused = await fan().post("/console/leave", headers=cookie(value))
    assert (refused.status_code, "set-cookie" in refused.headers) == (503, False)
    assert (await fan().get("/console", headers=cookie(value))).status_code == 200
    sessions._store.log_out = log_out


async def test_a_page_of_another_site_logs_nobody_out(value, fan):
    foreign = cookie(value) | {"origin": "https://evil.example"}
    assert (await fan().post("/console/leave", headers=foreign)).status_code == 403
    assert (await fan().get("/console", headers=cookie(value))).status_code == 200


async def test_the_bearer_of_the_token_gets_a_link_and_a_session_does_not(value, fan):
    browser, links = fan(), "/admin/console-links"
    made = await fan().post(links, json={}, headers=BEARER)
    assert (await browser.get(made.json()["path"])).headers["location"] == "/console"
    assert (await browser.get("/console")).status_code == 200
    for headers in ({}, cookie(value)):
        refused = await fan().post(links, json={}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (401, "not_operator")


async def test_the_command_prints_a_link_to_the_console_of_a_running_server(
    served, fan, monkeypatch, capsys
):
    monkeypatch.setenv("ONSALE_ADMIN_TOKEN", ADMIN_TOKEN)
    words = ["console", "--url", served]
    assert await asyncio.to_thread(main, words) == 0
    link = capsys.readouterr().out.split()[0]
    browser = fan()
    await browser.get(link.removeprefix(served))
    assert (await browser.get("/console")).status_code == 200
    assert await asyncio.to_thread(main, ["console", "--url", "http://127.0.0.1:9"]) == 2
