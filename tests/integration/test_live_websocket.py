"""What clients may send over a WebSocket, and what they hear (RFC 6455), on both ways.

In the spirit of the Autobahn test suite: framing, control frames, reserved bits and opcodes,
fragments, UTF-8, closing, limits, compression that nobody negotiated. Each case says what is
sent, what is understood of it, which pongs come back, and with which code it ends.
"""

import asyncio
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from websockets.frames import Opcode

from core.live.connection import MAX_FRAMES_A_WINDOW, MAX_MESSAGE_BYTES
from core.live.websocket import NOT_UNDERSTOOD, TOO_MANY_FRAMES
from tests.live_clients import Wire, client_frame, serving
from tests.live_site import WAYS, Site
from tests.waiting import until

TEXT, BINARY, CONT, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
PROTOCOL_ERROR, NO_STATUS, INVALID_DATA, TOO_BIG = 1002, 1005, 1007, 1009
END = b"end"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Case:
    """`close`: the code the server ends with; 0 when the connection goes on.

    `whole`: uvicorn's own protocol drops what came in one piece with a mistake, before it.
    """

    name: str
    sent: list[bytes]
    heard: list[str] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    close: int = 0
    whole: bool = False


def f(payload=b"", op=TEXT, **how):
    return client_frame(payload, op=op, **how)


def closing(code=1000, reason=b""):
    return f(code.to_bytes(2, "big") + reason, op=CLOSE)


LONGEST = "x" * MAX_MESSAGE_BYTES
EURO = "€".encode()

