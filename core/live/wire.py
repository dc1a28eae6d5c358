"""Bytes to the kernel by one send(2), past the transport.

A transport's own `write` costs a client a tenth more (docs/performance.md). It is still the
transport that reads, that keeps what the kernel did not take, and that closes.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol

SEND_BUFFER_BYTES = 16 * 1024  # of the kernel, for a client; Linux accounts twice of it


class Wire(Protocol):
    """Takes bytes at once or not at all."""

    def send(self, data: bytes, /) -> int:
        """How many it took. OSError: none, since it is full or its other end is gone."""

    def detach(self) -> object:
        """Nothing is sent any more. What it stood for is left as it is."""


def wire_of(transport: asyncio.Transport) -> Wire:
    """Of a plain socket: itself, as the smallest object of it that Python has.

    It shares the transport's file, which is the transport's to close, and is open until
    `connection_lost` has been called. `detach` it then: it would close the file with its own end,
    which may be somebody else's by that time.
    """
    lent = transport.get_extra_info("socket")
    if lent is None or transport.get_extra_info("sslcontext") is not None:
        return _AroundTransport(transport)
    lent.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    return socket.SocketType(lent.family, lent.type, lent.proto, lent.fileno())


class _AroundTransport:
    """Where there is no socket to write to, or TLS has to come in between."""

    __slots__ = ("_transport",)

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def send(self, data: bytes) -> int:
        self._transport.write(data)
        return len(data)

    def detach(self) -> None:
        """The transport ends by itself."""
