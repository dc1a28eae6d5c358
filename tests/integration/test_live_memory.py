"""What stays in memory of a client's handshake once the hub has its connection: nothing."""

import asyncio
import contextlib
import gc

import pytest
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from websockets.protocol import Protocol

from core.live.channel import Channel
from core.live.connection import Socket
from core.live.hub import Hub
from core.live.reply import StreamReply, serve_socket
from core.live.under_uvicorn import HubHttpProtocol, HubSocketProtocol
from tests.live_clients import Wire, client_frame, serving
from tests.waiting import until

ASKED = "GET {path} HTTP/1.1\r\nhost: onsale.test\r\n\r\n"
KINDS = (HubHttpProtocol, HubSocketProtocol, Protocol)


@pytest.fixture
def without_the_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_the_collector")
@pytest.mark.parametrize(
    ("path", "behind"),
    [("/stream", ""), ("/stream", ASKED.format(path="/stream")), ("/socket", "")],
)
async def test_the_servers_protocols_do_not_wait_for_the_collector(path, behind):
    hub = Hub(drain_s=0.1)
    async with serving(app(hub), "hub") as address, Wire.open(address) as wire:
        if path == "/socket":
            await wire.upgrade(path)
        else:
            wire.send((ASKED.format(path=path) + behind).encode())
        await until(lambda: hub.count == 1)
        await until(lambda: not protocols(*KINDS), what="what the handshake made is gone")


@pytest.mark.usefixtures("without_the_collector")
async def test_no_parser_of_what_a_client_said_waits_for_the_collector():
    hub = Hub(drain_s=0.1)
    async with serving(app(hub), "hub") as address, Wire.open(address) as wire:
        await wire.upgrade("/socket")
        for what in (
            client_frame(b"whole"),
            client_frame(b"p", op=9),
            client_frame(b"ha", fin=False),
        ):
            wire.send(what)
            await asyncio.sleep(0)
        await until(lambda: len(protocols(Protocol)) == 1, what="one is left, for the half")
        wire.abort()
        await until(lambda: not protocols(Protocol), what="the last is gone")


def app(hub: Hub) -> Starlette:
    channel = Channel(8)

    @contextlib.asynccontextmanager
    async def lifespan(_):
        await hub.start()
        yield
        await hub.stop()

    async def stream(_):
        return StreamReply(hub, channel, channel.head)

    async def socket(ws):
        await ws.accept()
        await serve_socket(ws, Socket(hub, lambda _: True))

    routes = [Route("/stream", stream), WebSocketRoute("/socket", socket)]
    return Starlette(routes=routes, lifespan=lifespan)


def protocols(*kinds):
    return [thing for thing in gc.get_objects() if isinstance(thing, kinds)]