CASES = [
    # framing
    Case("an empty text", [f()], heard=[""]),
    Case("a text", [f(b"hello")], heard=["hello"]),
    Case("125 bytes", [f(b"x" * 125)], heard=["x" * 125]),
    Case("126 bytes, whose length takes two more", [f(b"x" * 126)], heard=["x" * 126]),
    Case("the longest", [f(LONGEST.encode())], heard=[LONGEST]),
    Case("one byte at a time", [bytes([b]) for b in f(b"slow")], heard=["slow"]),
    Case("two in one piece", [f(b"a") + f(b"b")], heard=["a", "b"]),
    Case("one and a half", [f(b"a") + f(b"later")[:4], f(b"later")[4:]], heard=["a", "later"]),
    Case("a length in eight bytes that needs none", [b"\x81\xff" + (5).to_bytes(8, "big") + f(b"small")[2:]], heard=["small"]),
    Case("a binary message", [f(b"\x00\x01", op=BINARY)], close=NOT_UNDERSTOOD),
    Case("an empty binary message", [f(op=BINARY)], close=NOT_UNDERSTOOD),
    Case("a frame without a mask", [f(b"plain", masked=False)], close=PROTOCOL_ERROR),
    Case("a ping without a mask", [f(b"p", op=PING, masked=False)], close=PROTOCOL_ERROR),
    # pings and pongs
    Case("a ping", [f(op=PING)], pongs=[b""]),
    Case("a ping with a payload", [f(b"there?", op=PING)], pongs=[b"there?"]),
    Case("a ping with bytes that are no text", [f(b"\xff\x00", op=PING)], pongs=[b"\xff\x00"]),
    Case("the longest ping", [f(b"x" * 125, op=PING)], pongs=[b"x" * 125]),
    Case("a ping that is too long", [f(b"x" * 126, op=PING)], close=PROTOCOL_ERROR),
    Case("a pong nobody asked for", [f(b"here", op=PONG)]),
    Case("an empty pong", [f(op=PONG)]),
    Case("the longest pong", [f(b"x" * 125, op=PONG)]),
    Case("a pong that is too long", [f(b"x" * 126, op=PONG)], close=PROTOCOL_ERROR),
    Case("a pong one byte at a time", [bytes([b]) for b in f(b"x", op=PONG) + f(b"a")], heard=["a"]),
    Case("a pong and a text in one piece", [f(b"x", op=PONG) + f(b"a")], heard=["a"]),
    Case("a pong between fragments", [f(b"a", fin=False), f(b"p", op=PONG), f(b"b", op=CONT)], heard=["ab"]),
    Case("a pong without a mask", [f(b"p", op=PONG, masked=False)], close=PROTOCOL_ERROR),
    Case("a long pong without a mask", [f(b"x" * 125, op=PONG, masked=False)], close=PROTOCOL_ERROR),
    Case("a reserved bit on a pong", [f(b"x", op=PONG, rsv=4)], close=PROTOCOL_ERROR),
    Case("a pong in fragments", [f(b"p", op=PONG, fin=False)], close=PROTOCOL_ERROR),
    Case("five pings at once", [b"".join(f(b"%d" % n, op=PING) for n in range(5))], pongs=[b"0", b"1", b"2", b"3", b"4"]),
    # what is reserved
    Case("compressed, which nobody negotiated", [f(b"\xaa\x00", rsv=4)], close=PROTOCOL_ERROR),
    Case("the second reserved bit", [f(b"x", rsv=2)], close=PROTOCOL_ERROR),
    Case("the third reserved bit", [f(b"x", rsv=1)], close=PROTOCOL_ERROR),
    Case("a reserved bit on a ping", [f(b"x", op=PING, rsv=4)], close=PROTOCOL_ERROR),
    Case("a text before what is reserved", [f(b"a") + f(b"b", rsv=7)], heard=["a"], close=PROTOCOL_ERROR, whole=True),
    *(Case(f"reserved opcode {op}", [f(b"x", op=op)], close=PROTOCOL_ERROR) for op in (3, 7, 11, 15)),
    # fragments
    Case("two fragments", [f(b"hel", fin=False), f(b"lo", op=CONT)], heard=["hello"]),
    Case("fragments in one piece", [f(b"a", fin=False) + f(b"b", op=CONT, fin=False) + f(b"c", op=CONT)], heard=["abc"]),
    Case("empty fragments", [f(fin=False), f(op=CONT, fin=False), f(op=CONT)], heard=[""]),
    Case("a ping between fragments", [f(b"a", fin=False), f(b"p", op=PING), f(b"b", op=CONT)], heard=["ab"], pongs=[b"p"]),
    Case("a ping in fragments", [f(b"p", op=PING, fin=False)], close=PROTOCOL_ERROR),
    Case("a continuation of nothing", [f(b"x", op=CONT)], close=PROTOCOL_ERROR),
    Case("a continuation after the end", [f(b"a", fin=False), f(b"b", op=CONT), f(b"c", op=CONT)], heard=["ab"], close=PROTOCOL_ERROR, whole=True),
    Case("a text inside another", [f(b"a", fin=False), f(b"b")], close=PROTOCOL_ERROR),
    # UTF-8
    Case("text beyond ASCII", [f("κόσμε €".encode())], heard=["κόσμε €"]),
    Case("a character across fragments", [f(EURO[:1], fin=False), f(EURO[1:], op=CONT)], heard=["€"]),
    Case("bytes that are no UTF-8", [f(b"\xff\xfe")], close=INVALID_DATA),
    Case("a surrogate", [f(b"\xed\xa0\x80")], close=INVALID_DATA),
    Case("a character cut off", [f(EURO[:2])], close=INVALID_DATA),
    # closing
    Case("a close", [closing()], close=1000),
    Case("a close with a reason", [closing(1001, b"going away")], close=1001),
    Case("a close of our own range", [closing(4000)], close=4000),
    Case("a close without a code", [f(op=CLOSE)], close=NO_STATUS),
    Case("a close of one byte", [f(b"\x03", op=CLOSE)], close=PROTOCOL_ERROR),
    Case("a close with a code that may not be sent", [closing(1005)], close=PROTOCOL_ERROR),
    Case("a close with a code that means nothing", [closing(999)], close=PROTOCOL_ERROR),
    Case("a close whose reason is no UTF-8", [closing(1000, b"\xff")], close=INVALID_DATA),
    Case("a close that is too long", [closing(1000, b"x" * 124)], close=PROTOCOL_ERROR),
    Case("a text after the close", [closing() + f(b"late")], close=1000),
    # limits
    Case("one byte too many", [f(b"x" * (MAX_MESSAGE_BYTES + 1))], close=TOO_BIG),
    Case("a megabyte", [f(b"x" * 1_000_000)], close=TOO_BIG),
    Case("a length nobody has", [b"\x81\xff" + (1 << 62).to_bytes(8, "big")], close=TOO_BIG),
    Case("a length with its highest bit", [b"\x81\xff" + (1 << 63).to_bytes(8, "big")], close=TOO_BIG),
    Case("too many bytes in fragments", [f(b"x" * 200, fin=False), f(b"x" * 57, op=CONT)], close=TOO_BIG),
    Case("nonsense", [f(b"nonsense")], heard=["nonsense"], close=NOT_UNDERSTOOD),
]  # fmt: skip


