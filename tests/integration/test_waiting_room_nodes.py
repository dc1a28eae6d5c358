"""What fans are told over their sockets, whichever node they are connected to."""

import asyncio

import pytest

from core.errors import AppError, StoreUnavailable
from tests.live_clients import Pulled
from tests.rooms import Tab
from tests.waiting import LIMIT_S, until
from waiting_room.errors import NotCalled, NotOpen


async def all_told(nodes, event_id, redis):
    """Every node has read the log to its end and told what it read."""

    async def idle():
        version = int(await redis.hget(f"wr:{{{event_id}}}:state", "version"))
        events = [room.hub._events[event_id] for room in nodes]
        return all(e.version == version and not e.moved and not e.all_moved for e in events)

    await until(idle)


async def test_a_call_reaches_the_fan_although_every_poll_of_the_log_was_somebody_elses(
    build_room, make_sale, live
):
    """Whoever reads the log keeps the news until the node's round has told it."""
    event_id = await make_sale(mode="on", max_active=0)
    room, caller = build_room(), build_room()
    await room.join(event_id, "vs_fan")
    tab = await Tab(room, event_id, "vs_fan").open(live)
    await tab.told(state="waiting")
    event = room.hub._events[event_id]
    await room.hub._round(event_id, event)
    await caller.change_settings(event_id, 1, max_active=1)
    await caller.hub._tick(event_id, await caller.hub.view(event_id))
    event.polled_at = 0.0
    await room.hub.view(event_id)  # a GET of another fan
    await room.hub._round(event_id, event)
    await tab.told(state="called")


async def test_a_fan_who_has_just_come_is_told_nothing_before_it_is_known_where_they_stand(
    build_room, make_sale, live
):
    """A round that tells everybody comes between the fan's coming and the answer of the store."""
    event_id = await make_sale(mode="on", max_active=0)
    room = build_room()
    await room.join(event_id, "vs_fan")
    event, coming = room.hub._events[event_id], Pulled.socket(live)
    await room.hub._round(event_id, event)
    event.board.add("vs_fan").sockets.add(coming.connection)
    event.phase = ()  # as when the sale opens
    await room.hub._round(event_id, event)
    await live.flush()
    await room.hub.push(event_id, "vs_fan", await room.standing(event_id, "vs_fan"))
    assert b'"state":"waiting"' in await coming.next()


async def test_socket_and_poll_say_the_same(nodes, make_known_sale, live):
    event_id = await make_known_sale(mode="on", max_active=0)
    for fan in ("vs_first", "vs_fan"):
        await nodes[0].join(event_id, fan)
    tab = await Tab(nodes[1], event_id, "vs_fan").open(live)
    pushed = await tab.told(state="waiting", rank=2)
    polled = await nodes[0].state(event_id, "vs_fan")
    moving = {"now", "line", "etas"}  # each node draws a line of its own
    assert {k: v for k, v in pushed.items() if k not in moving} == {
        k: v for k, v in polled.items() if k not in moving
    }


async def test_tabs_on_two_nodes_share_one_place_one_call_and_one_admission(
    nodes, make_known_sale, redis, live
):
    event_id = await make_known_sale(mode="on", max_active=0)
    joined = [await room.join(event_id, "vs_fan") for room in nodes]
    assert [said["place"] for said in joined] == [1, 1]
    tabs = [await Tab(room, event_id, "vs_fan").open(live) for room in nodes]
    await nodes[0].change_settings(event_id, 1, max_active=1)
    for tab in tabs:
        await tab.told(state="called", place=1)
    await all_told(nodes, event_id, redis)
    accepted = await nodes[0].accept(event_id, "vs_fan")
    seen = await tabs[1].told(state="admitted")
    assert seen["admissionId"] == accepted["admissionId"]
    await nodes[1].leave(event_id, "vs_fan")
    await tabs[0].told(state="none")


