"""What operators see of a running sale, once and each second."""

import asyncio

import orjson
import pytest

from app.admin.feed import Feeds
from app.admin.past import Past, worth_noting
from core.errors import StoreUnavailable
from tests.live_clients import Pulled
from tests.operators import BEARER, join
from tests.waiting import LIMIT_S, until


async def test_the_numbers_tell_who_waits_who_is_in_and_what_binds(operator, fan, make_sale):
    event_id = await make_sale(mode="on", max_active=1)
    boss, first, second = operator(event_id), fan(), fan()
    assert (await boss.get("numbers"))["binds"] == "empty"
    for client in (first, second):
        await join(client, event_id)
    told = await until(lambda: boss.get("numbers"), lambda now: now["called"] == 1)
    counted = ("lobby", "waiting", "present", "away", "active", "gone", "skipped", "revoked")
    assert {name: told[name] for name in counted} == {
        **dict.fromkeys(counted, 0),
        "waiting": 1,
        "present": 1,
    }
    assert told["binds"] == "cap"
    await boss.change(maxActive=9, perMinute=0)
    assert (await boss.get("numbers"))["binds"] == "pace"
    await boss.change(paused=True)
    assert (await boss.get("numbers"))["binds"] == "paused"
    await boss.change(stopped=True)
    assert (await boss.get("numbers"))["binds"] == "stopped"


async def test_those_who_stayed_away_are_told_apart(operator, fan, make_sale):
    event_id = await make_sale(mode="on", max_active=0)
    await join(fan(), event_id)
    numbers = await operator(event_id).get("numbers")
    assert numbers["waiting"] == numbers["present"] + numbers["away"]


async def test_refusals_are_counted_by_reason_over_all_nodes(
    operator, fan, make_sale_on_both, node, other_node
):
    event_id = await make_sale_on_both(mode="on", max_active=0)
    boss, client = operator(event_id), fan()
    await join(client, event_id)
    await client.post(f"/events/{event_id}/queue/accept", json={})
    await client.post(f"/events/{event_id}/queue", json={"slip": "1.1.forged"})
    await client.post(f"/events/{event_id}/holds", json={})
    await client.get(f"{boss.path}/admission")  # an operator's trouble is no fan's
    other = other_node.services.waiting_room
    await other.hub.view(event_id)
    other.refusals.count(event_id, "not_called")
    await other.refusals.share(event_id)
    refused = (await boss.get("numbers"))["refused"]
    assert refused == {"not_called": 2, "bad_slip": 1, "not_admitted": 1}
    text = (await fan().get("/metrics")).text
    assert f'onsale_room_refused_total{{code="not_called",event="{event_id}"}} 1.0' in text


async def test_refusals_of_made_up_events_are_not_kept(fan, node):
    for n in range(5):
        await fan().post(f"/events/ev_none{n}/holds", json={})
    assert node.services.waiting_room.refusals.here() == {}


async def test_refusals_are_not_lost_when_redis_does_not_take_them(node, make_sale, redis):
    event_id = await make_sale(mode="on")
    room = node.services.waiting_room
    await room.hub.view(event_id)
    room.refusals.count(event_id, "not_called")

    async def unreachable(*_):
        raise StoreUnavailable("refused")

    add, room.store.add_refusals = room.store.add_refusals, unreachable
    with pytest.raises(StoreUnavailable):
        await room.refusals.share(event_id)
    room.store.add_refusals = add
    assert await room.refusals.share(event_id) == {"not_called": 1}
    assert await room.refusals.share(event_id) == {"not_called": 1}


async def test_the_wait_of_those_called_is_told(operator, make_sale, node):
    event_id = await make_sale(mode="on", max_active=0)
    room, boss = node.services.waiting_room, operator(event_id)
    assert (await boss.get("numbers"))["waitP50Ms"] is None
    await room.join(event_id, "vs_fan")
    await room.hub.view(event_id)
    await boss.change(maxActive=1)

    async def waited():
        room.waits._known.clear()
        return await boss.get("numbers")

    told = await until(waited, lambda now: now["waitP50Ms"] is not None)
    assert 0 <= told["waitP50Ms"] == told["waitP90Ms"] < 60_000


async def test_metrics_name_what_binds(fan, make_sale):
    event_id = await make_sale(mode="on", max_active=0)
    await join(fan(), event_id)
    text = (await fan().get("/metrics")).text
    assert f'onsale_room_binds{{by="cap",event="{event_id}"}} 1.0' in text
    assert f'onsale_room_binds{{by="pace",event="{event_id}"}} 0.0' in text


async def numbers_of(reader):
    """The newest numbers on a stream."""
    last = (await reader.next()).rpartition(b"event: numbers\ndata: ")[2]
    return orjson.loads(last.removesuffix(b"\n\n"))


async def test_the_stream_tells_at_once_and_then_each_second(operator, make_sale, node):
    event_id = await make_sale(mode="on", max_active=0)
    boss, admin = operator(event_id), node.services.admin
    channel = await admin.numbers_channel(event_id)
    readers = [Pulled.reader(node.live, channel, None) for _ in range(2)]
    first = [await numbers_of(reader) for reader in readers]
    assert first[0] == first[1]
    assert first[0]["perMinute"] == 600
    await boss.change(perMinute=7)
    async with asyncio.timeout(LIMIT_S):
        while (await numbers_of(readers[0]))["perMinute"] != 7:
            pass
    assert await admin.numbers_channel(event_id) is channel, "one feed for all operators"
    for reader in readers:
        reader.transport.abort()


