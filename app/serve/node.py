"""One node and the HTTP server around it, from its first connection to its last.

How a node leaves, when SIGTERM, SIGINT or SIGHUP comes:

1. It stops accepting. Its listening socket is closed here only: a supervisor keeps a copy, and
   what waits in the queue is the next worker's.
2. `drain` begins: streams and sockets are told to come back, spread over `drain_s`, and
   /health/ready answers 503 on the connections that are still open.
3. Kept-alive connections are not cut, since a request may be on its way on any of them: RFC 9112
   9.5 leaves that race to clients, and many lose it. The next reply on each says
   `connection: close` instead.
4. After `drain_s`, or when everybody has left, what is idle is closed. Requests under way have
   GOODBYE_S more; then they are cancelled, the services stop, and the process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from types import FrameType
from typing import Literal

import uvicorn
import uvloop
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.crew import Crew
from app.main import Addresses, Node
from app.secrets import secrets_of
from app.serve.orphans import Orphans
from app.serve.quiet import QuietServer
from app.serve.sockets import BACKLOG
from config.settings import Settings
from core.live import way_out
from core.live.connection import MAX_MESSAGE_BYTES

GOODBYE_S = 5.0  # on top of the drain, for requests under way
STOP_S = 5.0  # on top of both, for the services to stop; whoever supervises us kills then
KEEP_ALIVE_S = 20  # longer than a proxy keeps idle connections, so that it closes first: nginx.conf
POLL_S = 0.05


def run(coroutine: Coroutine[object, object, None]) -> None:
    """On uvloop, which writes at once and costs a third of asyncio's own loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(coroutine)


async def serve(
    settings: Settings,
    addresses: Addresses,
    listeners: Sequence[socket.socket],
    *,
    on_ready: Callable[[], None],
    on_drain: Callable[[], None],
    crew: Crew | None = None,
    orphans: Orphans | None = None,
) -> None:
    """A node from start to end, until a signal comes; the signal is raised once more then."""
    secret, admin_token = secrets_of(settings)
    node = await Node.open(settings, addresses, secret=secret, admin_token=admin_token, crew=crew)
    try:
        server = NodeServer(
            *(node, settings.drain_s, orphans), on_ready=on_ready, on_drain=on_drain
        )
        await server.serve(sockets=list(listeners))
    finally:
        await node.close()


class NodeServer(QuietServer):
    """uvicorn's server, but for how it leaves.

    uvicorn itself would cut idle connections at once, close all sockets in one go, and wait for
    streams for ever.
    """

    def __init__(
        self,
        node: Node,
        drain_s: float,
        orphans: Orphans | None,
        *,
        on_ready: Callable[[], None],
        on_drain: Callable[[], None],
    ) -> None:
        super().__init__(server_config(node))
        self._node, self._drain_s, self._orphans = node, drain_s, orphans
        self._on_ready, self._on_drain = on_ready, on_drain
        self._leaving = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._orphans is not None:
            self._orphans.start(self._protocol)
        self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self._leaving:
            self._leaving = True
            # uvicorn tells the hub itself, but later, and only one that stands among its
            # connections: not when they go the ASGI way.
            asyncio.get_running_loop().call_soon_threadsafe(self._node.live.shutdown)
            self._on_drain()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        if self._orphans is not None:
            await self._orphans.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain_s):
                # Polled, as uvicorn does: it tells nobody when a connection ends.
                while self.server_state.connections and not self.force_exit:  # noqa: ASYNC110
                    await asyncio.sleep(POLL_S)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        """As uvicorn makes one for the sockets it was given at the start."""
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        state = self.lifespan.state
        return make(config=self.config, server_state=self.server_state, app_state=state)


def server_config(node: Node, *, lifespan: Literal["on", "off"] = "on") -> uvicorn.Config:
    """How uvicorn serves a node. `lifespan` off: somebody else starts its services."""
    return uvicorn.Config(
        _Leaving(node.app, lambda: node.live.draining),
        lifespan=lifespan,
        **way_out.protocols(node.services.refused),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # core.clients reads what proxies of ours say, and only that
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(GOODBYE_S),
        backlog=BACKLOG,  # uvicorn listens once more: without it, the queues are cut to 2,048
    )


class _Leaving:
    """Pure ASGI: while the node drains, each reply is the last one on its connection."""

    def __init__(self, app: ASGIApp, leaving: Callable[[], bool]) -> None:
        self._app, self._leaving = app, leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start" and self._leaving():
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        await self._app(scope, receive, send_last if scope["type"] == "http" else send)


def end_on_hangup() -> None:
    """SIGHUP ends a process that nobody would start again, as SIGTERM does; nohup is respected."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
