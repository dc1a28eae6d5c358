"""Ours, with nothing around it: one channel for streams, one for sockets.

`python -m bench.live.hub_server PORT EVERY_MS BYTES`
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from app.serve.quiet import QuietServer
from bench.live.process import Arguments, serve
from bench.live.publisher import Publisher
from core.live import way_out, websocket
from core.live.channel import Channel
from core.live.connection import Socket
from core.live.hub import Hub
from core.live.reply import StreamReply, serve_socket

RING = 16  # small, so that it is not mistaken for the memory of clients

ARGUMENTS = Arguments.parse()
hub = Hub()
streams, sockets = Channel(RING), Channel(RING)
numbers = itertools.count(1)


def publish(message: bytes) -> None:
    """To those who are there: a channel without members is left alone."""
    number = next(numbers)
    if streams.members:
        streams.publish(number, b"id: bench:%d\ndata: %b\n\n" % (number, message))
    if sockets.members:
        sockets.publish(number, websocket.text(message))


async def stream(_: Request) -> Response:
    return StreamReply(hub, streams, streams.head)


async def socket(connection: WebSocket) -> None:
    await connection.accept()
    member = Socket(hub, lambda _: True)
    hub.join(member, sockets, sockets.head)
    await serve_socket(connection, member)


@contextlib.asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    await hub.start()
    Publisher(publish, every_ms=ARGUMENTS.every_ms, size=ARGUMENTS.size)
    yield
    await hub.stop()


if __name__ == "__main__":
    routes = [Route("/sse", stream), WebSocketRoute("/ws", socket)]
    app = Starlette(routes=routes, lifespan=lifespan)
    serve(app, ARGUMENTS.port, QuietServer, **way_out.protocols())
