"""Server-sent events, for now through sse-starlette: the bytes and the reply.

sse-starlette replaces uvicorn's exit handler at import so that streams end at a shutdown. We
decide ourselves (`Drain`), so that every client hears `bye` with a time to come back at, spread
out; its own automatic drain is switched off.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import AppStatus, EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response

PING_S = 15
SEND_TIMEOUT_S = 20.0  # a client that takes nothing for so long is hopeless
DRAIN_SPREAD_MS = 4_000

AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]


class Drain:
    """Set once, when the node stops: streams and sockets say goodbye and end."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    def begin(self) -> None:
        self._begun.set()

    @property
    def begun(self) -> bool:
        return self._begun.is_set()

    async def wait(self) -> None:
        await self._begun.wait()


def frame(event: str, data: bytes, event_id: str | None = None) -> bytes:
    """One event as it goes over the wire (WHATWG HTML, 9.2.5). `data` holds no line break."""
    assert b"\n" not in data
    assert b"\r" not in data
    head = f"id: {event_id}\nevent: {event}\ndata: " if event_id else f"event: {event}\ndata: "
    return head.encode() + data + b"\n\n"


def retry_ms() -> int:
    """When a client should come back: spread, so that the next node is not hit at once."""
    return random.randint(0, DRAIN_SPREAD_MS)  # noqa: S311 (no secret)


def stream(request: Request, frames: AsyncIterator[bytes]) -> Response:
    """A reply that sends each of `frames` as it comes, comments in between, `bye` at the end."""
    drain: Drain = request.app.state.drain
    return EventSourceResponse(
        _until_drained(frames, drain),
        ping=PING_S,
        ping_message_factory=lambda: ServerSentEvent(comment="", sep="\n"),
        send_timeout=SEND_TIMEOUT_S,
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        sep="\n",
    )


async def _until_drained(frames: AsyncIterator[bytes], drain: Drain) -> AsyncIterator[bytes]:
    goodbye = asyncio.ensure_future(drain.wait())
    try:
        while True:
            news = asyncio.ensure_future(anext(frames))
            try:
                await asyncio.wait({news, goodbye}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not news.done():
                    news.cancel()
            if goodbye.done():
                yield frame("bye", b'{"retryMs":%d}' % retry_ms())
                return
            try:
                yield news.result()
            except StopAsyncIteration:
                return
    finally:
        goodbye.cancel()
