"""The catalogue over HTTP: search, an event with its tickets, and caches that may keep both."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest
from starlette.applications import Starlette

from app.catalogue import demo
from app.catalogue.model import Search
from app.catalogue.store import Catalogue
from app.catalogue.web import CatalogueWeb
from app.routes import exception_handlers
from core.cookies import Cookies
from core.db import Db
from tests.fixtures.stores import copied

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def demo_url(services):
    """With the demo events, whose 84,000 tickets take a second to load: each test has a copy."""

    async def seed(url):
        db = await Db.open(url)
        await demo.seed(db, NOW)
        await db.close()

    with copied(services.database_url) as url:
        asyncio.run(seed(url))
        yield url


@pytest.fixture
def database_url(demo_url):
    with copied(demo_url) as url:
        yield url


@pytest.fixture
async def client(db):
    app = Starlette(
        routes=CatalogueWeb(Catalogue(db)).routes(), exception_handlers=exception_handlers()
    )
    app.state.cookies = Cookies(secure=False)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://onsale") as opened:
        yield opened


async def found(client, **query):
    reply = await client.get("/events/search", params=query)
    assert reply.status_code == 200, reply.text
    return [event["eventId"] for event in reply.json()["events"]]


async def test_without_a_query_every_event_is_listed_the_soonest_first(client):
    assert await found(client) == ["ev_theatre", "ev_arena", "ev_stadium"]


@pytest.mark.parametrize(
    ("keyword", "event_id"),
    [
        ("menagerie", "ev_theatre"),  # title
        ("solveig", "ev_arena"),  # performer, without her accent
        ("leipzig", "ev_stadium"),  # city
        ("Rott", "ev_arena"),  # the beginning of a word
        ("northern tour", "ev_arena"),  # all of the words
    ],
)
async def test_a_keyword_finds_titles_performers_and_places(client, keyword, event_id):
    assert await found(client, keyword=keyword) == [event_id]


@pytest.mark.parametrize("keyword", ["northern leipzig", "&", "\x00"])
async def test_what_no_event_has_finds_nothing(client, keyword):
    assert await found(client, keyword=keyword) == []


async def test_dates_bound_the_beginning_of_events_and_an_end_includes_its_day(client):
    assert await found(client, start="2027-04-15") == ["ev_arena", "ev_stadium"]
    assert await found(client, start="2027-04-15", end="2027-04-15") == ["ev_arena"]
    assert await found(client, end="2027-04-14") == ["ev_theatre"]


async def test_pages_cover_everything_once_and_say_how_much_there_is(client):
    pages = [
        (await client.get("/events/search", params={"pageSize": 2, "page": page})).json()
        for page in (1, 2, 3)
    ]
    assert [[e["eventId"] for e in page["events"]] for page in pages] == [
        ["ev_theatre", "ev_arena"],
        ["ev_stadium"],
        [],
    ]
    assert {(page["total"], page["pages"], page["pageSize"]) for page in pages} == {(3, 2, 2)}


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("pagesize=2", "pagesize"),
        ("pageSize=101", "pageSize"),
        ("pageSize=ten", "pageSize"),
        ("page=0", "page"),
        ("page=1&page=2", "query"),
        ("start=soon", "start"),
        ("start=2027-05-02&end=2027-05-01", ""),
        ("keyword=" + "a" * 101, "keyword"),
    ],
)
async def test_a_query_that_is_not_as_described_is_refused_by_name(client, query, where):
    reply = await client.get(f"/events/search?{query}")
    assert (reply.status_code, reply.json()["code"]) == (422, "bad_request")
    assert reply.json()["problems"][0]["where"] == where


async def test_an_event_comes_with_its_venue_performers_prices_and_sale(client):
    event = (await client.get("/events/ev_arena")).json()
    assert event["venue"]["city"] == "Rotterdam"
    assert [performer["name"] for performer in event["performers"]] == ["Sólveig", "Night Ferry"]
    assert event["fromPriceMinor"] == min(c["priceMinor"] for c in event["priceCategories"])
    assert (event["mode"], event["seats"], event["maxTickets"]) == ("on", 18_000, 4)


async def test_tickets_come_in_pages_that_join_without_a_gap(client):
    first = (await client.get("/events/ev_arena")).json()
    assert [t["seatIndex"] for t in first["tickets"]] == list(range(1000))
    second = await client.get(
        "/events/ev_arena", params={"ticketsAfter": first["nextTicketsAfter"]}
    )
    assert second.json()["tickets"][0]["seatIndex"] == 1000
    last = (await client.get("/events/ev_arena?ticketsAfter=17499")).json()
    assert (len(last["tickets"]), last["nextTicketsAfter"]) == (500, None)


async def test_a_ticket_names_its_seat_and_its_price(client):
    event = (await client.get("/events/ev_theatre")).json()
    prices = {c["category"]: c["priceMinor"] for c in event["priceCategories"]}
    places = {(t["section"], t["row"], t["seat"]) for t in event["tickets"]}
    assert len(event["tickets"]) == len(places) == 500
    assert event["nextTicketsAfter"] is None
    assert event["tickets"][7]["ticketId"] == "ev_theatre-7"
    assert all(t["priceMinor"] == prices[t["category"]] for t in event["tickets"])


@pytest.mark.parametrize("made_up", ["ev_nothing", "arena!"])
async def test_an_unknown_event_is_not_found_whether_or_not_it_could_be_one(client, made_up):
    reply = await client.get(f"/events/{made_up}")
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


async def test_whoever_has_the_bytes_gets_304(client):
    reply = await client.get("/events/ev_theatre")
    assert "public" in reply.headers["cache-control"]
    again = await client.get("/events/ev_theatre", headers={"if-none-match": reply.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_seeding_again_loads_nothing_and_moves_no_date(client, db):
    before = (await client.get("/events/ev_stadium")).json()
    assert await demo.seed(db, datetime(2028, 1, 1, tzinfo=UTC)) == []
    assert (await client.get("/events/ev_stadium")).json() == before
    opens_at = datetime.fromtimestamp(before["opensAt"] / 1000, UTC)
    assert (opens_at - NOW).total_seconds() == 600


async def test_upcoming_events_have_not_begun(client, db):
    after_theatre = int(datetime(2027, 4, 1, tzinfo=UTC).timestamp() * 1000)
    upcoming = await Catalogue(db).search(Search(start_ms=after_theatre))
    assert [event.event_id for event in upcoming.events] == ["ev_arena", "ev_stadium"]
