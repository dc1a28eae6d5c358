"""The ASGI way: where the server is not one whose connections the hub can take over.

A test client, another ASGI server, a uvicorn that was not tested: there an ASGI call stays open
for each client, through sse-starlette or Starlette's WebSocket. The hub and its connections are
the same. Only the transport is another: one whose bytes are pulled by the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from sse_starlette.sse import AppStatus, EventSourceResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import CLIENT, Protocol

from core.live import sse

if TYPE_CHECKING:
    from core.live.connection import Connection, EventStream, Socket
    from core.live.hub import Hub

SEND_TIMEOUT_S = 20.0

# sse-starlette replaces uvicorn's exit handler when it is imported. The hub drains.
AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]


class PulledTransport(asyncio.Transport):
    """Full from each write until it has been pulled, like a socket with room for one write."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self._bytes = b""
        self._written = asyncio.Event()
        self._closing = False
        self.on_abort: Callable[[], object] = self.close

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing:
            return
        if not self._bytes:
            self._connection.pause_writing()
        self._bytes += bytes(data)
        self._written.set()

    async def pull(self) -> bytes:
        """The next bytes, b"" at the end. The ones before have gone out by then."""
        if self._connection.transport is self and not self._closing:
            self._connection.resume_writing()
        await self._written.wait()
        if not self._closing:
            self._written.clear()
        pulled, self._bytes = self._bytes, b""
        return pulled

    def close(self) -> None:
        self._closing = True
        self._written.set()

    def abort(self) -> None:
        self._bytes = b""
        self.close()
        self.on_abort()

    def is_closing(self) -> bool:
        return self._closing

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return len(self._bytes)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It is full from each write on: there is no limit to set."""


async def stream(
    hub: Hub, connection: EventStream, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve an adopted stream until either side ends it."""
    transport = connection.transport
    assert isinstance(transport, PulledTransport)
    reply = EventSourceResponse(_chunks(transport), ping=0, send_timeout=SEND_TIMEOUT_S, sep="\n")
    reply.headers.update(sse.HEADERS)
    await _held_open(hub, connection, transport, reply(scope, receive, send))


async def _chunks(transport: PulledTransport) -> AsyncIterator[bytes]:
    while pulled := await transport.pull():
        yield pulled


async def socket(hub: Hub, connection: Socket, websocket: WebSocket) -> None:
    """Serve an adopted, accepted socket until either side ends it."""
    transport = connection.transport
    assert isinstance(transport, PulledTransport)
    call = _both_ways(websocket, connection, transport)
    await _held_open(hub, connection, transport, call)


async def _held_open(
    hub: Hub, connection: Connection, transport: PulledTransport, call: Coroutine[Any, Any, None]
) -> None:
    task = asyncio.create_task(call)
    transport.on_abort = task.cancel
    hub.in_asgi_calls += 1
    try:
        await asyncio.wait({task})
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        hub.in_asgi_calls -= 1
        connection.connection_lost(None)
    if not task.cancelled():
        task.result()


async def _both_ways(websocket: WebSocket, connection: Socket, transport: PulledTransport) -> None:
    writer = asyncio.create_task(_write(websocket, connection, transport))
    reader = asyncio.create_task(_read(websocket, connection))
    try:
        await asyncio.wait({writer, reader}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (writer, reader):
            task.cancel()
        await asyncio.gather(writer, reader, return_exceptions=True)


async def _write(websocket: WebSocket, connection: Socket, transport: PulledTransport) -> None:
    """Frames are bytes by the time they come here: parsed back into what ASGI sends.

    ASGI knows no pings. A server sends its own, and ends who does not answer.
    """
    parser = Protocol(CLIENT, max_size=None)
    try:
        while pulled := await transport.pull():
            parser.receive_data(pulled)
            for frame in parser.events_received():
                assert isinstance(frame, Frame)
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    if frame.opcode is Opcode.PING:
                        connection.heard()
                    elif frame.opcode is Opcode.TEXT:
                        await websocket.send_text(bytes(frame.data).decode())
                    elif frame.opcode is Opcode.CLOSE:
                        close = Close.parse(frame.data)
                        await websocket.close(close.code, close.reason)
                        return
    except (WebSocketDisconnect, RuntimeError, TimeoutError):
        return  # the client is gone, and Starlette raises either; or takes nothing


async def _read(websocket: WebSocket, connection: Socket) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        connection.message(message.get("text"))
