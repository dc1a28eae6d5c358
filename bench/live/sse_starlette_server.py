"""The ordinary way, as a peer: sse-starlette on uvicorn, with a queue and a generator a client.

As its README has it, and with Python's collector as it is. Not slowed down either: uvloop,
httptools and no access log, as for ours.

`python -m bench.live.sse_starlette_server PORT EVERY_MS BYTES`
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import uvicorn
from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from bench.live.process import Arguments, serve
from bench.live.publisher import Publisher

ARGUMENTS = Arguments.parse()
queues: set[asyncio.Queue[dict[str, str]]] = set()
numbers = itertools.count(1)


def publish(message: bytes) -> None:
    event = {"id": f"bench:{next(numbers)}", "data": message.decode()}
    for queue in queues:
        queue.put_nowait(event)


async def stream(_: Request) -> EventSourceResponse:
    return EventSourceResponse(_events())


async def _events() -> AsyncIterator[dict[str, str]]:
    queue: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    queues.add(queue)
    try:
        while True:
            yield await queue.get()
    finally:
        queues.discard(queue)


@contextlib.asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    Publisher(publish, every_ms=ARGUMENTS.every_ms, size=ARGUMENTS.size)
    yield


if __name__ == "__main__":
    app = Starlette(routes=[Route("/sse", stream)], lifespan=lifespan)
    serve(app, ARGUMENTS.port, uvicorn.Server)