async def test_a_fan_who_reconnects_elsewhere_keeps_the_place(nodes, make_known_sale, live):
    event_id = await make_known_sale(mode="on", max_active=0)
    for fan in ("vs_fan", "vs_behind"):
        await nodes[0].join(event_id, fan)
    tab = await Tab(nodes[0], event_id, "vs_fan").open(live)
    tab.close()
    again = await Tab(nodes[1], event_id, "vs_fan").open(live)
    assert (await again.told(state="waiting"))["place"] == 1


async def test_a_pause_and_its_reason_reach_everybody_at_once(nodes, make_known_sale, redis, live):
    event_id = await make_known_sale(mode="on", max_active=0)
    await nodes[0].join(event_id, "vs_fan")
    tab = await Tab(nodes[0], event_id, "vs_fan").open(live)
    await tab.told(paused=False)
    await all_told(nodes[:1], event_id, redis)  # the other has not heard of the event yet
    await nodes[1].change_settings(event_id, 1, paused=True, pause_reason="The lift is stuck.")
    await tab.told(state="waiting", paused=True, pauseReason="The lift is stuck.")


async def test_a_word_to_all_is_one_frame_for_all_and_reaches_who_was_late(
    build_room, make_sale, live
):
    """One fan's page takes nothing for a while, one comes later: all end with the same terms."""
    event_id = await make_sale(mode="on", max_active=0)
    room = build_room()
    tabs = []
    for n in range(5):
        await room.join(event_id, f"vs_{n}")
        tabs.append(await Tab(room, event_id, f"vs_{n}").open(live))
    event = room.hub._events[event_id]
    await room.hub._round(event_id, event)  # the first tells all of them where they stand
    for tab in tabs[1:]:
        while not tab.frames or "etas" not in tab.frames[-1]:
            await tab.told(state="waiting")
        tab.frames.clear()
    for version, message in enumerate(["First.", "Second.", "Third."], 1):
        await room.change_settings(event_id, version, message=message)
        await room.hub._round(event_id, event)
        for tab in tabs[1:]:
            assert (await tab.told(message=message))["state"] == "waiting"
    for tab in tabs[1:]:
        assert not [frame for frame in tab.frames if "state" in frame], "it came by one for all"
    late = await tabs[0].told(message="Third.")
    assert late["rank"] == 1
    newcomer = await Tab(room, event_id, "vs_0").open(live)
    assert (await newcomer.told(state="waiting"))["message"] == "Third."
    for tab in tabs:
        tab.close()
        tab.close()
    newcomer.close()
    assert not event.word._channel.members


async def test_when_the_room_is_switched_off_those_who_wait_go_straight_in(
    nodes, make_known_sale, live
):
    event_id = await make_known_sale(mode="on", max_active=0)
    for fan in ("vs_connected", "vs_polling"):
        await nodes[0].join(event_id, fan)
    tab = await Tab(nodes[0], event_id, "vs_connected").open(live)
    await nodes[1].change_settings(event_id, 1, mode="off")
    await tab.told(state="admitted")
    await until(
        lambda: nodes[1].state(event_id, "vs_polling"), lambda said: said["state"] == "admitted"
    )
    numbers = await until(lambda: nodes[0].numbers(event_id), lambda now: now["active"] == 2)
    assert (numbers["waiting"], numbers["present"]) == (0, 0)


async def test_a_call_that_is_not_accepted_lapses_in_both_stores_and_the_next_fan_is_called(
    nodes, make_known_sale, db, live
):
    event_id = await make_known_sale(mode="on", max_active=0, accept_ms=1_500)
    for fan in ("vs_sleeper", "vs_next"):
        await nodes[0].join(event_id, fan)
    sleeper = await Tab(nodes[0], event_id, "vs_sleeper").open(live)
    following = await Tab(nodes[1], event_id, "vs_next").open(live)
    await nodes[0].change_settings(event_id, 1, max_active=1)
    await sleeper.told(state="called")
    await sleeper.told(state="none")
    await following.told(state="called")
    with pytest.raises(NotCalled):
        await nodes[0].accept(event_id, "vs_sleeper")

    async def reason():
        calls = await nodes[0].calls(event_id)
        return next(call["end_reason"] for call in calls if call["subject"] == "vs_sleeper")

    await until(reason, lambda why: why == "lapsed")


