"""Corners of lobby and draw: what operators and losses do to them at each step.

The room has no rounds: each step is taken by hand.
"""

import contextlib

import pytest

from core.errors import Stale
from core.signing import Keys
from tests.integration.test_draw import open_now
from tests.live_clients import Pulled
from waiting_room.draw import service
from waiting_room.draw.verify_draw import root_of_proof
from waiting_room.errors import QueueClosed
from waiting_room.model import Join
from waiting_room.service import WaitingRoom

FANS = [f"vs_{n}" for n in range(9)]
AN_HOUR_MS = 3_600_000


@pytest.fixture
async def room(redis, db):
    return WaitingRoom.build(redis, db, Keys("s" * 32))


@pytest.fixture
async def lobby(make_sale):
    return await make_sale(mode="on", max_active=0, opens_in_s=3600)


async def change(room, event_id, **changes):
    version = (await room.settings(event_id)).version
    return await room.change_settings(event_id, version, **changes)


async def join_all(room, event_id, fans=FANS):
    return {fan: (await room.join(event_id, fan))["entryId"] for fan in fans}


async def places(room, event_id, fans=FANS):
    standings = await room.standings(event_id, fans)
    return {fan: s.number for fan, s in zip(fans, standings, strict=True) if s.kind == "waiting"}


async def draw_on(room, event_id):
    """Until it is done, over whatever was lost."""
    for _ in range(5):
        with contextlib.suppress(Stale):
            await room.draws.run(event_id)
            if (await room.draws.rows.get(event_id)).laid:
                return
        room.hub.lost(event_id, behind=False)
    raise AssertionError("the draw does not end")


async def lay_first(room, event_id, count, monkeypatch):
    """The draw, whose node stops after `count` places."""
    lay = room.draws.store.lay

    async def one_chunk(*args):
        if args[3] > count:
            raise Stale("stopped")
        return await lay(*args)

    monkeypatch.setattr(service, "LAY_CHUNK", count)
    monkeypatch.setattr(room.draws.store, "lay", one_chunk)
    with pytest.raises(Stale, match="stopped"):
        await room.draws.run(event_id)
    monkeypatch.undo()


async def test_a_draw_of_one(room, lobby):
    entry = (await join_all(room, lobby, FANS[:1]))[FANS[0]]
    await open_now(room, lobby)
    await draw_on(room, lobby)
    assert await places(room, lobby) == {FANS[0]: 1}
    draw, proof = await room.draws.rows.get(lobby), await room.draws.rows.proof(lobby, entry)
    assert (proof.index, proof.path) == (0, [])
    assert root_of_proof(proof.leaf, 0, 1, proof.path) == draw.root == proof.leaf


async def test_the_opening_may_be_moved_while_the_lobby_is_open_and_not_undo_a_draw(room, lobby):
    opens_at_ms = (await room.settings(lobby)).opens_at_ms
    await join_all(room, lobby, FANS[:4])
    await change(room, lobby, opens_at_ms=opens_at_ms + AN_HOUR_MS)
    await join_all(room, lobby, FANS[4:8])
    await draw_not_due(room, lobby)
    await open_now(room, lobby)
    await draw_on(room, lobby)
    given = await places(room, lobby)
    assert sorted(given.values()) == list(range(1, 9))
    await change(room, lobby, opens_at_ms=opens_at_ms + AN_HOUR_MS)
    assert await places(room, lobby) == given
    assert (await room.state(lobby, "vs_late"))["state"] == "early"  # no second lobby


async def draw_not_due(room, event_id):
    await room.draws.run(event_id)
    assert (await room.draws.rows.get(event_id)).root is None


async def test_who_is_in_the_queue_before_the_draw_is_switched_on_stays_in_front(room, make_sale):
    event_id = await make_sale(mode="on", max_active=0, opens_in_s=3600, draw=False)
    opens_at_ms = (await room.settings(event_id)).opens_at_ms
    await open_now(room, event_id)
    assert (await room.join(event_id, "vs_first"))["place"] == 1
    await change(room, event_id, opens_at_ms=opens_at_ms, draw=True)
    await join_all(room, event_id)
    await open_now(room, event_id)
    await draw_on(room, event_id)
    assert (await room.where(event_id, "vs_first")).number == 1
    assert sorted((await places(room, event_id)).values()) == list(range(2, 11))


