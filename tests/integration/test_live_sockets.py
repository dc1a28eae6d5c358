"""What a live WebSocket does, on both ways: handed to the hub, and through ASGI."""

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Opcode

from core.live import websocket
from core.live.connection import MAX_FRAMES_A_WINDOW
from tests.live_clients import UPGRADE, Wire, client_frame, frames, serving
from tests.live_site import caught_up
from tests.waiting import until


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


async def test_a_frame_that_comes_before_the_hand_over_is_heard(site, wire, address):
    site.go_on.clear()
    await wire.upgrade("/socket")
    await site.came.wait()
    wire.send(client_frame(b"early"))
    await caught_up(address)
    site.go_on.set()
    await until(lambda: site.heard == ["early"])
    wire.send(client_frame(b"late"))
    await until(lambda: site.heard == ["early", "late"])


async def test_half_a_frame_and_half_a_message_before_the_hand_over_are_heard_whole(
    site, wire, address
):
    site.go_on.clear()
    await wire.upgrade("/socket")
    await site.came.wait()
    rest = client_frame(b", then the rest", op=0)
    wire.send(client_frame(b"half", fin=False) + rest[:9])
    await caught_up(address)
    site.go_on.set()
    await wire.frames(1)
    wire.send(rest[9:])
    await until(lambda: site.heard == ["half, then the rest"])


async def test_a_frame_that_comes_in_one_piece_with_the_handshake_is_heard(site):
    """By the hub. uvicorn's own protocol loses it; a client may not send so early anyway."""
    async with serving(site.app(), "hub") as address, Wire.open(address) as wire:
        wire.send(UPGRADE.format(path="/socket", more="").encode() + client_frame(b"eager"))
        await until(lambda: site.heard == ["eager"])


HANDSHAKE = UPGRADE.format(path="/socket", more="{more}")


@pytest.mark.parametrize(
    "handshake",
    [
        HANDSHAKE.format(more="content-length: 5\r\n") + "hello",
        HANDSHAKE.format(more="".join(f"x-{n}: y\r\n" for n in range(200))),
        HANDSHAKE.format(more=f"cookie: {'y' * 20_000}\r\n"),
    ],
    ids=["a body", "200 headers", "a cookie of 20 kB"],
)
async def test_a_handshake_that_cannot_be_read_is_refused_and_not_kept_open(site, handshake):
    """By the hub. uvicorn itself says nothing, and waits for ever."""
    async with serving(site.app(), "hub") as address, Wire.open(address) as wire:
        wire.send(handshake.encode())
        assert (await wire.rest()).startswith(b"HTTP/1.1 400 ")


async def test_a_handshake_behind_a_request_is_not_answered_and_the_reply_is_the_last(site, caplog):
    async with serving(site.app(), "hub") as address, Wire.open(address) as wire:
        wire.send(b"GET /plain HTTP/1.1\r\nhost: onsale.test\r\n\r\n")
        wire.send(UPGRADE.format(path="/socket", more="").encode() + client_frame(b"eager"))
        reply = await wire.rest()
        assert reply.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close\r\n" in reply
        assert reply.endswith(b"\r\n\r\nplain words")
    assert not site.came.is_set()
    assert not caplog.records


async def test_a_handshake_behind_a_stream_is_not_answered_and_the_stream_goes_on(site, caplog):
    site.go_on.clear()
    async with serving(site.app(), "hub") as address, Wire.open(address) as wire:
        wire.get("/stream")
        wire.send(UPGRADE.format(path="/socket", more="").encode())
        await caught_up(address)
        wire.send(client_frame(b"eager"))
        await caught_up(address)
        site.go_on.set()
        await wire.until(b"\r\n\r\n")
        assert (await wire.event()).name == "snapshot"
        site.publish()
        assert (await wire.event()).id == "1"
    assert not site.sockets
    assert not caplog.records


async def test_who_said_too_much_is_neither_heard_nor_answered_any_more(site, caplog):
    ping = client_frame(b"there?", op=9)
    async with serving(site.app(), "hub") as address, Wire.open(address) as wire:
        await wire.upgrade("/socket")
        await wire.frames(1)
        wire.send(ping * 2 * MAX_FRAMES_A_WINDOW)
        while (await wire.frames(1))[0].opcode is not Opcode.CLOSE:
            pass
        await wire.rest()
        for _ in range(5):
            wire.send(ping * MAX_FRAMES_A_WINDOW + client_frame(b"still here"))
            await caught_up(address)
        assert site.hub.count == 1, "the rest is read, so that the goodbye arrives"
        assert site.sockets[0].transport.get_write_buffer_size() == 0
    assert site.heard == []
    assert not caplog.records


async def test_bytes_of_both_ways_are_the_same_frames(site, address):
    async with Wire.open(address) as socket:
        await socket.upgrade("/socket")
        [hello] = await socket.frames(1)
    assert [hello] == frames(websocket.text(b"hello"))