async def test_a_join_after_an_unswept_lapse_is_not_ended_by_the_sweep(build_room, make_sale):
    event_id = await make_sale(mode="on", max_active=1, accept_ms=1)
    room = build_room()
    await room.join(event_id, "vs_fan")
    await room.hub._tick(event_id, await room.hub.view(event_id))
    await room.change_settings(event_id, 1, mode="off")
    joined = await until(lambda: room.join(event_id, "vs_fan"), lambda s: s["state"] == "admitted")
    epoch, floor = await room.at(event_id)
    await room.store.tick(event_id, epoch, floor, call_ids=[])
    after = await room.state(event_id, "vs_fan")
    assert (after["state"], after["admissionId"]) == ("admitted", joined["admissionId"])


async def test_the_numbering_goes_on_beyond_each_block_of_the_ceiling(
    nodes, make_known_sale, db, redis
):
    event_id = await make_known_sale(mode="on", max_active=0)
    await nodes[0].join(event_id, "vs_first")
    await redis.hset(f"wr:{{{event_id}}}:state", "last_place", 10_000)
    fans = [f"vs_{n}" for n in range(20)]
    joined = await asyncio.gather(*(nodes[n % 2].join(event_id, fan) for n, fan in enumerate(fans)))
    assert sorted(said["place"] for said in joined) == list(range(10_001, 10_021))
    assert await db.fetchval("select place_ceiling from room") == 20_000


async def test_a_refused_join_takes_no_number(nodes, make_known_sale, redis):
    event_id = await make_known_sale(mode="on", opens_in_s=3600, draw=False)
    with pytest.raises(NotOpen):
        await nodes[0].join(event_id, "vs_early")
    assert int(await redis.hget(f"wr:{{{event_id}}}:state", "last_place") or 0) == 0


async def test_while_postgresql_keeps_no_calls_nobody_is_announced_and_the_pages_say_why(
    nodes, make_known_sale, db, live
):
    event_id = await make_known_sale(mode="on", max_active=0)
    await nodes[0].join(event_id, "vs_fan")
    tab = await Tab(nodes[0], event_id, "vs_fan").open(live)
    await tab.told(state="waiting")
    async with db.connection() as connection:
        await connection.execute("begin; lock table call in exclusive mode")
        await nodes[1].change_settings(event_id, 1, max_active=1)
        said = await tab.told(state="waiting", paused=True)
        assert said["place"] == 1
        await connection.execute("rollback")
    await tab.told(state="called", paused=False)
    assert len(await nodes[0].calls(event_id)) == 1


async def test_fans_connected_when_redis_loses_everything_get_their_places_back(
    nodes, make_known_sale, redis, live
):
    event_id = await make_known_sale(mode="on", max_active=0)
    fans = [f"vs_{n}" for n in range(6)]
    for fan in fans:
        await nodes[0].join(event_id, fan)
    tabs = [await Tab(nodes[n % 2], event_id, fan).open(live) for n, fan in enumerate(fans)]
    for tab in tabs:
        await tab.told(state="waiting")
    await redis.flushall()
    for place, tab in enumerate(tabs, 1):
        said = await tab.told(state="waiting", paused=True, place=place, rank=place)
        assert "repaired" in said["pauseReason"]
    newcomer = await until(
        lambda: nodes[0].join(event_id, "vs_new"),
        lambda said: said["state"] == "waiting",
        despite=StoreUnavailable,
    )
    assert newcomer["place"] > 10_000