async def test_a_closed_stopped_or_paused_room_draws_its_lobby_all_the_same(room, lobby):
    await join_all(room, lobby)
    await change(room, lobby, intake="closed", stopped=True, paused=True)
    with pytest.raises(QueueClosed):
        await room.join(lobby, "vs_new")
    assert (await room.join(lobby, FANS[0]))["state"] == "lobby"  # who is in it stays in it
    await open_now(room, lobby)
    await draw_on(room, lobby)
    assert sorted((await places(room, lobby)).values()) == list(range(1, 10))
    await change(room, lobby, max_active=9)
    epoch, floor = await room.at(lobby)
    assert await room.store.tick(lobby, epoch, floor, call_ids=["ad_x"]) == []


async def revoke(room, event_id, fan):
    async def note(_):
        pass

    await room.interventions.revoke(event_id, fan, "robot", lambda *_: note)


async def leave(room, event_id, fan):
    await room.leave(event_id, fan)


async def test_a_fan_revoked_in_the_lobby_is_not_in_the_list_and_one_revoked_later_has_no_place(
    room, lobby, redis
):
    await join_all(room, lobby)
    await revoke(room, lobby, FANS[0])
    await open_now(room, lobby)
    epoch, floor = await room.at(lobby)
    assert (await room.draws.store.close(lobby, epoch, floor)).entries == 8
    await revoke(room, lobby, FANS[1])
    assert (await room.where(lobby, FANS[1])).revoked == "robot"
    await draw_on(room, lobby)
    given = await places(room, lobby)
    assert set(given) == set(FANS[2:])
    await redis.flushall()
    await draw_on_after_loss(room, lobby)
    assert await places(room, lobby) == given


async def draw_on_after_loss(room, event_id):
    room.hub.lost(event_id, behind=False)
    await room.draws.run(event_id)


async def closes(room, event_id, **after):
    """The lobby, without a list so far; how many are in it."""
    epoch, floor = await room.at(event_id)
    closed = await room.draws.store.close(event_id, epoch, floor, **after)
    return closed.entries if closed else None


@pytest.mark.parametrize("end", [revoke, leave])
async def test_who_is_in_the_lobby_again_is_drawn_again_after_a_loss(room, lobby, redis, end):
    await join_all(room, lobby)
    await end(room, lobby, FANS[0])
    again = await room.join(lobby, FANS[0])
    assert again["state"] == "lobby"
    await open_now(room, lobby)
    await draw_on(room, lobby)
    given = await places(room, lobby)
    assert set(given) == set(FANS)
    await redis.flushall()
    await draw_on_after_loss(room, lobby)
    assert await places(room, lobby) == given


async def test_who_left_while_they_were_drawn_and_is_in_the_lobby_that_a_loss_opened_is_drawn_again(
    room, lobby, redis
):
    await join_all(room, lobby)
    await open_now(room, lobby)
    assert await closes(room, lobby) == 9
    await room.leave(lobby, FANS[0])
    room.hub.lost(lobby, behind=True)  # repaired, with all its data
    assert (await room.join(lobby, FANS[0]))["state"] == "lobby"
    settings = await room.settings(lobby)
    assert await closes(room, lobby, now_ms=settings.resume_at_ms) == 9
    await draw_on(room, lobby)
    given = await places(room, lobby)
    await redis.flushall()
    await draw_on_after_loss(room, lobby)
    assert await places(room, lobby) == given


@pytest.mark.parametrize("end", [revoke, leave])
async def test_who_loses_a_drawn_place_is_not_drawn_again_after_a_loss(room, lobby, redis, end):
    await join_all(room, lobby)
    await open_now(room, lobby)
    await draw_on(room, lobby)
    await end(room, lobby, FANS[0])
    given = await places(room, lobby)
    assert set(given) == set(FANS[1:])
    await redis.flushall()
    await draw_on_after_loss(room, lobby)
    assert await places(room, lobby) == given


