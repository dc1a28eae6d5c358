"""What stays in memory of a client's handshake once the hub has its connection: nothing."""

import contextlib
import gc

import pytest
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute

from core.live.channel import Channel
from core.live.connection import Socket
from core.live.hub import Hub
from core.live.reply import StreamReply, serve_socket
from core.live.under_uvicorn import HubHttpProtocol, HubSocketProtocol
from tests.live_clients import Wire, serving
from tests.waiting import until


@pytest.fixture
def without_the_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_the_collector")
@pytest.mark.parametrize("path", ["/stream", "/socket"])
async def test_the_servers_protocols_do_not_wait_for_the_collector(path):
    hub = Hub(drain_s=0.1)
    async with serving(app(hub), "hub") as address, Wire.open(address) as wire:
        if path == "/socket":
            await wire.upgrade(path)
        else:
            wire.get(path)
        await until(lambda: hub.count == 1)
        await until(lambda: not protocols(), what="something still holds the handshake's protocol")


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


def protocols():
    kinds = (HubHttpProtocol, HubSocketProtocol)
    return [thing for thing in gc.get_objects() if isinstance(thing, kinds)]
