"""Of hundreds of streams or sockets of one visitor, or of one address, a few are open."""

import contextlib
from collections import Counter
from itertools import repeat

import httpx
import pytest
from websockets.frames import Opcode

from core.ids import Subject, new_id
from core.signing import Keys
from core.visitor import cookie_value
from tests.fixtures.nodes import SECRET
from tests.live_clients import Wire
from tests.waiting import until

HUNDREDS, PER_VISITOR, PER_ADDRESS = 200, 3, 5
TOO_MANY = 4504


@pytest.fixture(autouse=True)
def low_limits(monkeypatch):
    """Before `node`, which reads them."""
    for kind in ("STREAMS", "SOCKETS"):
        monkeypatch.setenv(f"ONSALE_MAX_{kind}_PER_VISITOR", str(PER_VISITOR))
        monkeypatch.setenv(f"ONSALE_MAX_{kind}_PER_ADDRESS", str(PER_ADDRESS))
    monkeypatch.setenv("ONSALE_TRUSTED_PROXIES", "127.0.0.1")


@pytest.fixture
async def wires(served):
    url = httpx.URL(served)
    async with contextlib.AsyncExitStack() as stack:
        opening = (Wire.open((url.host, url.port)) for _ in range(HUNDREDS))
        yield [await stack.enter_async_context(wire) for wire in opening]


def a_visitor():
    visitor = cookie_value(Keys(SECRET), Subject(new_id("vs")))
    return f"cookie: onsale_visitor={visitor}\r\n"


def one_visitor():
    """With an address of their own for each connection."""
    cookie = a_visitor()
    return [f"{cookie}x-forwarded-for: 203.0.113.{n}\r\n" for n in range(HUNDREDS)]


def one_address():
    """With a visitor for each connection."""
    return [f"{a_visitor()}x-forwarded-for: 203.0.113.7\r\n" for _ in range(HUNDREDS)]


def an_address_without_cookies():
    return list(repeat("x-forwarded-for: 203.0.113.7\r\n", HUNDREDS))


@pytest.mark.parametrize(
    ("who", "most"),
    [
        (one_visitor, PER_VISITOR),
        (one_address, PER_ADDRESS),
        (an_address_without_cookies, PER_ADDRESS),
    ],
)
async def test_streams(who, most, wires, node, make_sale):
    event_id = await make_sale()
    for wire, headers in zip(wires, who(), strict=True):
        wire.get(f"/events/{event_id}/seats/stream", more=headers)
    answers = Counter([(await wire.until(b"\r\n"))[9:12] for wire in wires])
    assert answers == {b"200": most, b"429": HUNDREDS - most}
    await until(lambda: node.live.count == most)
    assert node.services.refused.by_code["too_many"] == HUNDREDS - most
    await all_given_back(wires, node, node.services.map)


@pytest.mark.parametrize(("who", "most"), [(one_visitor, PER_VISITOR), (one_address, PER_ADDRESS)])
async def test_sockets(who, most, wires, node, make_sale):
    event_id = await make_sale(mode="on", max_active=0)
    for wire, headers in zip(wires, who(), strict=True):
        await wire.upgrade(f"/events/{event_id}/queue/socket", headers)
    first = [(await wire.frames(1))[0] for wire in wires]
    told = Counter(frame.opcode for frame in first)
    assert told == {Opcode.TEXT: most, Opcode.CLOSE: HUNDREDS - most}
    codes = {bytes(frame.data[:2]) for frame in first if frame.opcode is Opcode.CLOSE}
    assert codes == {TOO_MANY.to_bytes(2, "big")}
    assert node.services.refused.by_code["too_many"] == HUNDREDS - most
    await all_given_back(wires, node, node.services.queue)
    assert not node.services.waiting_room.hub._events[event_id].board.fans


async def all_given_back(wires, node, web):
    assert web._shares._open
    for wire in wires:
        wire.abort()
    await until(lambda: node.live.count == 0 and not web._shares._open)