@pytest.mark.parametrize("end", [revoke, leave])
async def test_no_receipt_brings_back_an_entry_that_is_over(room, lobby, end):
    mine = await room.join(lobby, FANS[0])
    await end(room, lobby, FANS[0])
    again = await room.join(lobby, FANS[0], None, mine["receipt"])
    assert again["state"] == "lobby"
    assert again["entryId"] != mine["entryId"]
    await end(room, lobby, FANS[0])
    await change(room, lobby, intake="closed")
    with pytest.raises(QueueClosed):
        await room.join(lobby, FANS[0], None, again["receipt"])


async def test_a_node_that_has_not_heard_of_it_yet_brings_back_no_entry_that_is_over(
    room, build_room, lobby, redis, live
):
    for fan in FANS[:2]:
        await room.join(lobby, fan)
        await room.hub.connect(lobby, fan, Pulled.socket(live).connection)
    await build_room().leave(lobby, FANS[0])
    await redis.flushall()
    room.hub.lost(lobby, behind=False)
    await room.hub._bring_back(lobby, room.hub._events[lobby])
    found = await room.standings(lobby, FANS[:2])
    assert [standing.kind for standing in found] == ["none", "lobby"]


@pytest.mark.parametrize("all_lost", [True, False], ids=["all lost", "nothing lost"])
async def test_a_repair_between_two_chunks_changes_no_place_and_brings_nobody_back(
    room, lobby, redis, all_lost, monkeypatch
):
    await join_all(room, lobby)
    await open_now(room, lobby)
    await lay_first(room, lobby, 4, monkeypatch)
    laid = await places(room, lobby)
    assert sorted(laid.values()) == [1, 2, 3, 4]
    early = next(fan for fan, place in laid.items() if place == 2)
    late = next(fan for fan in FANS if fan not in laid)
    for fan in (early, late):
        await room.leave(lobby, fan)
    if all_lost:
        await redis.flushall()
    room.hub.lost(lobby, behind=not all_lost)
    await draw_on(room, lobby)
    given = await places(room, lobby)
    assert set(given) == set(FANS) - {early, late}
    assert {fan: given[fan] for fan in laid if fan != early} == {
        fan: place for fan, place in laid.items() if fan != early
    }
    assert len(set(given.values())) == 7
    assert max(given.values()) <= 9
    assert (await room.where(lobby, late)).kind == "none"
    assert not await redis.exists(f"wr:{{{lobby}}}:lobby", f"wr:{{{lobby}}}:departed")


async def test_a_lobby_lost_before_the_list_was_fixed_opens_again_without_those_who_left(
    room, lobby
):
    await join_all(room, lobby)
    await open_now(room, lobby)
    epoch, floor = await room.at(lobby)
    assert (await room.draws.store.close(lobby, epoch, floor)).entries == 9
    await room.leave(lobby, FANS[0])
    room.hub.lost(lobby, behind=True)  # repaired, with all its data
    epoch, floor = await room.at(lobby)
    assert await room.draws.store.close(lobby, epoch, floor) is None  # the standstill lasts
    assert (await room.where(lobby, FANS[0])).kind == "none"
    assert (await room.where(lobby, FANS[1])).kind == "lobby"
    settings = await room.settings(lobby)
    closed = await room.draws.store.close(lobby, epoch, floor, now_ms=settings.resume_at_ms)
    assert closed.entries == 8


async def test_who_went_straight_in_while_it_was_drawn_is_not_put_into_the_queue_by_a_repair(
    room, lobby, redis, monkeypatch
):
    await join_all(room, lobby)
    await open_now(room, lobby)
    await lay_first(room, lobby, 2, monkeypatch)
    laid = await places(room, lobby)
    waiting = next(fan for fan in FANS if fan not in laid)
    await change(room, lobby, mode="off")
    assert (await room.join(lobby, waiting))["state"] == "admitted"
    await change(room, lobby, mode="on")
    await redis.flushall()
    await draw_on_after_loss(room, lobby)
    assert (await room.where(lobby, waiting)).kind == "admitted"
    assert not await redis.zscore(f"wr:{{{lobby}}}:queue", waiting)
    assert len(await places(room, lobby)) == 8


