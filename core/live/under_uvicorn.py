"""uvicorn's protocols, with a way out: a route may hand its connection to the hub.

uvicorn and Starlette do the handshake, the routing and the checks. Then the transport gets
another protocol, the ASGI call ends, and nothing of uvicorn's stays in memory for the client.

What is used here of uvicorn is not all public, so only `way_out.protocols` imports this, and
only with a version of uvicorn that tests/integration/test_live_contract.py has run on.
"""

from __future__ import annotations

import logging
from asyncio import Transport
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeaderValue
from websockets.http11 import MAX_LINE_LENGTH, MAX_NUM_HEADERS, Request

from core.live.connection import let_go
from core.live.patience import PatientHttpProtocol
from core.live.way_out import EXTENSION

if TYPE_CHECKING:
    from core.live.connection import Connection, Socket
    from core.live.hub import Hub

log = logging.getLogger(__name__)

_SHORTEST = b"GET / HTTP/1.1\r\n\r\n"


class HubHttpProtocol(PatientHttpProtocol):
    """HTTP/1.1 whose replies may become streams of the hub."""

    _last_was_asked = False  # what comes behind it is not listened to

    def data_received(self, data: bytes) -> None:
        if self._last_was_asked:
            return
        self._unset_keepalive_if_required()
        self.feeding(len(data))
        try:
            self.parser.feed_data(data)
            self.fed()
        except httptools.HttpParserUpgrade as exc:
            if not self._should_upgrade():
                self._unsupported_upgrade_warning()
            elif self.is_answering():
                self._leave_unanswered()
            else:
                self._upgrade(early=data[exc.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        scope = cast("dict[str, Any]", cycle.scope)
        scope["extensions"] = {EXTENSION: _HttpWayOut(self, cycle)}
        super()._start_asgi_task(cycle, app)

    def give_up(self) -> None:
        """The transport is somebody else's: forget all that would be kept for this client."""
        self.connections.discard(self)
        self._unset_keepalive_if_required()
        self.let_go()
        self.pipeline.clear()  # a stream has no end: what was asked behind it is never answered
        self.flow.resume_reading()
        self._forget()

    def _leave_unanswered(self) -> None:
        """A handshake behind a request whose reply is not over: two would write to one client.

        The reply before it is the last, as with what is asked behind a stream: a client may ask
        again on another connection (RFC 9112, 9.3.2).
        """
        self._last_was_asked = True
        self.cycle.keep_alive = False

    def _upgrade(self, early: bytes) -> None:
        """`early`: frames that came with the handshake. uvicorn itself would lose them."""
        handshake = handshake_of(self.scope["method"], self.url, self.headers)
        if handshake is None:
            self.send_400_response("Invalid WebSocket handshake.")
        else:
            protocol = self._made_socket()
            protocol.begin(handshake)
            if early:
                protocol.data_received(early)
        self._forget()

    def _made_socket(self) -> HubSocketProtocol:
        """The transport's protocol from now on."""
        self.connections.discard(self)
        protocol = cast("type[HubSocketProtocol]", self.ws_protocol_class)(
            config=self.config, server_state=self.server_state, app_state=self.app_state
        )
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        return protocol

    def _forget(self) -> None:
        """Parser and protocol hold each other, and would wait for the collector: 11 kB each."""
        self.parser = self.cycle = self.scope = self.flow = None  # type: ignore[assignment]


class _HttpWayOut:
    def __init__(self, protocol: HubHttpProtocol, cycle: RequestResponseCycle) -> None:
        self._protocol, self._cycle = protocol, cycle

    def before_head(self) -> None:
        self._cycle.chunked_encoding = False  # the end of the connection ends the stream
        self._cycle.keep_alive = False

    def take(self, hub: Hub, connection: Connection) -> bool:
        cycle, protocol = self._cycle, self._protocol
        gone = cycle.disconnected or protocol.transport.is_closing()
        cycle.disconnected = True  # for uvicorn: nothing more will come of this call
        if gone:
            return False
        cycle.message_event.set()
        del cast("dict[str, Any]", cycle.scope)["extensions"]
        transport = protocol.transport
        protocol.give_up()
        _hand_over(hub, connection, transport, protocol.connections)
        return True


class HubSocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket that, once accepted, may become one of the hub's."""

    _has_spoken = False

    def begin(self, handshake: Request) -> None:
        """As if it had read this one. uvicorn writes a request out, to be parsed once more here.

        `websockets` makes every check of RFC 6455, 4.2.1 on it; its parser is led past another,
        the shortest there is.
        """
        self.conn.receive_data(_SHORTEST)
        self.conn.events_received()
        self.handle_connect(handshake)

    def data_received(self, data: bytes) -> None:
        self._has_spoken = self.handshake_initiated
        super().data_received(data)

    async def run_asgi(self) -> None:
        self._extensions()[EXTENSION] = self
        await super().run_asgi()

    def _extensions(self) -> dict[str, Any]:
        return cast("dict[str, Any]", self.scope["extensions"])

    def before_head(self) -> None:
        """The handshake's reply is as it always is."""

    def take(self, hub: Hub, connection: Connection) -> bool:
        self.stop_keepalive()
        if self.disconnected or self.transport.is_closing():
            return False
        socket, transport = cast("Socket", connection), self.transport
        self.connections.discard(self)
        del self._extensions()[EXTENSION]
        # For uvicorn: to close what it has now closes nothing.
        self.transport = cast("Transport", _Nowhere())
        if self._has_spoken:
            is_text = self.curr_msg_data_type == "text"
            socket.go_on(self.conn, self.frames, is_text=is_text)
        else:
            let_go(self.conn)
        _hand_over(hub, socket, transport, self.connections)
        while not self.queue.empty():
            message = self.queue.get_nowait()
            if message["type"] == "websocket.receive":
                socket.message(cast("dict[str, Any]", message).get("text"))
        if self.read_paused:
            transport.resume_reading()
        return True


def handshake_of(
    method: str, target: bytes, headers: Sequence[tuple[bytes, bytes]]
) -> Request | None:
    """The handshake as `websockets` would have parsed it; None where it would have refused to.

    That is: a body, too many or too long lines, or characters that HTTP does not have.
    """
    lines = [
        len(method) + len(target) + 12,
        *(len(name) + len(value) + 4 for name, value in headers),
    ]
    if len(headers) > MAX_NUM_HEADERS or max(lines) > MAX_LINE_LENGTH:
        return None
    read = Headers()
    try:
        for name, value in headers:
            read[name.decode("ascii")] = value.strip(b" \t").decode("latin-1")
        request = Request(target.decode("ascii"), read, method)
    except (UnicodeDecodeError, InvalidHeaderValue):
        return None
    has_body = "Transfer-Encoding" in read or {*read.get_all("Content-Length")} - {"0"}
    return None if has_body else request


class _Nowhere:
    """Stands for a transport that was handed on."""

    def close(self) -> None:
        """It is not ours to close."""

    def is_closing(self) -> bool:
        return True


def _hand_over(
    hub: Hub, connection: Connection, transport: Transport, connections: set[Any]
) -> None:
    transport.set_protocol(connection)
    hub.adopt(connection, transport, among=connections)
