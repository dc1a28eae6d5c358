"""Clients that vanish: no FIN, no reset, no acknowledgement ever comes. The server finds them.

Linux by itself gives up after some 15 minutes, far beyond what these tests wait for. Behind a proxy
acknowledgements do come, the proxy's, but no answers.
"""

import asyncio
import contextlib
import gc
import re

import pytest
import uvicorn
from websockets.frames import Close, Opcode

from app.serve.node import server_config
from app.serve.sockets import listen
from core.live.connection import MAX_SILENT_BEATS, Connection
from core.live.websocket import COME_BACK
from tests.live_clients import Wire, client_frame
from tests.running import LIMIT_S, client_of, cookies_of, settled
from tests.waiting import until

BEAT_EVERY_S, PEER_TIMEOUT_S = 1, 1.5


@pytest.fixture
async def sales(make_sale):
    """(an event whose map is open to everybody, an event whose fans wait)"""
    return await make_sale(), await make_sale(mode="on", max_active=0)


@pytest.fixture
def frequent_beats(monkeypatch):
    monkeypatch.setenv("ONSALE_BEAT_EVERY_S", str(BEAT_EVERY_S))


async def test_vanished_clients_are_ended_and_the_others_stay(onsale, sales):
    server = onsale(beat_every_s=BEAT_EVERY_S, peer_timeout_s=PEER_TIMEOUT_S)
    await settled(server.url, *sales)
    async with client_of(server.url) as client, pair(server.url, *sales) as (stream, socket):
        answers = asyncio.create_task(answer(socket))
        async with pair(server.url, *sales) as vanishing:
            assert await connected(client) == {"sse": 2, "websocket": 2}
            for wire in vanishing:
                wire.vanish()
            await until_connected(client, sse=1, websocket=1)
        await stream.until(b":\n\n")
        await answers
        assert await connected(client) == {"sse": 1, "websocket": 1}


async def test_a_client_that_vanished_behind_a_proxy_is_ended_since_nobody_answers(onsale, sales):
    server = onsale(beat_every_s=BEAT_EVERY_S)
    await settled(server.url, *sales)
    async with pair(server.url, *sales) as (_, mute):
        told = []
        while not told or told[-1].opcode is not Opcode.CLOSE:
            told += await mute.frames(1)
    asked = [frame for frame in told if frame.opcode is Opcode.PING]
    assert len(asked) == MAX_SILENT_BEATS - 1
    assert Close.parse(told[-1].data).code == COME_BACK


@pytest.mark.usefixtures("frequent_beats")
async def test_nothing_of_a_vanished_client_stays_in_memory(node, sales):
    streamed, queued = sales
    with listen("127.0.0.1", 0, slots=1, peer_timeout_s=PEER_TIMEOUT_S) as (queues,):
        server = uvicorn.Server(server_config(node, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=queues))
        url = "http://{}:{}".format(*queues[0].getsockname())
        await until(lambda: server.started)
        follower = await node.services.seat_map.follower(streamed)
        async with pair(url, *sales) as vanishing:
            fans = node.services.waiting_room.hub._events[queued].board.fans
            assert (node.live.count, follower.channel.members, len(fans)) == (2, 1, 1)
            for wire in vanishing:
                wire.vanish()
            await until(lambda: node.live.count == 0, what="they are found")
        assert (follower.channel.members, len(fans)) == (0, 0)
        await until(lambda: not server.server_state.connections)
        await until(lambda: not kept_of(node), what="who tells them of the sale lets them go")
        server.should_exit = True
        await serving


def kept_of(node):
    gc.collect()
    there = (one for one in gc.get_objects() if isinstance(one, Connection))
    return [one for one in there if one.hub is node.live]


async def answer(socket):
    """As every client does, and as often as would be in vain from one that is gone."""
    answered = 0
    while answered < MAX_SILENT_BEATS - 1:
        if (await socket.frames(1))[0].opcode is Opcode.PING:
            socket.send(client_frame(op=Opcode.PONG))
            answered += 1


@contextlib.asynccontextmanager
async def pair(url, streamed, queued):
    """A stream and a fan's socket, both past what they are told at first."""
    host, port = url.removeprefix("http://").split(":")
    async with client_of(url) as fan:
        await fan.post(f"/events/{queued}/queue", json={})
        cookie = "cookie: {cookie}\r\n".format(**cookies_of(fan))
    async with Wire.open((host, int(port))) as stream, Wire.open((host, int(port))) as socket:
        stream.get(f"/events/{streamed}/seats/stream")
        await stream.until(b"\r\n\r\n")
        await stream.until(b"\n\n")
        await socket.upgrade(f"/events/{queued}/queue/socket", cookie)
        await socket.frames(1)
        yield stream, socket


async def connected(client):
    text = (await client.get("/metrics")).text
    found = re.findall(r'^onsale_live_connections{kind="(\w+)"} (\S+)$', text, re.MULTILINE)
    return {kind: float(count) for kind, count in found}


async def until_connected(client, **expected):
    async with asyncio.timeout(LIMIT_S):
        while (found := await connected(client)) != expected:
            assert found.keys() == expected.keys()
