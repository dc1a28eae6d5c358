"""What rounds cost, which node ticks, and who is present: nodes on a real Redis."""

import asyncio

import pytest

from core.errors import Stale
from core.generations import Epoch
from core.pipeline import ScriptPipeline
from tests.live_clients import Pulled
from waiting_room import keys
from waiting_room.model import Join
from waiting_room.node.nodes import BUSY_MS, LEASE_MS, Nodes, watchers
from waiting_room.store import QueueStore


async def round_of(room, event_id):
    await room.hub._round(event_id, room.hub._events[event_id])


async def open_tab(room, live, event_id, fan):
    tab = Pulled.socket(live).connection
    await room.hub.connect(event_id, fan, tab)
    return tab


async def commands(redis):
    """Scripts that clients ran so far; what a script calls inside counts to the script."""
    info = await redis.info("commandstats")
    return sum(info.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha"))


async def reads(redis):
    """How often the server took something off a socket."""
    return (await redis.info("stats"))["total_reads_processed"]


async def turn_page(redis, event_id):
    """The page of presence is over, without waiting for it."""
    await redis.hset(keys.key(event_id, "state"), "page_ends_ms", 0)


async def present(redis, event_id):
    return await redis.bitcount(keys.key(event_id, "present"))


@pytest.mark.parametrize("fans", [3, 300])
async def test_a_round_takes_five_commands_however_many_wait(
    build_room, make_sale, redis, live, fans
):
    """In the dearest round: some are called, some have accepted, some come back, all are told."""
    event_id = await make_sale(mode="on", max_active=0)
    room = build_room()
    await asyncio.gather(*(room.join(event_id, f"vs_{n}") for n in range(fans)))
    for n in range(fans):
        await open_tab(room, live, event_id, f"vs_{n}")
    await round_of(room, event_id)
    await turn_page(redis, event_id)
    await round_of(room, event_id)  # turns it
    await room.change_settings(event_id, 1, max_active=2)
    before = await commands(redis)
    await round_of(room, event_id)  # polls, calls, announces, reports the new page
    await round_of(room, event_id)  # polls, asks where those called stand, tells them
    spent = await commands(redis) - before
    assert spent <= 2 * 5
    told = {fan.standing.kind for fan in room.hub._events[event_id].board.fans.values()}
    assert told == {"waiting", "called"}


async def test_the_rounds_of_all_events_of_a_node_share_their_round_trips(
    build_room, make_sale, redis, live
):
    room, events = build_room(), [await make_sale(mode="on", max_active=0) for _ in range(12)]
    for event_id in events:
        await room.join(event_id, "vs_fan")
        await open_tab(room, live, event_id, "vs_fan")
        await round_of(room, event_id)
        await turn_page(redis, event_id)
        await round_of(room, event_id)  # turns it: the next round reports the fan
    commands_before, reads_before = await commands(redis), await reads(redis)
    await asyncio.gather(*(round_of(room, event_id) for event_id in events))
    asked = await reads(redis) - reads_before - 1  # one was the question itself
    assert await commands(redis) - commands_before == 3 * len(events), "look, tick, report"
    assert asked < len(events), "what the rounds ask comes in a few pieces"


async def test_of_scripts_that_share_a_round_trip_each_gets_its_own_answer_or_error(
    make_sale, redis, build_room
):
    event_id, room = await make_sale(mode="off"), build_room()
    epoch, _ = await room.at(event_id)
    pipeline = ScriptPipeline(redis)
    store = QueueStore(pipeline)
    for _ in range(2):
        joins = (store.join(event_id, epoch, 0, [Join(f"vs_{n}", "ad_x")]) for n in range(3))
        stale = store.join(event_id, Epoch(9, "ffffffff"), 0, [Join("vs_stale", "ad_x")])
        *joined, refused = await asyncio.gather(*joins, stale, return_exceptions=True)
        assert [found.kind for (found,) in joined] == ["admitted"] * 3
        assert isinstance(refused, Stale)
        await redis.script_flush()  # a server that started again knows no script
    await pipeline.stop()


async def test_a_look_that_was_under_way_when_the_room_was_changed_does_not_count_as_new(
    build_room, make_sale
):
    event_id, room = await make_sale(mode="on"), build_room()
    await room.hub.view(event_id)
    event = room.hub._events[event_id]
    look = asyncio.create_task(room.hub._poll(event_id, event))
    await asyncio.sleep(0)
    room.hub.look_again(event_id)
    await look
    assert event.younger_than(3_600) is None
    await room.hub.view(event_id)
    assert event.younger_than(3_600) is not None


async def test_rooms_without_a_queue_cost_one_command_a_second_for_all_of_them(
    build_room, make_sale, redis
):
    room = build_room()
    idle = [await make_sale(mode="on") for _ in range(20)]
    for event_id in idle:
        await room.hub.view(event_id)
    for event in room.hub._events.values():
        event.wanted_at -= 3_600  # nobody asked for an hour
    await room.hub._muster()  # loads the script
    before = await commands(redis)
    await room.hub._muster()
    assert not [event_id for event_id in idle if room.hub._concerns_us(event_id)]
    assert await commands(redis) - before == 1


async def test_a_room_that_nobody_looks_at_any_more_is_let_go_but_for_how_far_it_was_seen(
    build_room, make_sale, redis
):
    event_id, room = await make_sale(mode="on", max_active=0), build_room()
    await room.join(event_id, "vs_fan")
    await room.leave(event_id, "vs_fan")
    await room.hub.view(event_id)
    epoch, version = await room.at(event_id)
    assert version > 0
    await room.hub._let_go()
    assert room.hub.follows(event_id), "it was asked for just now"
    room.hub._events[event_id].wanted_at -= 3_600
    await room.hub._let_go()
    assert not room.hub.views()
    assert room.hub.floor(event_id, epoch) == version
    await redis.hset(keys.key(event_id, "state"), "version", 0)  # as a loss would leave it
    with pytest.raises(Stale):
        await room.state(event_id, "vs_fan")


async def test_another_node_calls_when_the_preferred_one_is_silent_though_its_lease_lasts(
    build_room, make_sale, redis
):
    """Also a node that has no fans of the event: it is the second in line, and looks."""
    silent, second, third = nodes = [build_room() for _ in range(3)]
    for room in (*nodes, *nodes):  # until all know of each other
        await room.hub._muster()
    event_id = await make_sale(mode="on", max_active=5)
    while [silent.hub._nodes.me, second.hub._nodes.me] != watchers(
        silent.hub._nodes.live, event_id
    ):
        event_id = await make_sale(mode="on", max_active=5)
    await silent.join(event_id, "vs_fan")
    await round_of(silent, event_id)  # turns the first page
    await redis.hset(keys.key(event_id, "state"), "ticked_at_ms", 1)  # silent since long ago
    for room in nodes:
        await room.hub._muster()
    assert silent.hub._nodes.me in second.hub._nodes.live
    assert second.hub._concerns_us(event_id)
    assert event_id not in third.hub._nodes.watched, "two are enough"
    await round_of(second, event_id)
    assert (await silent.where(event_id, "vs_fan")).kind == "called"


async def test_a_queue_is_still_known_when_all_nodes_were_away(redis):
    before, after = Nodes(redis), Nodes(redis)
    await before.muster(["ev_gig"], now_ms=1_000)
    await after.muster([], now_ms=1_000 + 1_000 * BUSY_MS)
    assert after.watched == {"ev_gig"}
    await after.muster(["ev_gig"], now_ms=1_001 + 1_000 * BUSY_MS)
    await before.muster([], ["ev_gig"], now_ms=1_002 + 1_000 * BUSY_MS)
    assert before.busy == {"ev_gig"}, "another node said just now that fans wait"
    await after.muster([], ["ev_gig"], now_ms=1_001 + 1_001 * BUSY_MS)
    assert not after.busy, "nobody found anything to do"


async def test_a_queue_is_looked_after_by_the_preferred_node_though_its_fans_are_elsewhere(
    build_room, make_sale, redis
):
    here, there = build_room(), build_room()
    for room in (here, there, here):  # until both know of each other
        await room.hub._muster()
    event_id = await make_sale(mode="on", max_active=0)
    while not there.hub._nodes.prefers_me(event_id):
        event_id = await make_sale(mode="on", max_active=0)
    await here.join(event_id, "vs_fan")
    await round_of(here, event_id)
    for room in (here, there):
        await room.hub._muster()
    assert there.hub._concerns_us(event_id)


async def test_a_node_whose_lease_has_ended_is_preferred_for_nothing(redis):
    here, dead = Nodes(redis), Nodes(redis)
    await dead.muster(["ev_gig"], now_ms=1_000)
    await here.muster([], now_ms=1_000)
    assert here.live == {here.me, dead.me}
    await here.muster([], now_ms=1_000 + LEASE_MS)
    assert here.live == {here.me}
    assert here.busy == {"ev_gig"}, "and its events are still known, for who takes over"
    await here.muster([], lease_ms=0, now_ms=1_000 + LEASE_MS)
    await dead.muster([], now_ms=1_000 + LEASE_MS)
    assert dead.live == {dead.me}


async def test_a_fan_is_away_only_when_no_node_has_seen_them_for_the_grace(
    build_room, make_sale, redis, live
):
    event_id = await make_sale(mode="on", max_active=0)
    here, there = build_room(), build_room()
    for fan in ("vs_both", "vs_gone"):
        await here.join(event_id, fan)
    await open_tab(there, live, event_id, "vs_both")
    tabs = [await open_tab(here, live, event_id, fan) for fan in ("vs_both", "vs_gone")]
    for fan, tab in zip(("vs_both", "vs_gone"), tabs, strict=True):
        here.hub.disconnect(event_id, fan, tab)
    pages = 0
    while await present(redis, event_id) == 2:
        await turn_page(redis, event_id)
        for room in (here, here, there):  # turns it, report
            await round_of(room, event_id)
        pages += 1
        assert pages < 10
    assert pages > len(keys.PAGES), "pages last the grace together, and none of them less"
    standing = await here.where(event_id, "vs_gone")
    assert (standing.kind, standing.number) == ("waiting", 2), "away, with the place kept"
    await here.state(event_id, "vs_gone")  # a poll, without a socket
    await round_of(here, event_id)
    assert await present(redis, event_id) == 2


async def test_fans_of_a_node_that_died_are_away_after_the_grace_and_lose_nothing(
    build_room, make_sale, redis, live
):
    event_id = await make_sale(mode="on", max_active=0)
    dies, stays = build_room(), build_room()
    for n in range(5):
        await dies.join(event_id, f"vs_{n}")
        await open_tab(dies, live, event_id, f"vs_{n}")
    await stays.join(event_id, "vs_behind")
    await open_tab(stays, live, event_id, "vs_behind")
    await round_of(dies, event_id)
    for _ in range(6):
        await turn_page(redis, event_id)
        await round_of(stays, event_id)
    assert await present(redis, event_id) == 1
    assert (await stays.state(event_id, "vs_behind"))["rank"] == 1
    await open_tab(stays, live, event_id, "vs_3")
    for _ in range(2):
        await round_of(stays, event_id)
    assert (await stays.state(event_id, "vs_3"))["place"] == 4
    assert (await stays.state(event_id, "vs_behind"))["rank"] == 2


async def test_a_storm_of_joins_loses_nobody_and_counts_nobody_twice(build_room, make_sale, redis):
    """Two nodes, many tabs, half of the fans twice: one place each, in a row."""
    event_id = await make_sale(mode="on", max_active=0)
    nodes, fans = [build_room(), build_room()], 2_000
    fast = [f"vs_{n % fans}" for n in range(fans * 3 // 2)]
    for room in nodes:
        await room.hub.view(event_id)
    before = await commands(redis)
    said = await asyncio.gather(*(nodes[n % 2].join(event_id, fan) for n, fan in enumerate(fast)))
    places = {}
    for fan, answer in zip(fast, said, strict=True):
        assert places.setdefault(fan, answer["place"]) == answer["place"]
    assert sorted(places.values()) == list(range(1, fans + 1))
    assert await redis.zcard(keys.key(event_id, "queue")) == fans
    assert await commands(redis) - before < fans / 20, "joins of one moment share a round trip"


async def test_fans_let_straight_in_at_one_moment_share_an_insert(build_room, make_sale, db):
    """Each is in PostgreSQL before being told; the transactions that wrote them are few."""
    event_id, fans = await make_sale(mode="off"), 600
    room = build_room()
    await room.hub.view(event_id)
    said = await asyncio.gather(*(room.join(event_id, f"vs_{n}") for n in range(fans)))
    rows = await db.fetch(
        "select call_id, kind, place, accepted_at is not null as accepted,"
        " (extract(epoch from ends_at) * 1000)::bigint as ends_ms, xmin::text as written_by"
        " from call where event_id = $1",
        event_id,
    )
    assert {(row["call_id"], row["ends_ms"]) for row in rows} == {
        (one["admissionId"], one["endsAt"]) for one in said
    }
    assert {(row["kind"], row["place"], row["accepted"]) for row in rows} == {("direct", 0, True)}
    assert len({row["written_by"] for row in rows}) < fans / 20


async def test_the_last_fan_of_a_node_is_reported_before_the_node_lets_the_event_go(
    build_room, make_sale, redis, live
):
    """The page of presence has turned since the last report, and another node follows the event."""
    event_id, room = await make_sale(mode="on", max_active=0), build_room()
    await room.join(event_id, "vs_fan")
    tab = await open_tab(room, live, event_id, "vs_fan")
    for _ in range(2):  # turns the page, and reports the fan for it
        await round_of(room, event_id)
    await turn_page(redis, event_id)
    await round_of(room, event_id)  # turns it
    seen = keys.key(event_id, keys.PAGES[0])
    assert not await redis.bitcount(seen)
    room.hub._events[event_id].wanted_at -= 3_600
    room.hub.disconnect(event_id, "vs_fan", tab)
    await room.hub._let_go()
    assert not room.hub.views()
    assert await redis.bitcount(seen) == 1
