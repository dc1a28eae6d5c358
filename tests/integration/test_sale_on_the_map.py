"""What the map's stream says beside seats: the sale's state, a revocation, and when to begin anew.

Over real sockets, read by a parser that refuses what the standard does not say.
"""

import asyncio
from contextlib import AsyncExitStack

import httpx
import orjson
import pytest

from seatmap.model import Fate
from tests.live_clients import Event, events
from tests.operators import join
from tests.running import client_of
from tests.waiting import LIMIT_S, until

QUIET = {"allGone": False, "paused": False, "pauseReason": "", "stopped": False, "message": ""}
QUIET |= {"putOffTo": 0}


class Viewer:
    """A fan's stream of one event, in a browser of their own."""

    def __init__(self, client: httpx.AsyncClient, reply: httpx.Response) -> None:
        self.client = client
        self._chunks = reply.aiter_bytes()
        self._unread: list[Event] = []
        self._rest = b""

    @property
    def subject(self) -> str:
        return self.client.cookies["onsale_visitor"].partition(".")[0]

    async def next(self) -> Event:
        async with asyncio.timeout(LIMIT_S):
            while not self._unread:
                self._rest += await anext(self._chunks)
                whole, end, self._rest = self._rest.rpartition(b"\n\n")
                self._unread = events(whole + end)
        return self._unread.pop(0)

    async def hears(self, name: str, **facts: object) -> dict[str, object]:
        """The data of the first event of that name which says all of `facts`."""
        while True:
            event = await self.next()
            data = orjson.loads(event.data)
            if event.name == name and facts.items() <= data.items():
                return data

    async def until_the_end(self) -> list[Event]:
        seen = []
        while True:
            try:
                seen.append(await self.next())
            except StopAsyncIteration:
                return seen


@pytest.fixture
async def viewer(served):
    """Opens the map's stream of an event as another fan at each call."""
    async with AsyncExitStack() as opened:

        async def open_stream(event_id, after="", admitted=True):
            client = await opened.enter_async_context(client_of(served))
            if admitted:
                assert (await join(client, event_id)).json()["state"] == "admitted"
            path = f"/events/{event_id}/seats/stream"
            reply = await opened.enter_async_context(
                client.stream("GET", path, params={"after": after}, timeout=LIMIT_S)
            )
            assert reply.status_code == 200
            return Viewer(client, reply)

        yield open_stream


async def test_a_stop_a_pause_and_words_to_all_come_down_the_stream_as_they_are_said(
    viewer, operator, make_sale
):
    event_id = await make_sale(mode="auto", per_minute=60_000)
    boss, page = operator(event_id), await viewer(event_id)
    assert await page.hears("sale") == QUIET
    await boss.change(message="Doors open at seven.")
    assert await page.hears("sale") == QUIET | {"message": "Doors open at seven."}
    await boss.change(stopped=True, pauseReason="Fire alarm", message="")
    stopped = {"stopped": True, "paused": True, "pauseReason": "Fire alarm"}
    assert stopped.items() <= (await page.hears("sale")).items()
    await boss.change(stopped=False, pauseReason="")
    on = await page.hears("sale", stopped=False)
    assert on == QUIET | {"putOffTo": on["putOffTo"]}, "ends were put off for as long as it lasted"


async def test_who_opens_the_map_later_is_told_what_is_so_now(viewer, operator, make_sale):
    event_id = await make_sale(mode="off")
    first = await viewer(event_id, admitted=False)
    await operator(event_id).change(message="Doors open at seven.")
    await first.hears("sale", message="Doors open at seven.")
    second = await viewer(event_id, admitted=False)
    told = [e for e in [await second.next(), await second.next()] if e.name == "sale"]
    assert [orjson.loads(e.data)["message"] for e in told] == ["Doors open at seven."]


async def test_a_map_without_a_seat_left_says_so_and_one_that_gets_some_back_too(
    viewer, node, make_sale
):
    event_id = await make_sale(mode="auto", seats=2)
    fates = [Fate(0, 1), Fate(1, 1)]
    await node.services.seat_map.apply(event_id, hold_id="", state="sold", fates=fates)
    page = await viewer(event_id)
    await page.hears("sale", allGone=True)
    back = [Fate(0, 2)]
    await node.services.seat_map.apply(event_id, hold_id="", state="available", fates=back)
    await page.hears("sale", allGone=False)


