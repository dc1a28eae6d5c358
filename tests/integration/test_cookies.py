"""What our cookies are called, on https and on plain http: no sibling host can set one."""

import re
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.fixtures.nodes import open_node
from tests.operators import BEARER

HERE = "https://shop.example/tickets?seat=4"
BROWSER = {"accept": "text/html"}
ALL = {"visitor", "language", "console", "pass", "receipt", "return"}


@pytest.fixture
def site(monkeypatch, node, database_url, redis_url, gateway_socket):
    """Opens a node whose fans come by this scheme: a client of it."""

    @asynccontextmanager
    async def opened(scheme):
        url = f"{scheme}://onsale.test"
        monkeypatch.setenv("ONSALE_PUBLIC_URL", url)
        made = await open_node(database_url, redis_url, gateway_socket)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app=made.app), base_url=url)
        async with made.app.router.lifespan_context(made.app), client:
            yield client
        await made.close()

    return opened


@pytest.fixture
async def sales(make_sale, db):
    """(an event that lets everybody in, with a shop; one whose lobby is open)."""
    on_sale, lobby = await make_sale(mode="off"), await make_sale(mode="on", opens_in_s=3600)
    await db.execute("insert into shop values ($1, '{https://shop.example/tickets}')", on_sale)
    return on_sale, lobby


async def every_cookie(client, on_sale, lobby):
    """The Set-Cookie headers of a visit that gets one of each kind, by their names."""
    link = (await client.post("/admin/console-links", json={}, headers=BEARER)).json()["path"]
    replies = [
        await client.get(f"/e/{on_sale}/queue", params={"return": HERE}, headers=BROWSER),
        await client.post(f"/events/{on_sale}/queue", json={}),
        await client.post(f"/events/{lobby}/queue", json={}),
        await client.post("/language", data={"to": "de", "back": "/"}),
        await client.get(link),
    ]
    kept = [cookie for reply in replies for cookie in reply.headers.get_list("set-cookie")]
    return {cookie.partition("=")[0]: cookie for cookie in kept}


async def what_they_open(client, on_sale, lobby):
    """What each cookie is worth: whose the visitor is, and what the others open."""
    queue = (await client.get(f"/events/{lobby}/queue")).json()
    seat = {"ticketIds": [f"{on_sale}-0"]}
    gate = await client.post(f"/events/{on_sale}/holds", json=seat)
    return {
        "visitor": queue["state"] == "lobby",
        "language": '<html lang="de"' in (await client.get("/", headers=BROWSER)).text,
        "console": (await client.get(f"/admin/events/{on_sale}/admission")).status_code == 200,
        "pass": gate.status_code in {200, 201},
        "receipt": (await client.get(f"/e/{lobby}/draw/receipt.txt")).status_code == 200,
        "return": "shop.example" in (await client.get(f"/e/{on_sale}/queue/return")).text,
    }


@pytest.mark.parametrize(("scheme", "prefix"), [("https", "__Host-"), ("http", "")])
async def test_each_cookie_is_for_this_very_host_and_over_https_no_other_can_set_it(
    site, sales, scheme, prefix
):
    async with site(scheme) as client:
        cookies = await every_cookie(client, *sales)
        names = {re.fullmatch(rf"{prefix}onsale_([a-z]+)(_ev_\w+)?", name)[1] for name in cookies}
        assert names == ALL
        for cookie in cookies.values():
            attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
            assert {"path=/", "httponly", "samesite=lax"} <= attributes
            assert ("secure" in attributes) == (scheme == "https")
            assert not any(part.startswith("domain") for part in attributes)
        assert all((await what_they_open(client, *sales)).values())


@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_a_cookie_by_the_other_name_is_not_looked_at(site, sales, scheme):
    """On https it may be of a sibling host; on http no browser would bring one."""
    async with site(scheme) as client:
        await every_cookie(client, *sales)
        mine = dict(client.cookies.items())
        for name, value in mine.items():
            client.cookies.clear()
            client.cookies.update(mine)
            client.cookies.delete(name)
            bare = name.removeprefix("__Host-")
            client.cookies.set(bare if scheme == "https" else f"__Host-{bare}", value)
            what = bare.split("_")[1]
            assert not (await what_they_open(client, *sales))[what], name


async def test_an_address_too_long_for_a_cookie_that_each_call_brings_is_refused(site, sales):
    async with site("https") as client:
        address = f"{HERE}&a=".ljust(1_001, "a")
        params = {"return": address}
        refused = await client.get(f"/e/{sales[0]}/queue", params=params)
        assert (refused.status_code, refused.json()["code"]) == (400, "return_refused")
        fits = await client.get(f"/e/{sales[0]}/queue", params={"return": address[:-1]})
        assert fits.status_code == 303
