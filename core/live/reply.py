"""What a route returns to hand its client to the hub: a stream, or a socket that it accepted.

The head of the reply goes the ordinary way, through every middleware. After it the connection is
the hub's, or, where the server has no way out, an ASGI call is kept open for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from core.live import asgi, sse
from core.live.channel import Channel
from core.live.connection import Connection, EventStream, Socket
from core.live.hub import Hub
from core.live.way_out import EXTENSION, WayOut

OnOpened = Callable[[Connection], None]
OnClosed = Callable[[Connection], None]


class StreamReply(Response):
    """200 with the events of `channel` after a position; None: a snapshot first.

    `on_opened` is called when the client is a member of the channel. `on_closed` is called once
    when the client is gone, also when it was gone before it began.
    """

    media_type = sse.MEDIA_TYPE

    def __init__(
        self,
        hub: Hub,
        channel: Channel,
        after: int | None,
        *,
        on_opened: OnOpened | None = None,
        on_closed: OnClosed | None = None,
    ) -> None:
        super().__init__(headers=sse.HEADERS)
        del self.headers["content-length"]
        self._hub, self._channel, self._after = hub, channel, after
        self._on_opened = on_opened
        self.connection = EventStream(hub, on_closed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        if scope["method"] == "HEAD":
            try:
                await send(head)
                await send({"type": "http.response.body", "body": b""})
            finally:
                self.connection.connection_lost(None)
            return
        way_out = _way_out(scope)
        if way_out is None:
            self._hub.adopt(self.connection, asgi.PulledTransport(self.connection))
            self._join()
            await asgi.stream(self._hub, self.connection, scope, receive, send)
            return
        way_out.before_head()
        taken = False
        try:
            await send(head)
            taken = way_out.take(self._hub, self.connection)
        finally:
            if not taken:
                self.connection.connection_lost(None)
        if taken:
            self._join()

    def _join(self) -> None:
        self._hub.join(self.connection, self._channel, self._after)
        if self._on_opened is not None and not self.connection.leaving:
            self._on_opened(self.connection)


async def serve_socket(websocket: WebSocket, connection: Socket) -> None:
    """The rest of an accepted WebSocket's life. Returns at once where the hub can take it over."""
    hub = connection.hub
    way_out = _way_out(websocket.scope)
    if way_out is None:
        hub.adopt(connection, asgi.PulledTransport(connection))
        await asgi.socket(hub, connection, websocket)
    elif not way_out.take(hub, connection):
        connection.connection_lost(None)


def _way_out(scope: Scope) -> WayOut | None:
    return cast("WayOut | None", scope.get("extensions", {}).get(EXTENSION))
