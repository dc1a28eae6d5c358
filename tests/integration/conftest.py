"""What several files of this folder run.

    nodes             two nodes' waiting rooms, as they run in a sale
    make_known_sale   makes an event that both know
    site              a stream and a socket; `address` serves them, once on each of two ways
    wire              a TCP connection to it

They are the test's own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.live_clients import Wire, serving
from tests.live_site import WAYS, Site
from tests.rooms import maker_for
from waiting_room.service import WaitingRoom


@pytest.fixture
async def nodes(build_room: Callable[[], WaitingRoom]) -> AsyncIterator[list[WaitingRoom]]:
    """On the same stores, both with their rounds running."""
    rooms = [build_room() for _ in range(2)]
    for room in rooms:
        await room.start()
    yield rooms
    for room in rooms:
        await room.stop()


@pytest.fixture
def make_known_sale(
    nodes: list[WaitingRoom], make_sale: Callable[..., Awaitable[str]]
) -> Callable[..., Awaitable[str]]:
    """As make_sale; both of `nodes` have its live state."""
    return maker_for(nodes, make_sale)


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def address(site: Site, way: str) -> AsyncIterator[tuple[str, int]]:
    async with serving(site.app(), way) as address:
        yield address
        site.hub.shutdown()  # on the ASGI way uvicorn does not know of it


@pytest.fixture
async def wire(address: tuple[str, int]) -> AsyncIterator[Wire]:
    async with Wire.open(address) as wire:
        yield wire
