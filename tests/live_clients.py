"""Live connections as tests see them: raw sockets, a strict reader of events, and no network.

serving(app, way)     a real uvicorn on a free port; `way` is "hub" or "asgi"
Wire                  one TCP connection, byte by byte
events(bytes)         server-sent events, refusing all that the standard does not say
vanish(sock)          as a phone does that lost its network
client_frame(…)       a WebSocket frame as a client sends it, or as none should
Pulled                a connection of the hub without a server
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import re
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp
from websockets.frames import Frame
from websockets.protocol import CLIENT, Protocol

from core.live import way_out
from core.live.asgi import PulledTransport
from core.live.channel import Channel
from core.live.connection import MAX_MESSAGE_BYTES, Connection, EventStream, Socket
from core.live.hub import Hub
from tests.waiting import LIMIT_S

SO_ATTACH_FILTER, BPF_RETURN = 26, 0x06  # asm/socket.h, linux/bpf_common.h: Python has neither
MASK = b"\x01\x02\x03\x04"
UPGRADE = (
    "GET {path} HTTP/1.1\r\nhost: onsale.test\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
    "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
)


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, way: str) -> AsyncIterator[tuple[str, int]]:
    """(host, port). Ended as a signal would end it."""
    plain = {"http": "httptools", "ws": "websockets-sansio"}
    protocols = way_out.protocols() if way == "hub" else plain
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        **protocols,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        running = asyncio.create_task(server._serve([listener]))
        while not server.started:
            await asyncio.sleep(0)
            assert not running.done()
        try:
            yield address
        finally:
            server.should_exit = True
            await running


def vanish(sock: socket.socket) -> None:
    """Nothing reaches this connection any more, so that it acknowledges and resets nothing.

    A filter of the socket's own drops each segment before TCP sees it, which anybody may ask for:
    no network has to be taken down. As long as the client says nothing itself, its peer
    can't tell it from one whose cable was cut.
    """
    drop_all = ctypes.create_string_buffer(struct.pack("HBBI", BPF_RETURN, 0, 0, 0))
    program = struct.pack("HP", 1, ctypes.addressof(drop_all))  # as long as it takes: it is copied
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


class Wire:
    """One TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._unread = bytearray()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, address: tuple[str, int], *, buffer: int = 0) -> AsyncIterator[Wire]:
        """`buffer`: of the kernel for what is not read yet, bytes; 0 for its usual one."""
        sock = socket.socket()
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
        reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
        wire = cls(reader, writer)
        try:
            yield wire
        finally:
            wire.abort()

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def abort(self) -> None:
        """Hang up without a word."""
        self._writer.transport.abort()

    def vanish(self) -> None:
        vanish(self._writer.get_extra_info("socket"))

    def get(self, path: str, *, version: str = "1.1", method: str = "GET", more: str = "") -> None:
        self.send(f"{method} {path} HTTP/{version}\r\nhost: onsale.test\r\n{more}\r\n".encode())

    async def upgrade(self, path: str, more: str = "") -> bytes:
        self.send(UPGRADE.format(path=path, more=more).encode())
        return await self.until(b"\r\n\r\n")

    async def until(self, end: bytes) -> bytes:
        """All up to and with `end`."""
        async with asyncio.timeout(LIMIT_S):
            while (at := self._unread.find(end)) < 0:
                assert await self._more(), f"the server hung up after {self._unread!r}"
        return self._take(at + len(end))

    async def event(self) -> Event:
        """The next event of a stream, without the chunks that the ASGI way puts around it."""
        seen: list[Event] = []
        while not seen:
            seen = events(re.sub(rb"(\r\n)?[0-9a-f]+\r\n", b"", await self.until(b"\n\n")))
        return seen[0]

    async def rest(self) -> bytes:
        """All until the server hangs up."""
        async with asyncio.timeout(LIMIT_S):
            with contextlib.suppress(ConnectionResetError):
                while await self._more():
                    pass
        return self._take(len(self._unread))

    async def frames(self, count: int) -> list[Frame]:
        """The next WebSocket frames."""
        parser, seen = Protocol(CLIENT, max_size=None), []
        async with asyncio.timeout(LIMIT_S):
            while len(seen) < count:
                assert self._unread or await self._more(), "the server hung up"
                parser.receive_data(self._take(1))
                seen += parser.events_received()
        return seen

    async def _more(self) -> bool:
        some = await self._reader.read(4096)
        self._unread += some
        return bool(some)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._unread[:size])
        del self._unread[:size]
        return taken


def frames(data: bytes) -> list[Frame]:
    """A server's bytes as frames; RFC 6455 forbids a mask, and so does the parser."""
    parser = Protocol(CLIENT, max_size=None)
    parser.receive_data(data)
    assert parser.parser_exc is None, parser.parser_exc
    return parser.events_received()


def client_frame(
    payload: bytes = b"", *, op: int = 1, fin: bool = True, rsv: int = 0, masked: bool = True
) -> bytes:
    size = len(payload)
    first, bit = fin << 7 | rsv << 4 | op, masked << 7
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 1 << 16:
        head = bytes((first, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, bit | 127)) + size.to_bytes(8, "big")
    if not masked:
        return head + payload
    return head + MASK + bytes(b ^ MASK[n % 4] for n, b in enumerate(payload))


@dataclass(frozen=True)
class Event:
    name: str
    data: str
    id: str


def events(stream: bytes) -> list[Event]:
    """The events of a stream (WHATWG HTML, 9.2.6), which must be whole and use nothing odd."""
    text = stream.decode("utf-8", "strict")
    assert "\r" not in text, "one kind of line end, the shortest"
    assert not text or text.endswith("\n\n"), "the last event is whole"
    seen, last_id = [], ""
    for block in text.split("\n\n")[:-1]:
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            if line.startswith(":"):
                continue
            name, colon, value = line.partition(": ")
            assert colon, f"a field without a value: {line!r}"
            assert name in {"event", "data", "id", "retry"}, line
            assert name not in fields, f"twice in one event: {name}"
            assert name != "retry" or value.isdigit()
            fields[name] = value
        last_id = fields.get("id", last_id)
        if "data" in fields:
            seen.append(Event(fields.get("event", "message"), fields["data"], last_id))
    return seen


class Pulled:
    """A client of the hub without a server: its bytes are pulled."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.transport = PulledTransport(connection)
        connection.hub.adopt(connection, self.transport)

    @classmethod
    def reader(cls, hub: Hub, channel: Channel, after: int | None) -> Pulled:
        reader = cls(EventStream(hub))
        hub.join(reader.connection, channel, after)
        return reader

    @classmethod
    def socket(cls, hub: Hub) -> Pulled:
        return cls(Socket(hub, lambda _: True))

    async def next(self) -> bytes:
        async with asyncio.timeout(LIMIT_S):
            return await self.transport.pull()

    async def frames(self) -> list[Frame]:
        return frames(await self.next())
