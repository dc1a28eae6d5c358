"""Places for one address are counted, whichever node is asked, and nobody else is."""

import itertools

import httpx
import pytest
from prometheus_client import generate_latest
from starlette.requests import Request

from app.metrics import registry
from core.clients import Clients, parse_networks
from core.errors import NotFound, TooMany
from waiting_room.limits import WINDOW_MS, JoinLimits

NOW_MS = 1_900_000_000_000
_fans = itertools.count()


@pytest.fixture
def limits(node, redis):
    """Makes the limits of one more node."""

    def make(*, per_address=3, per_network=5, trusted=""):
        room, clients = node.services.waiting_room, Clients(parse_networks(trusted))
        shares = {"per_address": per_address, "per_network": per_network}
        return JoinLimits(redis, room, clients, **shares)

    return make


def caller(peer, forwarded=()):
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return Request({"type": "http", "client": (peer, 1), "headers": headers})


async def joins(limits, event_id, peer, *, times=1, now_ms=NOW_MS, forwarded=()):
    """How many of these joins of one address are let through."""
    let_in = 0
    for _ in range(times):
        try:
            call = caller(peer, forwarded)
            await limits.require(call, event_id, f"vs_{next(_fans)}", now_ms=now_ms)
        except TooMany:
            break
        let_in += 1
    return let_in


async def test_an_address_has_its_share_and_another_its_own(limits, make_sale):
    event_id, mine = await make_sale(), limits()
    assert await joins(mine, event_id, "203.0.113.7", times=9) == 3
    assert await joins(mine, event_id, "198.51.100.1", times=9) == 3


async def test_neighbours_share_what_a_network_has(limits, make_sale):
    event_id, mine = await make_sale(), limits()
    assert await joins(mine, event_id, "203.0.113.7", times=3) == 3
    assert await joins(mine, event_id, "203.0.113.8", times=3) == 2
    with pytest.raises(TooMany) as refused:
        await mine.require(caller("203.0.113.9"), event_id, "vs_x", now_ms=NOW_MS)
    assert refused.value.limit == "joins_per_network"


async def test_nodes_count_together_and_events_apart(limits, make_sale):
    event_id, other = await make_sale(), await make_sale()
    assert await joins(limits(), event_id, "203.0.113.7", times=2) == 2
    assert await joins(limits(), event_id, "203.0.113.7", times=2) == 1
    assert await joins(limits(), other, "203.0.113.7", times=3) == 3


async def test_a_share_grows_back_evenly_and_the_refusal_says_when(limits, make_sale):
    event_id = await make_sale()
    assert await joins(limits(per_network=0), event_id, "203.0.113.7", times=9) == 3
    with pytest.raises(TooMany) as refused:
        await limits().require(caller("203.0.113.7"), event_id, "vs_x", now_ms=NOW_MS)
    wait_ms = int(refused.value.retry_after_s * 1000)
    assert wait_ms == WINDOW_MS // 3
    early, then = NOW_MS + wait_ms - 1, NOW_MS + wait_ms
    assert await joins(limits(), event_id, "203.0.113.7", now_ms=early) == 0
    assert await joins(limits(), event_id, "203.0.113.7", times=2, now_ms=then) == 1


async def test_a_refused_join_uses_nothing_up(limits, make_sale):
    event_id, mine = await make_sale(), limits(per_address=1)
    await joins(mine, event_id, "203.0.113.7", times=9)
    assert await joins(limits(), event_id, "203.0.113.8", times=9) == 3


async def test_who_is_over_the_limit_is_refused_without_asking_redis(limits, make_sale, redis):
    event_id, mine = await make_sale(), limits(per_address=1)
    await joins(mine, event_id, "203.0.113.7", times=2)
    await redis.flushall()
    assert await joins(mine, event_id, "203.0.113.7") == 0


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.1.2.3", "172.20.0.2", "::1", "fd00::5"])
async def test_a_proxy_that_nobody_named_stops_no_fans_and_the_log_says_so_once(
    limits, make_sale, inside, caplog
):
    event_id, mine = await make_sale(), limits()
    assert await joins(mine, event_id, inside, times=9, forwarded=["203.0.113.7"]) == 9
    warnings = [record for record in caplog.records if "TRUSTED_PROXIES" in record.message]
    assert len(warnings) == 1


async def test_behind_a_proxy_of_ours_the_fan_counts_and_not_what_a_fan_wrote(limits, make_sale):
    event_id, mine = await make_sale(), limits(trusted="127.0.0.1")
    assert await joins(mine, event_id, "127.0.0.1", times=9) == 9
    forwarded = ["6.6.6.6, 203.0.113.7"]
    assert await joins(mine, event_id, "127.0.0.1", times=9, forwarded=forwarded) == 3
    forged = ["203.0.113.99"]
    assert await joins(mine, event_id, "198.51.100.1", times=9, forwarded=forged) == 3


async def test_zero_is_no_limit(limits, make_sale):
    event_id, mine = await make_sale(), limits(per_address=0, per_network=0)
    assert await joins(mine, event_id, "203.0.113.7", times=50) == 50


async def test_made_up_events_leave_nothing_in_redis(limits, node, redis):
    with pytest.raises(NotFound):
        await limits().require(caller("203.0.113.7"), "ev_nothing", "vs_x")
    assert await redis.keys("wr:*joins*") == []


async def test_a_fan_over_the_limit_reads_429_and_the_refusal_is_counted(node, make_sale):
    event_id = await make_sale(mode="on", max_active=0)
    transport = httpx.ASGITransport(app=node.app, client=("203.0.113.7", 1))
    for _ in range(100):
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as fan:
            assert (await fan.post(f"/events/{event_id}/queue", json={})).status_code == 200
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as fan:
        reply = await fan.post(f"/events/{event_id}/queue", json={})
    assert (reply.status_code, reply.json()["limit"]) == (429, "joins_per_address")
    assert int(reply.headers["retry-after"]) > 0
    services = node.services
    told = generate_latest(registry(services.waiting_room, services.live, services.refused))
    assert b'onsale_refused_total{code="too_many"} 1.0' in told
    assert b'onsale_refused_total{code="bad_slip"} 0.0' in told


async def test_the_form_of_the_queue_page_counts_like_the_api(node, make_sale):
    event_id = await make_sale(mode="on", max_active=0)
    transport = httpx.ASGITransport(app=node.app, client=("203.0.113.7", 1))
    statuses = []
    for _ in range(101):
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as fan:
            reply = await fan.post(f"/e/{event_id}/queue", data={"do": "join"})
            statuses.append(reply.status_code)
    assert statuses == [303] * 100 + [429]
