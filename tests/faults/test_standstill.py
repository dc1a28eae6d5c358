"""PostgreSQL goes away, or an operator stops the sale: nobody in the shop loses their time.

Two nodes on a PostgreSQL of the test's own, which is stopped and started for real.
"""

import asyncio

import pytest

from app.embedded.services import EmbeddedServices
from core.errors import StoreUnavailable
from core.ids import new_id
from core.migrate import migrate
from core.redis import now_ms as redis_now_ms
from tests.operators import join
from tests.rooms import Tab
from tests.waiting import until
from waiting_room.policy import OUTAGE_MS, PUT_OFF_EVERY_MS

GIVEN_MS = 3 * PUT_OFF_EVERY_MS  # ends are put off ahead of now by so much at most
NOTICED_MS = 2_000  # a stop by then, a look a second


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    servers = EmbeddedServices(tmp_path_factory.mktemp("pg"), durable=False, kinds=["postgres"])
    with servers:
        migrate(servers.database_url)
        yield servers


@pytest.fixture
def database_url(postgres):
    return postgres.database_url


class Shopper:
    """A fan who is in the shop and has a seat in the basket."""

    def __init__(self, client, event_id):
        self.client, self.path = client, f"/events/{event_id}"

    async def takes(self, seat):
        queue = (await join(self.client, self.path.rpartition("/")[2])).json()
        assert queue["state"] == "admitted", queue
        body = {"ticketIds": [f"{self.path.rpartition('/')[2]}-{seat}"]}
        held = await self.client.post(f"{self.path}/holds", json=body)
        assert held.status_code == 201, held.text
        self.hold_id = held.json()["holdId"]
        return self

    async def ends(self):
        """(end of the admission, end of the hold), ms."""
        queue = await self.client.get(f"{self.path}/queue")
        hold = await self.client.get(f"{self.path}/holds/mine")
        assert (queue.status_code, hold.status_code) == (200, 200), (queue.text, hold.text)
        return queue.json()["endsAt"], hold.json()["endsAt"]

    async def book(self):
        body = {"holdId": self.hold_id, "email": "fan@example.org"}
        body["paymentDetails"] = {"token": "tok_approve"}
        return await self.client.post(
            self.path.replace("/events", "/bookings"),
            json=body,
            headers={"idempotency-key": new_id("key")},
        )


async def known_on(nodes, event_id):
    """Both nodes follow the event, as its watchers do, and know its epochs."""
    for node in nodes:
        await until(lambda node=node: node.services.waiting_room.hub.follows(event_id))
        await node.services.seat_map.know(event_id)


async def put_off(shopper, before):
    """The ends, once both are later than before."""
    return await until(
        shopper.ends,
        lambda now: now[0] > before[0] and now[1] > before[1],
        what=f"ends later than {before}",
    )


async def outage(postgres, lasts):
    """Stops PostgreSQL until `lasts` is over."""
    await asyncio.to_thread(postgres.stop)
    try:
        return await lasts()
    finally:
        await asyncio.to_thread(postgres.start)


async def test_an_outage_of_postgresql_is_made_good_once_on_all_nodes_and_in_the_rows(
    node, other_node, make_sale_on_both, fan, postgres, db, redis
):
    event_id = await make_sale_on_both(mode="auto", per_minute=60_000)
    shopper = await Shopper(fan(), event_id).takes(3)
    await known_on([node, other_node], event_id)
    before, began_ms = await shopper.ends(), await redis_now_ms(redis)

    async def lasts():
        await put_off(shopper, before)
        assert (await shopper.book()).status_code == 503
        return await shopper.ends()

    meanwhile = await outage(postgres, lasts)
    booked = await until(shopper.book, lambda reply: reply.status_code != 503)
    ended_ms = await redis_now_ms(redis)
    assert booked.status_code == 201, booked.text
    for earlier, later in zip(before, meanwhile, strict=True):
        assert OUTAGE_MS <= later - earlier <= ended_ms - began_ms + GIVEN_MS + OUTAGE_MS


async def test_the_rows_of_admissions_follow_and_a_repair_lays_the_later_ends(
    node, other_node, make_sale_on_both, fan, postgres, db, redis
):
    event_id = await make_sale_on_both(mode="auto", per_minute=60_000)
    shopper = await Shopper(fan(), event_id).takes(3)
    await known_on([node, other_node], event_id)
    before = await shopper.ends()
    await outage(postgres, lambda: put_off(shopper, before))
    (admission, _) = await until(shopper.ends)
    room = node.services.waiting_room

    async def kept():
        (call,) = await room.calls(event_id)
        return call["ends_at_ms"]

    await until(kept, lambda ends_ms: ends_ms >= admission, despite=StoreUnavailable)
    await redis.delete(f"wr:{{{event_id}}}:epoch", f"wr:{{{event_id}}}:active")
    after = await until(
        lambda: room.state(event_id, subject_of(shopper)),
        lambda said: said["state"] == "admitted",
        despite=StoreUnavailable,
    )
    assert after["endsAt"] >= admission


async def test_a_hold_that_ended_before_the_outage_was_noticed_is_told_and_the_admission_goes_on(
    node, make_sale, fan, postgres, db
):
    event_id = await make_sale(mode="auto", per_minute=60_000)
    await db.execute("update event set hold_ms = 1000 where event_id = $1", event_id)
    shopper = await Shopper(fan(), event_id).takes(3)
    await known_on([node], event_id)
    before = (await shopper.client.get(f"{shopper.path}/queue")).json()["endsAt"]

    async def lasts():
        async def now():
            return (await shopper.client.get(f"{shopper.path}/queue")).json()["endsAt"]

        await until(now, lambda ends_ms: ends_ms > before)
        held = await shopper.client.get(f"{shopper.path}/holds/mine")
        assert (held.status_code, held.json()["code"]) == (404, "no_hold")

    await outage(postgres, lasts)
    booked = await until(shopper.book, lambda reply: reply.status_code != 503)
    assert (booked.status_code, booked.json()["code"]) == (409, "hold_ended")


async def test_an_emergency_stop_costs_nobody_their_time_and_pages_are_told_at_once(
    node, other_node, make_sale_on_both, fan, operator, live, redis
):
    event_id = await make_sale_on_both(mode="auto", per_minute=60_000)
    shopper, boss = await Shopper(fan(), event_id).takes(3), operator(event_id)
    await known_on([node, other_node], event_id)
    before = await shopper.ends()
    tab = await Tab(other_node.services.waiting_room, event_id, subject_of(shopper)).open(live)
    assert (await tab.told(state="admitted"))["endsAt"] == before[0]
    began_ms = await redis_now_ms(redis)
    await boss.change(stopped=True)
    stopped = await put_off(shopper, before)
    await tab.told(state="admitted", endsAt=stopped[0])
    await boss.change(stopped=False)
    after, ended_ms = await shopper.ends(), await redis_now_ms(redis)
    for earlier, later in zip(before, after, strict=True):
        assert later - earlier >= PUT_OFF_EVERY_MS
        assert later - earlier <= ended_ms - began_ms + GIVEN_MS + NOTICED_MS
    assert (await shopper.book()).status_code == 201
    tab.close()


def subject_of(shopper):
    return shopper.client.cookies["onsale_visitor"].partition(".")[0]
