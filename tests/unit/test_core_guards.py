"""Guards: another site's page can't act for a fan, and a flood is answered."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from core.guards import SECURITY_HEADERS, Guards
from core.live.hub import Hub
from core.refusals import Refusals


async def hello(_):
    return PlainTextResponse("hello")


def client(*, public_url="", max_connections=10, route=hello, refused=None):
    app = Starlette(routes=[Route("/", route, methods=["GET", "POST"])])
    guarded = Guards(
        app,
        public_url=public_url,
        max_connections=max_connections,
        live=Hub(),
        refused=refused or Refusals(),
    )
    transport = httpx.ASGITransport(app=guarded)
    return httpx.AsyncClient(transport=transport, base_url="http://onsale.test")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # no browser: it has no other site's page in it
        ({"origin": "http://onsale.test"}, 200),
        ({"origin": "http://evil.test"}, 403),
        ({"origin": "http://onsale.test.evil"}, 403),
        ({"origin": "http://evil@onsale.test"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
async def test_an_unsafe_call_must_come_from_our_own_pages(headers, status):
    async with client() as http:
        reply = await http.post("/", headers=headers)
    assert reply.status_code == status
    assert status == 200 or reply.json()["code"] == "bad_origin"


async def test_behind_a_public_url_only_that_origin_counts_whatever_the_host_header_says():
    async with client(public_url="https://tickets.test") as http:
        ours = await http.post("/", headers={"origin": "https://tickets.test"})
        host = await http.post("/", headers={"origin": "http://onsale.test"})
    assert (ours.status_code, host.status_code) == (200, 403)


async def test_reading_is_open_to_every_origin():
    async with client() as http:
        assert (await http.get("/", headers={"origin": "http://evil.test"})).status_code == 200


async def test_every_reply_carries_the_security_headers_refusals_too():
    async with client() as http:
        for reply in (await http.get("/"), await http.post("/", headers={"origin": "null"})):
            assert {n: reply.headers[n] for n in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "unsafe-inline" not in SECURITY_HEADERS["content-security-policy"]


async def test_more_connections_than_the_limit_are_told_to_wait_and_a_freed_one_counts_no_more():
    inside, leave = asyncio.Event(), asyncio.Event()

    async def slow(_):
        inside.set()
        await leave.wait()
        return PlainTextResponse("done")

    async with client(max_connections=1, route=slow) as http:
        first = asyncio.create_task(http.get("/"))
        await inside.wait()
        second = await http.get("/")
        assert (second.status_code, second.json()["limit"]) == (429, "max_connections")
        assert int(second.headers["retry-after"]) > 0
        leave.set()
        assert (await first).status_code == 200
        assert (await http.get("/")).status_code == 200


async def test_a_refusal_is_counted_by_its_code():
    refused = Refusals(["bad_origin"])
    async with client(refused=refused) as http:
        await http.post("/", headers={"origin": "null"})
        await http.post("/")
    assert refused.by_code == {"bad_origin": 1}
