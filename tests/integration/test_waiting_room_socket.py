"""The queue's WebSocket, through the whole application: frames, refusals, close codes."""

import asyncio

import orjson
import pytest
from websockets.asyncio.client import connect

from config.settings import load
from core.live.connection import MAX_MESSAGE_BYTES
from tests.waiting import LIMIT_S


class Browser:
    """An ASGI WebSocket client without a network."""

    def __init__(self, app, path, cookies=(), **headers):
        cookie = "; ".join(f"{name}={value}" for name, value in cookies)
        given = {"host": "onsale.test", "cookie": cookie} | headers
        self._scope = {
            "type": "websocket",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "subprotocols": [],
            "scheme": "ws",
            "app": app,
        }
        self._app, self._sent, self._received = app, asyncio.Queue(), asyncio.Queue()

    async def __aenter__(self):
        self.say({"type": "websocket.connect"})
        call = self._app(self._scope, self._sent.get, self._received.put)
        self._task = asyncio.create_task(call)
        return self

    async def __aexit__(self, *_):
        self.say({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait_for(self._task, LIMIT_S)

    def say(self, message):
        self._sent.put_nowait(message)

    def text(self, text):
        self.say({"type": "websocket.receive", "text": text})

    async def told(self, state):
        async with asyncio.timeout(LIMIT_S):
            while True:
                message = await self._received.get()
                if message["type"] != "websocket.send":
                    continue
                said = orjson.loads(message["text"])
                if said.get("state") == state:  # others lay something over it
                    return said

    async def close_code(self):
        async with asyncio.timeout(LIMIT_S):
            while (message := await self._received.get())["type"] != "websocket.close":
                pass
            return message["code"]


@pytest.fixture
async def open_socket(node):
    def make(event_id, client=None, **headers):
        cookies = client.cookies.items() if client else ()
        return Browser(node.app, f"/events/{event_id}/queue/socket", cookies, **headers)

    return make


@pytest.fixture
async def waiting(fan, make_sale):
    """(event id, client) of a fan who waits where nobody is called."""
    event_id = await make_sale(mode="on", max_active=0)
    client = fan()
    await client.post(f"/events/{event_id}/queue", json={})
    return event_id, client


async def test_a_fan_is_told_the_place_at_once_and_the_call_when_it_comes(
    waiting, open_socket, node
):
    event_id, client = waiting
    async with open_socket(event_id, client) as socket:
        assert (await socket.told("waiting"))["place"] == 1
        await node.services.waiting_room.change_settings(event_id, 1, max_active=1)
        await socket.told("called")
        await client.post(f"/events/{event_id}/queue/accept", json={})
        assert (await socket.told("admitted"))["pass"]


async def test_a_ping_is_understood_and_nothing_else_is(waiting, open_socket):
    event_id, client = waiting
    for text in ("{}", '{"type":"shout"}', "not json", " " * (MAX_MESSAGE_BYTES + 1)):
        async with open_socket(event_id, client) as socket:
            await socket.told("waiting")
            socket.text('{"type":"ping"}')
            socket.text(text)
            assert await socket.close_code() == 4503


async def test_without_a_visitor_or_an_event_the_page_is_told_not_to_come_back(
    waiting, open_socket
):
    event_id, client = waiting
    async with open_socket(event_id) as socket:
        assert await socket.close_code() == 4500
    for made_up in ("ev_nothing", "nothing"):
        async with open_socket(made_up, client) as socket:
            assert await socket.close_code() == 4502


async def test_a_page_of_another_site_gets_no_socket(waiting, open_socket):
    event_id, client = waiting
    async with open_socket(event_id, client, origin="https://evil.example") as socket:
        assert await socket.close_code() == 4501


async def test_a_node_negotiates_no_compression(served, make_sale):
    """It would cost 64 kB a fan, and the frames that all share are made without."""
    event_id = await make_sale(mode="on")
    address = f"{served.replace('http', 'ws')}/events/{event_id}/queue/socket"
    async with connect(address, compression="deflate") as fan:
        assert fan.protocol.extensions == []


async def test_a_fan_has_so_many_sockets_and_no_more_and_leaves_none_behind(
    waiting, open_socket, node
):
    event_id, client = waiting
    tabs = [open_socket(event_id, client) for _ in range(load().max_sockets_per_visitor)]
    for tab in tabs:
        await tab.__aenter__()
        await tab.told("waiting")
    async with open_socket(event_id, client) as one_too_many:
        assert await one_too_many.close_code() == 4504
    for tab in tabs:
        await tab.__aexit__()
    hub = node.services.waiting_room.hub
    assert not hub._events[event_id].board.fans


async def test_a_node_that_drains_sends_its_fans_elsewhere(waiting, open_socket, node):
    event_id, client = waiting
    async with open_socket(event_id, client) as socket:
        await socket.told("waiting")
        node.live.shutdown()
        assert await socket.close_code() == 4000