async def test_the_stream_is_an_event_stream_for_operators_only(operator, make_sale):
    boss = operator(await make_sale(mode="on"))
    path = f"{boss.path}/numbers/stream"
    assert (await boss.client.get(path)).status_code == 401
    head = await boss.client.head(path, headers=BEARER)
    assert (head.status_code, head.headers["cache-control"]) == (200, "no-store")
    assert head.headers["content-type"].startswith("text/event-stream")
    missing = await boss.client.get("/admin/events/ev_no/numbers/stream", headers=BEARER)
    assert missing.json()["code"] == "not_found"


async def test_while_a_store_is_down_the_last_numbers_are_told_with_the_reason(node):
    answers = [{"waiting": 3, "binds": "pace"}]

    async def numbers(_):
        if not answers:
            raise StoreUnavailable("Redis")
        return answers.pop()

    feeds = Feeds(numbers)
    reader = Pulled.reader(node.live, await feeds.channel("ev_gig"), None)
    assert await numbers_of(reader) == {"waiting": 3, "binds": "pace"}
    assert await numbers_of(reader) == {"waiting": 3, "binds": "store_down"}
    answers.append({"waiting": 2, "binds": "cap"})
    async with asyncio.timeout(LIMIT_S):
        while await numbers_of(reader) != {"waiting": 2, "binds": "cap"}:
            pass
    reader.transport.abort()
    await feeds.stop()


# -- the last minutes ------------------------------------------------------------------------------

SHOWN = ("waiting", "active", "calledLastMinute", "perMinute", "sold", "held", "refused")


async def points_of(boss):
    return (await boss.get("numbers/history"))["points"]


async def test_the_last_minutes_are_there_for_who_comes_later_and_on_any_node(
    operator, fan, make_sale_on_both, node, other_node
):
    event_id = await make_sale_on_both(mode="on", max_active=0, per_minute=7)
    await join(fan(), event_id)
    await node.services.waiting_room.hub.view(event_id)
    await node.services.admin._past.look()
    (point,) = await points_of(operator(event_id))
    assert {name: point[name] for name in SHOWN} == {
        **dict.fromkeys(SHOWN, 0),
        "waiting": 1,
        "perMinute": 7,
    }
    assert point["at"] % 5000 == 0
    assert await other_node.services.admin.numbers_lately(event_id) == [point]


async def test_of_two_nodes_the_one_that_saw_more_calls_is_believed(make_sale, db):
    event_id = await make_sale(mode="on")
    seen = {"binds": "pace", "waiting": 3, "active": 2, "calledLastMinute": 5, "perMinute": 60}
    rooms = [{event_id: seen | {"calledLastMinute": calls}} for calls in (5, 9)]

    async def seats(_):
        return {"sold": 4, "held": 1, "claimed": 2}

    async def refused(_):
        return {"not_called": 6, "too_many": 2}

    nodes = [Past(db, lambda room=room: room, seats, refused, lambda: {event_id}) for room in rooms]
    for past in nodes:
        await past.look()
    points = await nodes[0].of(event_id)
    assert max(point["calledLastMinute"] for point in points) == 9
    assert {(p["sold"], p["held"], p["refused"]) for p in points} == {(4, 3, 8)}


async def test_of_the_last_minutes_no_more_than_those_are_kept(make_sale, db, node, operator):
    event_id = await make_sale(mode="on")
    await db.execute(
        "insert into recent_numbers select $1, extract(epoch from now())::bigint / 5 - n,"
        " n, 0, 0, 0, 0, 0, 0 from generate_series(1, 1000) n",
        event_id,
    )
    points = await points_of(operator(event_id))
    assert [point["waiting"] for point in points][-1] == 1, "the oldest first"
    assert 178 <= len(points) <= 180
    node.services.admin._past._swept_at_s = float("-inf")
    await node.services.admin._past.look()
    assert await db.fetchval("select count(*) from recent_numbers") <= 181


@pytest.mark.parametrize(
    ("numbers", "looked_at", "noted"),
    [
        ({}, False, False),
        ({}, True, True),
        ({"lobby": 1}, False, True),
        ({"active": 1}, False, True),
        ({"waiting": 9, "binds": "store_down"}, True, False),
    ],
)
def test_only_what_goes_on_or_is_looked_at_and_is_known_is_noted(numbers, looked_at, noted):
    calm = {"binds": "empty", "lobby": 0, "waiting": 0, "called": 0, "active": 0}
    assert worth_noting(calm | numbers, looked_at=looked_at) is noted


async def test_metrics_have_each_number_that_the_console_shows(operator, fan, make_sale, node):
    event_id = await make_sale(mode="on", max_active=1)
    boss, room = operator(event_id), node.services.waiting_room
    for _ in range(2):
        await join(fan(), event_id)
    await until(lambda: boss.get("numbers"), lambda now: now["called"] == 1)
    room.waits._known[event_id] = (float("inf"), [3000, 9000])
    told, text = await boss.get("numbers"), (await fan().get("/metrics")).text
    same = ("lobby", "waiting", "present", "away", "called", "active", "lapsed", "gone")
    gauges = dict(zip(same, same, strict=True)) | {"skipped": "skipped", "revoked": "revoked"}
    gauges |= {"max_active": "maxActive", "per_minute": "perMinute"}
    gauges |= {"called_last_minute": "calledLastMinute"}
    for gauge, name in gauges.items():
        assert f'onsale_room_{gauge}{{event="{event_id}"}} {float(told[name])}' in text, gauge
    for quantile, seconds in ((0.5, 3.0), (0.9, 9.0)):
        wait = f'onsale_room_wait_seconds{{event="{event_id}",quantile="{quantile}"}} {seconds}'
        assert wait in text
    for by in ("pace", "cap", "empty", "paused", "store_down"):
        assert f'onsale_room_binds{{by="{by}",event="{event_id}"}}' in text
