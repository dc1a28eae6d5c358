"""The routes of the seat map: what a browser and a cache get."""

import asyncio

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

from core.clients import Clients
from core.cookies import Cookies
from core.edge import on_app_error
from core.errors import AppError, NotAdmitted
from core.live.shares import Shares
from core.signing import Keys
from core.visitor import VisitorMiddleware
from seatmap.model import Fate
from seatmap.service import SeatMap
from seatmap.web import SeatMapWeb
from tests.fixtures.nodes import SECRET
from tests.waiting import LIMIT_S, until

EVENT, SHA = "ev_gig", "0c" * 32
PLAN = b'{"planId":"p"}'
SHARES = Shares(Clients(), "streams", per_visitor=9, per_address=0)


@pytest.fixture
async def seat_map(redis, db, make_event):
    await make_event(EVENT, seats=4, sha=SHA, plan=PLAN)
    built = SeatMap.build(redis, db)
    yield built
    await built.stop()


@pytest.fixture
async def client(seat_map, live):
    async def gate(request, event_id):
        if "admitted" not in request.headers:
            raise NotAdmitted(event_id)

    app = Starlette(
        routes=SeatMapWeb(seat_map, gate, live, SHARES).routes(),
        exception_handlers={AppError: on_app_error},
        middleware=[Middleware(VisitorMiddleware, Keys(SECRET))],
    )
    app.state.cookies = Cookies(secure=False)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        client.live = live
        yield client


async def test_the_plan_is_kept_for_ever_under_its_hash(client):
    first = await client.get(f"/events/{EVENT}/plan")
    assert (first.status_code, first.headers["location"]) == (
        307,
        f"/events/{EVENT}/plan?v={SHA}",
    )
    plan = await client.get(first.headers["location"])
    assert plan.content == PLAN
    assert "immutable" in plan.headers["cache-control"]
    again = await client.get(
        first.headers["location"], headers={"if-none-match": plan.headers["etag"]}
    )
    assert again.status_code == 304


async def test_seats_are_public_and_unknown_events_are_not_found(client):
    seats = await client.get(f"/events/{EVENT}/seats", headers={"accept-encoding": "identity"})
    assert seats.json()["states"] == "0000"
    packed = await client.get(f"/events/{EVENT}/seats", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert (await client.get("/events/ev_none/seats")).status_code == 404
    assert (await client.get("/events/ev_none/plan")).status_code == 404


async def test_the_stream_is_behind_the_gate(client):
    refused = await client.get(f"/events/{EVENT}/seats/stream")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_admitted")


async def test_a_stream_begins_where_the_client_is_and_ends_with_bye(client, seat_map):
    """httpx's transport gives the body at its end, so the node drains first."""
    seen = (await client.get(f"/events/{EVENT}/seats")).json()
    follower = await seat_map.follower(EVENT)
    reading = asyncio.create_task(
        client.get(
            f"/events/{EVENT}/seats/stream",
            params={"after": f"{seen['epoch']}:{seen['version']}"},
            headers={"admitted": "yes"},
        )
    )
    await until(lambda: follower.channel.members)
    await seat_map.apply(EVENT, hold_id="", state="claimed", fates=[Fate(2, 1)])
    await until(lambda: client.live.metrics.messages)
    client.live.shutdown()
    body = (await asyncio.wait_for(reading, LIMIT_S)).text
    assert f"id: {seen['epoch']}:{seen['version'] + 1}\nevent: seats\ndata: [2,1]\n" in body
    assert "event: bye" in body
    assert "event: snapshot" not in body


async def test_a_client_without_a_cursor_gets_a_snapshot_first(client, seat_map):
    follower = await seat_map.follower(EVENT)
    reading = asyncio.create_task(
        client.get(f"/events/{EVENT}/seats/stream", headers={"admitted": "yes"})
    )
    await until(lambda: follower.channel.members)
    await until(lambda: client.live.metrics.messages)
    client.live.shutdown()
    body = (await asyncio.wait_for(reading, LIMIT_S)).text
    assert body.startswith("id: ")
    assert orjson.loads(body.split("data: ")[1].split("\n")[0])["states"] == "0000"
