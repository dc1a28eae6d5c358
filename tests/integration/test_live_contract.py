"""What a live stream does, and how live connections end, on both ways: the hub's, and ASGI.

A real uvicorn on a free port, and clients that look at every byte.
"""

import asyncio
import contextlib
import subprocess
import sys

import pytest
import uvicorn

from core.live import way_out, websocket
from core.live.hub import MAX_FULL_S
from tests.live_clients import Wire, client_frame, serving
from tests.live_site import WAYS, begun, caught_up
from tests.waiting import LIMIT_S, until

# -- streams ------------------------------------------------------------------------------------


async def test_a_stream_says_what_it_is_and_that_nobody_may_keep_it(wire, way):
    head, first = await begun(wire)
    assert head.startswith("http/1.1 200 ")
    assert "\r\ncontent-type: text/event-stream" in head
    assert "\r\ncache-control: no-store" in head
    assert "\r\nx-accel-buffering: no" in head
    assert "content-length" not in head
    assert ("transfer-encoding" in head) == (way == "asgi")
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


async def test_what_is_asked_behind_a_stream_is_never_answered(site, wire, way):
    request = "GET {} HTTP/1.1\r\nhost: onsale.test\r\n\r\n"
    wire.send((request.format("/stream") + request.format("/plain")).encode())
    await wire.until(b"\r\n\r\n")
    await wire.event()
    site.publish()
    assert (await wire.event()).id == "1"
    if way == "hub":  # uvicorn reads nothing while a request waits behind another
        wire.abort()
        await until(lambda: site.left, what="that the client has left is noticed")


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
async def test_a_client_that_leaves_while_it_is_handed_over_is_forgotten(
    site, address, path, caplog
):
    site.go_on.clear()
    async with Wire.open(address) as wire:
        if path == "/socket":
            await wire.upgrade(path)
        else:
            wire.get(path)
        await site.came.wait()
    await caught_up(address)
    site.go_on.set()
    await until(lambda: site.left)
    assert (len(site.left), site.hub.count, site.channel.members) == (1, 0, 0)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


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
        on_the_hub = not site.hub.in_asgi_calls
        await until(lambda: site.left)
        assert site.hub.refused.by_code == ({"too_many_bytes": 1} if on_the_hub else {})


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
    await asyncio.wait_for(site.hub.drained(), LIMIT_S)


async def test_goodbyes_are_spread_over_the_drain(site, address):
    async with contextlib.AsyncExitStack() as opened:
        wires = [await opened.enter_async_context(Wire.open(address)) for _ in range(20)]
        for wire in wires:
            await begun(wire)
        site.hub._drain_s = 4  # so many steps that each is of one client
        site.hub.shutdown()
        told = [asyncio.create_task(wire.event()) for wire in wires]
        await asyncio.wait(told, return_when=asyncio.FIRST_COMPLETED)
        assert not all(one.leaving for one in site.hub.connections()), "not all in one go"
        assert {(await event).name for event in told} == {"bye"}


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
    assert way_out.protocols() == {"http": "httptools", "ws": "websockets-sansio"}
    assert "uvicorn 9.1.0 was not tested" in caplog.text


MOVED = """
import sys
import uvicorn
uvicorn.__version__ = "9.1.0"
for name in ("http.httptools_impl", "websockets.websockets_sansio_impl"):
    sys.modules["uvicorn.protocols." + name] = None  # an import of it fails
import app.serve.node
from core.live import way_out
print(way_out.protocols()["http"])
"""


def test_an_untested_uvicorn_may_have_moved_what_the_hub_needs_of_it():
    ran = subprocess.run([sys.executable, "-c", MOVED], capture_output=True, text=True)
    assert ran.stdout == "httptools\n", ran.stderr
