"""A fan who came from a shop goes back to it at their turn, with scripts and without."""

import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest

HERE = "https://shop.example/tickets?seat=4&from=a"
BROWSER = {"accept": "text/html"}


@pytest.fixture
async def sale(make_sale, db):
    event_id = await make_sale(mode="auto", per_minute=60_000)
    await db.execute("insert into shop values ($1, '{https://shop.example/tickets}')", event_id)
    return event_id


async def come_from_the_shop(client, event_id, address=HERE):
    params = {"return": address}
    return await client.get(f"/e/{event_id}/queue", params=params, headers=BROWSER)


async def follow(client, path):
    """Redirects within this site, to where they end."""
    reply = await client.get(path, headers=BROWSER)
    for _ in range(5):
        if reply.status_code != 303:
            break
        assert reply.headers["location"].startswith("/e/")
        reply = await client.get(reply.headers["location"], headers=BROWSER)
    return reply


def onward(reply):
    """Where the page goes on to by itself, which its link does too."""
    (refresh,) = re.findall(r'http-equiv="refresh" content="0; url=([^"]+)"', reply.text)
    assert f'href="{refresh}"' in reply.text
    return html.unescape(refresh)


async def test_at_their_turn_a_fan_goes_on_to_the_shop_with_a_code(fan, sale):
    client = fan()
    arrived = await come_from_the_shop(client, sale)
    assert arrived.headers["location"] == f"/e/{sale}/queue"  # the address is out of the URL
    waiting = await follow(client, f"/e/{sale}/queue")
    assert "http-equiv" not in re.sub(
        r"<noscript>.*?</noscript>", "", waiting.text, flags=re.DOTALL
    )
    await client.post(f"/e/{sale}/queue", data={"do": "join"})
    gone_on = await follow(client, f"/e/{sale}/seats")
    assert gone_on.status_code == 200
    address = urlsplit(onward(gone_on))
    assert (address.netloc, address.path) == ("shop.example", "/tickets")
    query = parse_qs(address.query)
    assert (query["seat"], query["from"]) == (["4"], ["a"])
    (code,) = query["onsale_code"]
    exchanged = await fan().post("/admissions/exchange", json={"code": code})
    assert exchanged.json()["eventId"] == sale
    again = await follow(client, f"/e/{sale}/queue")  # no circle: the shop has the pass
    assert again.status_code == 409


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example", "javascript:x", ""])
async def test_an_address_that_is_not_on_the_list_is_a_page_that_says_so(fan, sale, address):
    reply = await come_from_the_shop(fan(), sale, address)
    assert reply.status_code == 400
    assert "not on this event&#39;s list" in reply.text
    assert "set-cookie" not in reply.headers or "onsale_return" not in reply.headers["set-cookie"]


@pytest.mark.parametrize(
    "made_up", ["aHR0cHM6Ly9ldmlsLmV4YW1wbGUv", "not base64!", "/w==", "aHR0cHM6Ly94"]
)
async def test_a_cookie_that_somebody_made_up_leads_nowhere(fan, sale, made_up):
    client = fan()
    await client.post(f"/events/{sale}/queue", json={})
    client.cookies.set(f"onsale_return_{sale}", made_up)
    reply = await client.get(f"/e/{sale}/queue/return", headers=BROWSER)
    assert "evil" not in reply.text + reply.headers.get("location", "")
    assert reply.status_code in {303, 400}


async def test_who_came_from_no_shop_goes_to_the_map_and_who_is_not_in_to_the_queue(fan, sale):
    client = fan()
    reply = await client.get(f"/e/{sale}/queue/return")
    assert reply.headers["location"] == f"/e/{sale}/queue"
    await come_from_the_shop(client, sale)
    reply = await client.get(f"/e/{sale}/queue/return")
    assert reply.headers["location"] == f"/e/{sale}/queue"
    direct = fan()
    await direct.post(f"/e/{sale}/queue", data={"do": "join"})
    assert (await direct.get(f"/e/{sale}/seats")).status_code == 200
