"""uvicorn's HTTP protocol with the limits it lacks: how long a request may take to arrive, and how
long its head may be.

A client that sends a byte now and then would otherwise keep its connection for ever ("slowloris"),
and one that sends a head without end would fill our memory with it: httptools takes megabytes.
Both deadlines are absolute, from the first byte: to drip does not put them off. The limit on a
body's length is the route's (`core.edge.read_body`), since routes differ.

    (accept) ── HEAD_S ──► head ── BODY_S ──► whole request ──► reply ── keep-alive ──► next head
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from core.refusals import Refusals

HEAD_S = 10.0  # from the connection, or the first byte of a later request
BODY_S = 10.0  # from the end of the head
SECOND_LOOK_S = 0.1
MAX_HEAD_BYTES = 32 * 1024  # browsers and proxies stay below 16 KiB

_REPLY = (
    b"HTTP/1.1 %d %s\r\ncontent-length: 0\r\nconnection: close\r\ncache-control: no-store\r\n\r\n"
)
_TOO_SLOW, _HEAD_TOO_LONG = (408, b"Request Timeout"), (431, b"Request Header Fields Too Large")


class _HeadTooLong(Exception):
    """Raised into the parser, which stops at it."""


class PatientHttpProtocol(HttpToolsProtocol):
    """Base of the hub's protocol, which calls `fed` after each read and `let_go` at its end."""

    def __init__(self, *args: Any, refused: Refusals | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self._refused = refused
        self._deadline: asyncio.TimerHandle | None = None
        self._in_head, self._head_bytes = True, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self.let_go()
        super().connection_lost(exc)

    def feeding(self, size: int) -> None:
        """Call it before `size` bytes go to the parser."""
        if self._in_head:
            self._head_bytes += size

    def fed(self) -> None:
        """Call it afterwards, while the connection is still ours."""
        if self.transport.is_closing():
            return
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._hang_up("head_too_long", *_HEAD_TOO_LONG)
        elif self._deadline is None and not self._in_head:
            self._expect(BODY_S)
        elif self._deadline is None and self._head_bytes:
            self._expect(HEAD_S)

    def let_go(self) -> None:
        """No deadline any more: the request is whole, or the connection is somebody else's."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # -- what the parser calls ----------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = max(1, self._head_bytes)  # it may begin in the bytes of another

    def on_headers_complete(self) -> None:
        self.let_go()
        lines = sum(len(name) + len(value) + 4 for name, value in self.headers)
        self._head_bytes = len(self.url) + lines
        if self._head_bytes > MAX_HEAD_BYTES:
            raise _HeadTooLong
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.let_go()
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Also where a callback of the parser ends that raised."""
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._hang_up("head_too_long", *_HEAD_TOO_LONG)
        else:
            super().send_400_response(msg)

    # -- deadlines ----------------------------------------------------------------------------

    def _expect(self, within_s: float) -> None:
        self._deadline = self.loop.call_later(within_s, self._late)

    def _late(self) -> None:
        """Either the client is late, or we are, with its bytes still in the kernel: in a flood of
        connections the loop takes long to come round. It reads once before the second look.
        """
        self._deadline = self.loop.call_later(SECOND_LOOK_S, self._too_slow)

    def _too_slow(self) -> None:
        self._deadline = None
        if self.is_answering():  # meanwhile we may not read: that is no fault of the client's
            self._expect(BODY_S)
        else:
            self._hang_up("too_slow", *_TOO_SLOW)

    def is_answering(self) -> bool:
        """Whether an earlier request than the one that is coming in is still being answered."""
        cycle = self.cycle
        waiting = self._in_head and cycle is not None and not cycle.response_complete
        return bool(self.pipeline) or waiting

    def _hang_up(self, code: str, status: int, phrase: bytes) -> None:
        """Say why, unless that would come in the middle of a reply, or be a second one."""
        if self._refused is not None:
            self._refused.count(code)
        cycle = self.cycle
        if cycle is None or (
            cycle.response_complete if self._in_head else not cycle.response_started
        ):
            self.transport.write(_REPLY % (status, phrase))
        self.transport.close()