async def test_admissions_and_calls_outlive_redis(nodes, make_known_sale, redis, live):
    event_id = await make_known_sale(mode="on", max_active=2)
    shopper, called = "vs_shopper", "vs_called"
    tabs = {}
    for fan in (shopper, called):
        await nodes[0].join(event_id, fan)
        tabs[fan] = await Tab(nodes[0], event_id, fan).open(live)
        await tabs[fan].told(state="called")
    admitted = await nodes[0].accept(event_id, shopper)
    await redis.flushall()

    async def again():
        return await nodes[1].state(event_id, shopper)

    back = await until(again, lambda said: said["state"] == "admitted", despite=StoreUnavailable)
    assert (back["admissionId"], back["endsAt"]) == (admitted["admissionId"], admitted["endsAt"])
    await nodes[1].require_admission(event_id, shopper, admitted["pass"])
    assert (await nodes[1].accept(event_id, called))["state"] == "admitted"


async def test_a_place_already_called_is_not_given_back_by_its_slip(
    nodes, make_known_sale, redis, live
):
    event_id = await make_known_sale(mode="on", max_active=1)
    slip = (await nodes[0].join(event_id, "vs_fan"))["slip"]
    tab = await Tab(nodes[0], event_id, "vs_fan").open(live)
    await tab.told(state="called")
    await nodes[0].leave(event_id, "vs_fan")
    tab.close()
    await redis.flushall()
    assert await until(lambda: code_of(nodes[0].join(event_id, "vs_fan", slip)), "slip_used".__eq__)
    assert (await nodes[0].join(event_id, "vs_fan"))["place"] > 10_000


@pytest.mark.parametrize("lost", [False, True], ids=["nothing lost", "Redis lost"])
async def test_who_went_straight_in_from_the_line_had_their_turn_by_that_place(
    nodes, make_known_sale, redis, lost
):
    """The room was off for a while. Their slip is of a turn they had, not of one they missed."""
    event_id = await make_known_sale(mode="on", max_active=0)
    waiting = await nodes[0].join(event_id, "vs_fan")
    await nodes[0].join(event_id, "vs_patient")  # whose page is closed: nobody looks for them
    await nodes[0].change_settings(event_id, 1, mode="off")
    await until(
        lambda: nodes[0].state(event_id, "vs_fan"), lambda said: said["state"] == "admitted"
    )
    await nodes[0].leave(event_id, "vs_fan")
    await nodes[0].change_settings(event_id, 2, mode="on")
    if lost:
        await redis.flushall()

    async def back():
        return await code_of(nodes[0].join(event_id, "vs_fan", waiting["slip"]))

    assert await until(back, lambda code: code != "repairing") == "slip_used"
    last = (await nodes[0].join(event_id, "vs_fan"))["place"]
    assert last > waiting["place"] + 1
    if not lost:
        kept = await nodes[0].state(event_id, "vs_patient")
        assert (kept["state"], kept["place"]) == ("waiting", waiting["place"] + 1)


async def code_of(call):
    """The code with which it is refused; '' for none."""
    try:
        await call
    except AppError as exc:
        return exc.code
    return ""


async def test_after_a_repair_an_auto_room_lets_nobody_past_those_on_their_way_back(
    nodes, make_known_sale, redis
):
    event_id = await make_known_sale(mode="auto", max_active=0)
    await nodes[0].join(
        event_id, "vs_patient"
    )  # for all that a repair knows they are waiting still
    await nodes[0].leave(event_id, "vs_patient")
    await nodes[0].change_settings(event_id, 1, max_active=5)
    assert (await nodes[0].join(event_id, "vs_one"))["state"] == "admitted"
    await redis.flushall()
    joined = await until(lambda: nodes[0].join(event_id, "vs_two"), despite=StoreUnavailable)
    assert joined["state"] == "waiting"


async def test_a_node_stops_whatever_its_round_is_doing(build_room, make_sale):
    """A cancellation may get lost inside a client library: the service asks again."""
    event_id = await make_sale(mode="on", max_active=3)
    for turns in range(40):
        room = build_room()
        await room.start()
        await room.join(event_id, f"vs_{turns}")
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(LIMIT_S):
            await room.stop()