@pytest_asyncio.fixture(params=WAYS, scope="module", loop_scope="module")
async def served(request):
    """(site, address): one server for all cases, which are many."""
    site = Site()
    async with serving(site.app(), request.param) as address:
        yield site, address
        site.hub.shutdown()


@pytest.fixture
def site(served):
    for seen in (served[0].heard, served[0].left, served[0].sockets):
        seen.clear()
    served[0].hub.refused.by_code.clear()
    return served[0]


@pytest.fixture
def address(served):
    return served[1]


async def answers(wire, case):
    """(pongs, close code or 0) of a case."""
    pongs, code = [], 0
    while not code:
        [frame] = await wire.frames(1)
        if frame.opcode is Opcode.PONG:
            pongs.append(bytes(frame.data))
            if pongs[-1] == END:
                break
        elif frame.opcode is Opcode.CLOSE:
            code = int.from_bytes(frame.data[:2], "big") if frame.data else NO_STATUS
    return [pong for pong in pongs if pong != END], code


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_what_a_client_sends_is_answered_as_the_standard_says(site, address, case):
    async with Wire.open(address) as wire:
        await wire.upgrade("/socket")
        await wire.frames(1)  # hello
        refused = refusals(site, case)
        for piece in case.sent:
            wire.send(piece)
            await asyncio.sleep(0)
        if not case.close:
            wire.send(f(END, op=PING))
        pongs, code = await answers(wire, case)
        heard = site.heard if site.hub.in_asgi_calls and case.whole else case.heard
        assert (site.heard, pongs, code) == (heard, case.pongs, case.close)
        if case.close:
            if code in (NOT_UNDERSTOOD, TOO_MANY_FRAMES):
                wire.send(closing(code))
            await wire.rest()  # the server hangs up
            wire.abort()  # and so does a fair client
            await until(lambda: site.left)
        assert site.hub.refused.by_code == refused


def refusals(site, case):
    """What is counted of a case. On the ASGI way, bad frames never reach us."""
    if case.close == NOT_UNDERSTOOD:
        return {"not_understood": 1}
    bad = case.close in {PROTOCOL_ERROR, INVALID_DATA, TOO_BIG} and not site.hub.in_asgi_calls
    return {"bad_frame": 1} if bad else {}


async def test_a_client_that_does_not_hang_up_after_the_goodbye_is_cut_off(
    site, address, monkeypatch
):
    monkeypatch.setattr("core.live.hub.LINGER_S", 0.1)
    async with Wire.open(address) as wire:
        await wire.upgrade("/socket")
        await wire.frames(1)
        wire.send(f(b"plain", masked=False))
        await wire.rest()
        await until(lambda: site.left)


async def test_a_client_that_says_too_much_is_ended(site, address):
    async with Wire.open(address) as wire:
        await wire.upgrade("/socket")
        await wire.frames(1)
        for _ in range(2 * MAX_FRAMES_A_WINDOW + 2):  # the window may end in between
            wire.send(f(b"again"))
        _, code = await answers(wire, None)
        assert code == TOO_MANY_FRAMES
        assert len(site.heard) <= 2 * MAX_FRAMES_A_WINDOW
        assert site.hub.refused.by_code == {"too_many_frames": 1}


async def test_the_parser_is_let_go_when_a_client_has_been_heard(site, address):
    async with Wire.open(address) as wire:
        await wire.upgrade("/socket")
        await wire.frames(1)
        wire.send(f(b"whole"))
        await until(lambda: site.heard)
        assert site.sockets[0]._parser is None
        wire.send(f(b"half", fin=False))
        wire.send(f(END, op=PING))
        if not site.hub.in_asgi_calls:
            await until(lambda: site.sockets[0]._parser is not None)
        wire.send(f(b", then", op=CONT))
        await until(lambda: site.heard == ["whole", "half, then"])
