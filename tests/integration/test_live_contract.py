"""What a live connection does, on both ways: handed to the hub, and through ASGI.

A real uvicorn on a free port, and clients that look at every byte.
"""

import asyncio
import contextlib

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from core.live import sse, under_uvicorn, websocket
from core.live.channel import Channel
from core.live.connection import Connection, Socket
from core.live.hub import MAX_FULL_S, Hub
from core.live.reply import StreamReply, serve_socket
from tests.live_clients import UPGRADE, Wire, client_frame, frames, serving

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


@pytest.fixture
def site():
    return Site()


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


@pytest.fixture
async def address(site, way):
    async with serving(site.app(), way) as address:
        yield address
        site.hub.shutdown()  # on the ASGI way uvicorn does not know of it


@pytest.fixture
async def wire(address):
    async with Wire.open(address) as wire:
        yield wire


async def until(condition):
    for _ in range(2_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


async def begun(wire, path="/stream", more=""):
    """(head, the snapshot) of a stream that was asked for without a position."""
    wire.send(f"GET {path} HTTP/1.1\r\nhost: onsale.test\r\n{more}\r\n".encode())
    head = (await wire.until(b"\r\n\r\n")).decode().lower()
    return head, await wire.event()


# -- streams ------------------------------------------------------------------------------------


async def test_a_stream_says_what_it_is_and_that_nobody_may_keep_it(wire):
    head, first = await begun(wire)
    assert head.startswith("http/1.1 200 ")
    assert "\r\ncontent-type: text/event-stream" in head
    assert "\r\ncache-control: no-store" in head
    assert "\r\nx-accel-buffering: no" in head
    assert "content-length" not in head
    assert (first.name, first.data) == ("snapshot", "0")


async def test_every_change_comes_once_and_in_order(site, wire):
    await begun(wire)
    for number in range(1, 6):
        site.publish()
        event = await wire.event()
        assert (event.data.strip(), event.id) == (str(number), str(number))


async def test_a_client_that_comes_back_goes_on_where_it_was(site, wire):
    for _ in range(4):
        site.publish()
    _, event = await begun(wire, more="last-event-id: 3\r\n")
    assert (event.name, event.id) == ("one", "4")


async def test_a_client_that_missed_some_gets_them_as_one(site, wire):
    for _ in range(4):
        site.publish()
    _, event = await begun(wire, more="last-event-id: 1\r\n")
    assert (event.name, event.data, event.id) == ("merged", "[2,4]", "4")


async def test_a_client_that_missed_too_much_gets_a_snapshot(site, wire):
    for _ in range(20):
        site.publish()
    _, event = await begun(wire, more="last-event-id: 1\r\n")
    assert (event.name, event.data) == ("snapshot", "20")


async def test_head_is_the_head_and_no_client(site, wire):
    wire.get("/stream", method="HEAD")
    head = await wire.until(b"\r\n\r\n")
    assert b"text/event-stream" in head
    await until(lambda: site.left)
    assert site.hub.count == 0


async def test_a_stream_may_follow_other_replies_on_its_connection(wire):
    wire.get("/plain")
    assert b" 200 OK" in await wire.until(b"plain words")
    _, first = await begun(wire)
    assert first.name == "snapshot"


async def test_a_stream_may_be_asked_for_behind_another_request_at_once(site, wire):
    request = "GET {} HTTP/1.1\r\nhost: onsale.test\r\n\r\n"
    wire.send((request.format("/plain") + request.format("/stream")).encode())
    await wire.until(b"\r\n\r\nplain words")
    await wire.until(b"\r\n\r\n")
    assert (await wire.event()).name == "snapshot"


async def test_what_is_asked_behind_a_stream_is_never_answered(site, wire):
    request = "GET {} HTTP/1.1\r\nhost: onsale.test\r\n\r\n"
    wire.send((request.format("/stream") + request.format("/plain")).encode())
    await wire.until(b"\r\n\r\n")
    await wire.event()
    site.publish()
    assert (await wire.event()).id == "1"


async def test_an_http_1_0_client_gets_a_stream_too(site, wire):
    wire.get("/stream", version="1.0")
    await wire.until(b"\r\n\r\n")
    await wire.event()
    site.publish()
    assert (await wire.event()).id == "1"


async def test_a_client_that_leaves_is_forgotten_once(site, wire, address):
    async with Wire.open(address) as other:
        await begun(other)
        await begun(wire)
        assert (site.hub.count, site.channel.members) == (2, 2)
    await until(lambda: site.left)
    assert (site.hub.count, site.channel.members, len(site.left)) == (1, 1, 1)
    site.publish()
    assert (await wire.event()).id == "1"


@pytest.mark.parametrize("path", ["/stream", "/socket"])
async def test_a_client_that_leaves_while_it_is_handed_over_is_forgotten(site, address, path):
    site.go_on.clear()
    async with Wire.open(address) as wire:
        if path == "/socket":
            await wire.upgrade(path)
        else:
            wire.get(path)
        await site.came.wait()
    async with Wire.open(address) as later:  # the server has seen the end of the first by then
        later.get("/plain")
        await later.until(b"plain words")
    site.go_on.set()
    await until(lambda: site.left)
    assert (len(site.left), site.hub.count, site.channel.members) == (1, 0, 0)


async def test_a_client_that_takes_nothing_delays_nobody_and_ends_up_with_the_truth(
    site, address, way
):
    size = 5_000 if way == "hub" else 150_000  # uvicorn lets the kernel take megabytes
    async with Wire.open(address, buffer=2048) as stalled, Wire.open(address) as wire:
        await begun(stalled)
        await begun(wire)
        for number in range(1, 41):
            site.publish(size)
            assert (await wire.event()).id == str(number)
        assert site.hub.metrics.skipped == 1
        seen = ""
        while seen != "40":
            seen = (await stalled.event()).id
        assert sum(site.hub.metrics.recovered.values()) >= 2


async def test_a_client_that_takes_nothing_for_long_is_ended(site, address):
    async with Wire.open(address, buffer=2048) as stalled, Wire.open(address) as wire:
        await begun(stalled)
        await begun(wire)
        while not site.hub.metrics.skipped:
            site.publish(size=60_000)
            await wire.event()
        site.hub.sweep(site.hub.now_s() + MAX_FULL_S)
        assert site.hub.metrics.evicted == 1
        site.hub.sweep(site.hub.now_s() + MAX_FULL_S)
        await until(lambda: site.left)
        assert site.hub.count == 1


async def test_a_quiet_stream_shows_that_it_lives(site, wire):
    await begun(wire)
    site.channel.sent_at = float("-inf")
    for bucket in site.hub._wheel:
        await site.hub._beat(bucket)
    site.publish()
    assert b":\n\n" in await wire.until(b":\n\n")
    await wire.event()


async def test_a_reader_that_talks_without_end_is_ended(site, address):
    async with Wire.open(address) as wire:
        await begun(wire)
        wire.send(b"x" * 100_000)
        await until(lambda: site.left)


# -- sockets ------------------------------------------------------------------------------------


async def test_frames_are_told_and_heard(site, address):
    async with connect(f"ws://{address[0]}:{address[1]}/socket") as client:
        assert await client.recv() == "hello"
        await client.send("one")
        await until(lambda: site.heard == ["one"])
        site.sockets[0].send_text(b"x" * 70_000)
        assert len(await client.recv()) == 70_000
        await (await client.ping(b"there?"))
    await until(lambda: site.left)
    assert site.hub.count == 0


async def test_nobody_is_offered_compression(address):
    url = f"ws://{address[0]}:{address[1]}/socket"
    async with connect(url, compression="deflate") as client:
        assert client.protocol.extensions == []


async def test_only_the_latest_state_reaches_a_client_that_is_late(site, address):
    async with connect(f"ws://{address[0]}:{address[1]}/socket") as client:
        await client.recv()
        for number in range(100):
            site.sockets[0].send_text(b"%d" % number)
        assert await client.recv() == "99"


async def test_what_a_client_does_not_mean_ends_it_for_good(site, address):
    async with connect(f"ws://{address[0]}:{address[1]}/socket") as client:
        await client.recv()
        await client.send("nonsense")
        with pytest.raises(ConnectionClosedError) as closed:
            await client.recv()
    assert closed.value.rcvd.code == websocket.NOT_UNDERSTOOD
    await until(lambda: site.left)


async def test_a_frame_that_comes_before_the_hand_over_is_heard(site, wire):
    site.go_on.clear()
    await wire.upgrade("/socket")
    await site.came.wait()
    wire.send(client_frame(b"early"))
    await asyncio.sleep(0.05)  # for the kernel to carry it over; either order must do
    site.go_on.set()
    await until(lambda: site.heard == ["early"])
    wire.send(client_frame(b"late"))
    await until(lambda: site.heard == ["early", "late"])


async def test_half_a_frame_and_half_a_message_before_the_hand_over_are_heard_whole(site, wire):
    site.go_on.clear()
    await wire.upgrade("/socket")
    await site.came.wait()
    rest = client_frame(b", then the rest", op=0)
    wire.send(client_frame(b"half", fin=False) + rest[:9])
    await asyncio.sleep(0.05)  # for the kernel to carry it over; either order must do
    site.go_on.set()
    await wire.frames(1)
    wire.send(rest[9:])
    await until(lambda: site.heard == ["half, then the rest"])


async def test_a_frame_that_comes_in_one_piece_with_the_handshake_is_heard(site):
    """By the hub. uvicorn's own protocol loses it; a client may not send so early anyway."""
    async with serving(site.app(), "hub") as address, Wire.open(address) as wire:
        wire.send(UPGRADE.format(path="/socket", more="").encode() + client_frame(b"eager"))
        await until(lambda: site.heard == ["eager"])


# -- the end ------------------------------------------------------------------------------------


async def test_a_draining_node_tells_everybody_to_come_back(site, address):
    async with Wire.open(address) as stream, Wire.open(address) as socket:
        await begun(stream)
        await socket.upgrade("/socket")
        await socket.frames(1)
        site.hub.shutdown()
        assert (await stream.event()).name == "bye"
        [close] = await socket.frames(1)
        assert int.from_bytes(close.data[:2], "big") == websocket.COME_BACK
        for bucket in site.hub._wheel:
            await site.hub._beat(bucket)
        socket.send(client_frame(bytes(close.data), op=8))
        assert await socket.rest() == b"", "nothing follows a goodbye"
        assert b":" not in await stream.rest()
    await asyncio.wait_for(site.hub.drained(), 10)


async def test_goodbyes_are_spread_over_the_drain(site, address):
    async with contextlib.AsyncExitStack() as opened:
        wires = [await opened.enter_async_context(Wire.open(address)) for _ in range(20)]
        for wire in wires:
            await begun(wire)
        loop = asyncio.get_running_loop()

        async def told(wire):
            assert (await wire.event()).name == "bye"
            return loop.time()

        site.hub.shutdown()
        times = await asyncio.gather(*map(told, wires))
    assert len({round(time / 0.05) for time in times}) > 5, "not all in one go"


async def test_a_client_that_comes_while_the_node_drains_is_sent_on(site, address):
    async with Wire.open(address) as lasting:
        await begun(lasting)
        site.hub.draining = True
        async with Wire.open(address) as late:
            late.get("/stream")
            await late.until(b"\r\n\r\n")
            assert (await late.event()).name == "bye"
            await late.rest()


@pytest.mark.parametrize("way", WAYS)
async def test_a_server_that_ends_says_goodbye_to_its_clients(site, way):
    async with serving(site.app(), way) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"GET /stream HTTP/1.1\r\nhost: onsale.test\r\n\r\n")
        await reader.readuntil(b"\n\n")
        if way == "asgi":  # uvicorn does not know of the hub: app.serve tells it
            site.hub.shutdown()
    assert b"event: bye" in await reader.read()
    writer.close()


def test_an_untested_uvicorn_goes_the_asgi_way_and_says_so(monkeypatch, caplog):
    monkeypatch.setattr(uvicorn, "__version__", "9.1.0")
    assert under_uvicorn.protocols() == {"http": "httptools", "ws": "websockets-sansio"}
    assert "uvicorn 9.1.0 was not tested" in caplog.text


async def test_bytes_of_both_ways_are_the_same_frames(site, address):
    async with Wire.open(address) as socket:
        await socket.upgrade("/socket")
        [hello] = await socket.frames(1)
    assert [hello] == frames(websocket.text(b"hello"))