async def test_a_revocation_reaches_that_fans_streams_alone_and_ends_them(
    viewer, operator, make_sale
):
    event_id = await make_sale(mode="auto", per_minute=60_000)
    boss, one, other = operator(event_id), await viewer(event_id), await viewer(event_id)
    await one.hears("sale")
    await other.hears("sale")
    await boss.post("revoke", subject=one.subject, reason="Bought by a machine")
    told = await one.hears("sale", revokedReason="Bought by a machine")
    assert told == QUIET | {"revokedReason": "Bought by a machine"}
    assert [event.name for event in await one.until_the_end()] == ["bye"]
    await boss.change(message="Go on.")
    assert "revokedReason" not in await other.hears("sale", message="Go on.")


async def test_a_revocation_says_of_the_seats_what_everybody_was_told(
    viewer, node, operator, make_sale
):
    """A seat is back, but not for long enough that anybody was told."""
    event_id, seat_map = await make_sale(mode="auto", seats=1), node.services.seat_map
    await seat_map.apply(event_id, hold_id="", state="sold", fates=[Fate(0, 1)])
    page = await viewer(event_id)
    await page.hears("sale", allGone=True)
    await seat_map.apply(event_id, hold_id="", state="available", fates=[Fate(0, 2)])
    await until(lambda: seat_map.available(event_id) == 1)
    await operator(event_id).post("revoke", subject=page.subject, reason="Bought by a machine")
    seen = await page.until_the_end()
    told = [True, *(orjson.loads(e.data)["allGone"] for e in seen if e.name == "sale")]
    assert len(told) > 1
    assert told[-1] == told[-2]


async def test_a_revocation_between_the_gate_and_the_first_look_is_not_missed(
    viewer, node, operator, make_sale
):
    event_id = await make_sale(mode="auto", per_minute=60_000)
    boss, sale = operator(event_id), node.services.sale
    await sale.stop()
    page = await viewer(event_id)
    await boss.post("revoke", subject=page.subject, reason="Bought by a machine")
    await sale.start()
    await page.hears("sale", revokedReason="Bought by a machine")


async def test_a_client_from_before_a_repair_that_the_node_did_not_see_is_told_to_begin_anew(
    viewer, make_sale
):
    event_id = await make_sale(mode="off")
    page = await viewer(event_id, after="1-00c0ffee:4", admitted=False)
    (reset,) = await page.until_the_end()
    assert reset.name == "reset"
    assert 0 <= orjson.loads(reset.data)["retryMs"] <= 1_000
    seats = (await page.client.get(f"/events/{event_id}/seats")).json()
    again = await viewer(event_id, after=f"{seats['epoch']}:{seats['version']}", admitted=False)
    assert (await again.next()).name == "sale", "neither a reset nor a snapshot"


async def test_a_client_of_another_node_that_was_up_to_date_is_carried_over_a_repair(
    viewer, node, redis, make_sale
):
    """The node knows the old epoch to its end, since it had viewers: no reset, no snapshot."""
    event_id = await make_sale(mode="off")
    watching = await viewer(event_id, admitted=False)
    await watching.hears("sale")
    await node.services.seat_map.apply(event_id, hold_id="", state="sold", fates=[Fate(3, 1)])
    at = await seen(watching, [3, 2])
    await redis.flushall()
    assert (await seen(watching, [3, 0])).split(":")[0] != at.split(":")[0]
    moved = await viewer(event_id, after=at, admitted=False)
    names = [(await moved.next()).name for _ in range(2)]
    assert sorted(names) == ["sale", "seats"]


async def seen(page: Viewer, pairs: list[int]) -> str:
    """The id of the first frame of seats that says just this."""
    while True:
        event = await page.next()
        if event.name == "seats" and orjson.loads(event.data) == pairs:
            return event.id
