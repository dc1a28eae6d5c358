"""Bytes that go past the transport arrive once and in order, and never in somebody else's file."""

import asyncio
import contextlib
import gc
import os
import socket
import ssl

import pytest
import uvloop

from core.live.connection import EventStream
from core.live.hub import Hub
from core.live.websocket import COME_BACK
from core.live.wire import wire_of
from tests.waiting import LIMIT_S, until


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def runner(request):
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner


@contextlib.asynccontextmanager
async def stream_to(peer: socket.socket, earlier: bytes = b""):
    """A connection of a hub whose other end is `peer`. `earlier`: what a reply before it wrote."""
    ours = socket.create_connection(peer.getsockname())
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # until it is a connection's
    theirs, _ = peer.accept()
    hub = Hub()
    connection = EventStream(hub)
    transport, _ = await asyncio.get_running_loop().connect_accepted_socket(asyncio.Protocol, ours)
    transport.write(earlier)
    transport.set_protocol(connection)
    hub.adopt(connection, transport)
    with theirs:
        theirs.setblocking(False)
        try:
            yield connection, theirs
        finally:
            connection.abort()
            await until(lambda: connection.transport is None)


@pytest.fixture
def peer():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        yield listener


def test_what_a_full_socket_did_not_take_comes_later_once_and_in_order(runner, peer):
    async def story():
        written = bytearray()
        async with stream_to(peer) as (connection, theirs):
            while connection.out is not None:
                data = f"{len(written)};".encode() * 500
                connection.write(data)
                written += data
            kept = connection.transport.get_write_buffer_size()
            assert 0 < kept <= len(data), "the rest of one write, and no other"
            read = await read_exactly(theirs, len(written))
            await until(lambda: connection.out is not None)
            connection.write(b"and on")
            return bytes(written) + b"and on", read + await read_exactly(theirs, len(b"and on"))

    written, read = runner.run(story())
    assert read == written


def test_what_an_earlier_reply_could_not_write_yet_goes_first(runner, peer):
    async def story():
        earlier = b"earlier " * 100_000  # so much that the protocol of then was told to pause
        async with stream_to(peer, earlier) as (connection, theirs):
            assert connection.out is None
            read = await read_exactly(theirs, len(earlier))
            await until(lambda: connection.out is not None)
            connection.write(b"and on")
            return earlier + b"and on", read + await read_exactly(theirs, len(b"and on"))

    written, read = runner.run(story())
    assert read == written


def test_a_file_that_was_opened_since_is_neither_written_to_nor_closed(runner, peer):
    async def story():
        async with stream_to(peer) as (connection, theirs):
            number = connection.transport.get_extra_info("socket").fileno()
            theirs.close()
            await until(lambda: connection.transport is None)
            await until(lambda: not is_open(number))
            assert connection.out is None
            spare, other = os.pipe()
            os.dup2(other, number)
            gc.collect()
            assert is_open(number)
            for descriptor in {spare, other, number}:
                os.close(descriptor)

    runner.run(story())


def test_a_client_that_reset_its_connection_is_gone_and_nothing_is_raised(runner, peer):
    async def story():
        async with stream_to(peer) as (connection, theirs):
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            theirs.close()
            async with asyncio.timeout(LIMIT_S):
                while connection.out is not None:
                    connection.write(b"anybody?")
                    await asyncio.sleep(0)

    runner.run(story())


def test_a_goodbye_is_read_to_its_end_by_who_was_just_saying_something(runner, peer):
    async def story():
        loop, goodbye = asyncio.get_running_loop(), b""
        async with stream_to(peer) as (connection, theirs):
            theirs.send(b"which nobody has read by then")
            connection.close(COME_BACK)
            async with asyncio.timeout(LIMIT_S):
                while some := await loop.sock_recv(theirs, 4096):
                    goodbye += some
        return goodbye

    assert b"event: bye" in runner.run(story())


def test_tls_is_never_gone_around(peer):
    class OverTls(asyncio.Transport):
        def __init__(self):
            super().__init__({"socket": peer, "sslcontext": ssl.create_default_context()})
            self.written = []

        def write(self, data):
            self.written.append(data)

    transport = OverTls()
    assert wire_of(transport).send(b"secret") == 6
    assert transport.written == [b"secret"]


async def read_exactly(theirs: socket.socket, count: int) -> bytes:
    loop, read = asyncio.get_running_loop(), b""
    async with asyncio.timeout(LIMIT_S):
        while len(read) < count:
            read += await loop.sock_recv(theirs, count - len(read))
    return read


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
