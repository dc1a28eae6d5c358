"""Slow, half-open and oversized requests against a real socket; fair ones are served meanwhile."""

import asyncio

import pytest

from core.live import patience
from tests.waiting import LIMIT_S

SOON_S = 0.3  # in place of ten seconds
GET = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST /events/ev_x/queue HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n"


@pytest.fixture
async def dial(served, node, monkeypatch):
    """Opens a connection; the deadlines are short from here on."""
    monkeypatch.setattr(patience, "HEAD_S", SOON_S)
    monkeypatch.setattr(patience, "BODY_S", SOON_S)
    host, _, port = served.removeprefix("http://").partition(":")
    opened = []

    async def open_one():
        reader, writer = await asyncio.open_connection(host, port)
        opened.append(writer)
        return reader, writer

    yield open_one
    for writer in opened:
        writer.close()


async def all_of(reader):
    """What comes until the server hangs up; b"" when it did so with bytes of ours unread."""
    async with asyncio.timeout(LIMIT_S):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


async def answer(reader):
    async with asyncio.timeout(LIMIT_S):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        return head


async def drip(writer, data):
    """A byte at a time until the server hangs up: to drip puts no deadline off."""
    for n in range(len(data)):
        writer.write(data[n : n + 1])
        try:
            await writer.drain()
        except ConnectionError:
            return
        await asyncio.sleep(0)


async def test_heads_that_drip_and_connections_that_say_nothing_are_hung_up_on(dial, node):
    slow = [await dial() for _ in range(50)]
    fair_reader, fair = await dial()  # and asks at once, on the same connection each time
    for n, (_, writer) in enumerate(slow):
        await drip(writer, GET[: n % 9])  # some say nothing at all
        fair.write(GET)
        assert b" 200 " in await answer(fair_reader)
    for reader, _ in slow:
        assert (await all_of(reader))[:13] in {b"HTTP/1.1 408 ", b""}
    assert node.services.refused.by_code["too_slow"] == len(slow)


async def test_a_body_that_never_comes_is_hung_up_on_and_is_no_error_of_ours(dial, node, caplog):
    reader, writer = await dial()
    writer.write(POST)
    await drip(writer, b'{"slip":')
    assert (await all_of(reader)).startswith(b"HTTP/1.1 408 ")
    assert node.services.refused.by_code["too_slow"] == 1
    async with asyncio.timeout(LIMIT_S):
        while not node.services.refused.by_code["bad_request"]:  # noqa: ASYNC110 (no event for it)
            await asyncio.sleep(0)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_the_second_head_on_a_connection_has_a_deadline_too(dial):
    reader, writer = await dial()
    writer.write(GET + GET[:9])
    assert b" 200 " in await answer(reader)
    assert (await all_of(reader)).startswith(b"HTTP/1.1 408 ")


async def test_empty_lines_between_requests_keep_no_connection_open(dial):
    reader, writer = await dial()
    writer.write(GET)
    assert b" 200 " in await answer(reader)
    await drip(writer, b"\r\n")
    assert (await all_of(reader)).startswith(b"HTTP/1.1 408 ")


LINE = b"x-%d: " + b"y" * 100 + b"\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000 + b"\r\n\r\n",
        b"GET /" + b"y" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(LINE % n for n in range(20_000)) + b"\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"y" * 1_000_000,  # and no end
    ],
    ids=["one long line", "a long address", "two megabytes of lines", "no end"],
)
async def test_a_head_that_is_too_long_is_refused_before_it_is_a_request(dial, node, head):
    reader, writer = await dial()
    writer.write(head)
    assert (await all_of(reader))[:13] in {b"HTTP/1.1 431 ", b""}
    assert node.services.refused.by_code["head_too_long"] == 1


async def test_a_body_longer_than_its_route_takes_is_refused_whatever_length_was_named(dial):
    for framing in (b"content-length: 50000", b"transfer-encoding: chunked"):
        reader, writer = await dial()
        writer.write(b"POST /events/ev_x/queue HTTP/1.1\r\nhost: x\r\n" + framing + b"\r\n\r\n")
        chunked = b"c350\r\n" if b"chunked" in framing else b""
        writer.write(chunked + b"x" * 50_000)
        async with asyncio.timeout(LIMIT_S):
            assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
