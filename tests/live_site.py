"""A small site with all that lives on: a plain page, a stream and a socket of one hub."""

import asyncio
import contextlib

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute

from core.live import sse
from core.live.channel import Channel
from core.live.connection import Connection, Socket
from core.live.hub import Hub
from core.live.reply import StreamReply, serve_socket
from tests.live_clients import Wire

DRAIN_S = 1.0
WAYS = ("hub", "asgi")


class Site:
    """A stream and a socket, and what became of their clients."""

    def __init__(self, drain_s: float = DRAIN_S) -> None:
        self.hub = Hub(drain_s=drain_s)
        self.channel = Channel(8, snapshot=self.snapshot, merge=self.merged)
        self.left: list[Connection] = []
        self.heard: list[str] = []
        self.sockets: list[Socket] = []
        self.go_on = asyncio.Event()
        self.came = asyncio.Event()
        self.go_on.set()

    def snapshot(self) -> bytes:
        return sse.frame("snapshot", b"%d" % self.channel.head, str(self.channel.head))

    def merged(self, parts) -> bytes:
        return sse.frame("merged", b"[%d,%d]" % (parts[0], parts[-1]), str(parts[-1]))

    def publish(self, size: int = 1) -> None:
        number = self.channel.head + 1
        frame = sse.frame("one", b"%d" % number + b" " * (size - 1), str(number))
        self.channel.publish(number, frame, number)

    def app(self) -> Starlette:
        @contextlib.asynccontextmanager
        async def lifespan(_):
            await self.hub.start()
            yield
            await self.hub.stop()

        routes = [
            Route("/plain", self.plain),
            Route("/stream", self.stream),
            WebSocketRoute("/socket", self.socket),
        ]
        return Starlette(routes=routes, lifespan=lifespan)

    async def plain(self, request):
        return PlainTextResponse("plain words")

    async def stream(self, request):
        self.came.set()
        await self.go_on.wait()
        said = request.headers.get("last-event-id")
        after = int(said) if said else None
        return StreamReply(self.hub, self.channel, after, on_closed=self.left.append)

    async def socket(self, ws):
        await ws.accept()
        self.came.set()
        await self.go_on.wait()
        self.sockets.append(Socket(self.hub, self.on_text, self.left.append))
        self.sockets[-1].send_text(b"hello")
        await serve_socket(ws, self.sockets[-1])

    def on_text(self, text: str) -> bool:
        self.heard.append(text)
        return text != "nonsense"


async def begun(wire, path="/stream", more=""):
    """(head, the snapshot) of a stream that was asked for without a position."""
    wire.send(f"GET {path} HTTP/1.1\r\nhost: onsale.test\r\n{more}\r\n".encode())
    head = (await wire.until(b"\r\n\r\n")).decode().lower()
    return head, await wire.event()


async def caught_up(address: tuple[str, int]) -> None:
    """Afterwards the server has read what came to its other connections before."""
    async with Wire.open(address) as later:
        later.get("/plain")
        await later.until(b"plain words")