async def test_who_was_called_and_never_announced_is_drawn_again_to_the_same_place(
    room, lobby, monkeypatch
):
    await join_all(room, lobby)
    await open_now(room, lobby, max_active=1)
    await lay_first(room, lobby, 4, monkeypatch)
    laid = await places(room, lobby)
    epoch, floor = await room.at(lobby)
    [call] = await room.store.tick(lobby, epoch, floor, call_ids=["ad_x"])
    room.hub.lost(lobby, behind=True)
    await draw_on(room, lobby)
    given = await places(room, lobby)
    assert given[call.subject] == laid[call.subject] == 1
    assert sorted(given.values()) == list(range(1, 10))


async def test_a_fan_called_out_of_line_is_not_drawn_though_redis_forgot_that_they_left_the_lobby(
    room, lobby, redis
):
    async def note(_):
        pass

    await join_all(room, lobby)
    entry = await redis.hget(f"wr:{{{lobby}}}:lobby", FANS[0])
    await open_now(room, lobby, max_active=1)
    assert (await room.interventions.skip(lobby, FANS[0], lambda *_: note)).kind == "called"
    await redis.hset(f"wr:{{{lobby}}}:lobby", FANS[0], entry)  # Redis is as it was before
    room.hub.lost(lobby, behind=True)
    epoch, floor = await room.at(lobby)
    assert (await room.where(lobby, FANS[0])).kind == "called"
    resume_at_ms = (await room.settings(lobby)).resume_at_ms
    closed = await room.draws.store.close(lobby, epoch, floor, now_ms=resume_at_ms)
    assert closed.entries == 8


async def back_with(room, event_id, fan, joined, now_ms):
    """A join with the receipt of `joined`, at that moment."""
    entry = room.draws.receipts.read(joined["receipt"], event_id, fan)
    epoch, floor = await room.at(event_id)
    join = Join(fan, "ad_x", None, entry)
    [standing] = await room.store.join(event_id, epoch, floor, [join], now_ms=now_ms)
    return standing.kind, standing.entry and standing.entry.entry_id


async def test_a_receipt_opens_no_closed_room_where_there_was_nothing_to_draw(room, lobby, redis):
    """The lobby was empty at the opening and the draw off: no list says that it is closed."""
    mine = await room.join(lobby, FANS[0])
    epoch, floor = await room.at(lobby)
    await room.store.leave(lobby, epoch, floor, FANS[0])  # and PostgreSQL does not know of it
    await change(room, lobby, draw=False, intake="closed")
    await open_now(room, lobby)
    with pytest.raises(QueueClosed):
        await room.join(lobby, FANS[0], None, mine["receipt"])
    await redis.flushall()
    room.hub.lost(lobby, behind=False)
    resume_at_ms = await resumes_at(room, lobby)
    assert await back_with(room, lobby, FANS[0], mine, resume_at_ms) == ("closed", None)


async def resumes_at(room, event_id):
    await room.generations.epoch(event_id)
    return (await room.settings(event_id)).resume_at_ms


async def test_a_receipt_brings_its_fan_back_though_draw_and_room_were_closed_to_others(
    room, lobby, redis
):
    """Who was in the lobby is drawn whatever is changed; so is who was in it before a loss."""
    joined = {fan: await room.join(lobby, fan) for fan in FANS[:2]}
    await change(room, lobby, draw=False, intake="closed")
    await redis.flushall()
    room.hub.lost(lobby, behind=False)
    resume_at_ms = await resumes_at(room, lobby)
    for fan, mine in joined.items():
        found = await back_with(room, lobby, fan, mine, resume_at_ms - 1)
        assert found == ("lobby", mine["entryId"])
    await open_now(room, lobby)
    assert await closes(room, lobby, now_ms=resume_at_ms) == 2
