"""WebSockets, for now through Starlette: one that never makes the sender wait.

`send` keeps only the latest frame that has not gone out: each frame is a whole state, so a slow
client skips states and is never wrong. Memory per client is one frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

from core.live.sse import Drain

MAX_FRAME_BYTES = 256
SEND_TIMEOUT_S = 20.0
COME_BACK, TOO_SLOW, NOT_UNDERSTOOD = 4000, 4001, 4503


class LiveSocket:
    """One client's outbox. Made by the route, kept by the hub, run by `serve`."""

    __slots__ = ("_close_code", "_frame", "_wake")

    def __init__(self) -> None:
        self._frame: bytes | None = None
        self._close_code: int | None = None
        self._wake = asyncio.Event()

    def send(self, frame: bytes) -> None:
        """Never waits. A frame that has not gone out yet is replaced."""
        self._frame = frame
        self._wake.set()

    def close(self, code: int) -> None:
        """After the last frame. Codes as in docs/protocol.md."""
        self._close_code = code
        self._wake.set()

    async def take(self) -> tuple[bytes | None, int | None]:
        await self._wake.wait()
        self._wake.clear()
        frame, self._frame = self._frame, None
        return frame, self._close_code


async def serve(websocket: WebSocket, socket: LiveSocket, on_text: Callable[[str], bool]) -> None:
    """Run an accepted connection until either side ends it or the node drains.

    `on_text` gets each text frame and says whether it was understood.
    """
    drain: Drain = websocket.app.state.drain
    writer = asyncio.create_task(_write(websocket, socket))
    reader = asyncio.create_task(_read(websocket, socket, on_text))
    drainer = asyncio.create_task(_drain(drain, socket))
    try:
        await asyncio.wait({writer, reader}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (writer, reader, drainer):
            task.cancel()
        await asyncio.gather(writer, reader, drainer, return_exceptions=True)


async def _drain(drain: Drain, socket: LiveSocket) -> None:
    await drain.wait()
    socket.close(COME_BACK)


async def _write(websocket: WebSocket, socket: LiveSocket) -> None:
    try:
        while True:
            frame, code = await socket.take()
            if frame is not None:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await websocket.send_text(frame.decode())
            if code is not None:
                await websocket.close(code)
                return
    except TimeoutError:
        await websocket.close(TOO_SLOW)
    except (WebSocketDisconnect, RuntimeError):
        return  # the client is gone; Starlette raises either


async def _read(websocket: WebSocket, socket: LiveSocket, on_text: Callable[[str], bool]) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        if text is None or len(text) > MAX_FRAME_BYTES or not on_text(text):
            socket.close(NOT_UNDERSTOOD)
            await asyncio.Event().wait()  # the writer closes and ends us
