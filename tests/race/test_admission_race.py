"""Many nodes tick at once; a shop ends an admission while its fan comes in anew.

First show that these tests can see the race at all.
"""

import asyncio

import pytest

from core.generations import Epoch
from waiting_room.keys import epoch_key, key
from waiting_room.model import Join, RoomSettings
from waiting_room.store import QueueStore

EVENT, EPOCH, CAP, NODES = "ev_gig", Epoch(1, "abcdef01"), 5, 20


@pytest.fixture
async def store(redis):
    store = QueueStore(redis)
    room = RoomSettings(
        mode="on",
        per_minute=6000,
        max_active=CAP,
        accept_ms=60_000,
        shop_ms=60_000,
        grace_ms=60_000,
        paused=False,
        pause_reason="",
        opens_at_ms=0,
        version=1,
    )
    await store.restore(EVENT, room, 0, [])
    await redis.set(epoch_key(EVENT), EPOCH.text)
    await store.copy_settings(EVENT, EPOCH, 0, room, 10_000)
    await store.tick(EVENT, EPOCH, 0, call_ids=[], now_ms=1_000)  # the pace is counted from here
    for n in range(100):
        await store.join(EVENT, EPOCH, 0, [Join(f"fan{n:03}", "ad_x")], now_ms=1_000)
    return store


async def test_control_check_then_act_calls_too_many(redis, store):
    """What tick.lua would be without the script. If this passes no more, the test below proves
    nothing. A barrier, not a sleep, makes the race certain."""
    all_have_checked = asyncio.Barrier(NODES)

    async def check_then_act():
        busy = await redis.zcard(key(EVENT, "calls"))
        await all_have_checked.wait()
        if busy < CAP:
            for fan, _ in await redis.zpopmin(key(EVENT, "queue")):
                await redis.zadd(key(EVENT, "calls"), {fan: 9e15})

    await asyncio.gather(*(check_then_act() for _ in range(NODES)))
    assert await redis.zcard(key(EVENT, "calls")) == NODES


async def test_however_many_nodes_tick_the_first_in_line_are_called_and_never_past_the_cap(store):
    async def tick_and_announce(node):
        ids = [f"ad_{node}_{n}" for n in range(3)]
        called = await store.tick(EVENT, EPOCH, 0, call_ids=ids, now_ms=10_000)
        await store.announce(EVENT, EPOCH, 0, [c.subject for c in called], now_ms=10_000)
        return {call.subject for call in called}

    for _ in range(3):
        told = await asyncio.gather(*(tick_and_announce(node) for node in range(NODES)))
    counts = (await store.changes(EVENT, EPOCH, 0, now_ms=10_000)).counts
    assert counts.called == CAP
    assert counts.waiting == 100 - CAP
    assert not set.union(*told) - {f"fan{n:03}" for n in range(CAP)}


async def test_a_fan_who_joins_from_many_tabs_at_once_has_one_place(store):
    joins = (
        store.join(EVENT, EPOCH, 0, [Join("eager", "ad_x")] * 2, now_ms=1_000) for _ in range(NODES)
    )
    told = await asyncio.gather(*joins)
    assert {standing.number for batch in told for standing in batch} == {101}


# -- a shop ends an admission that the fan leaves at this moment, to come in anew ------------------


async def admitted(store, fan, call_id):
    """The fan goes straight in, with this call."""
    (standing,) = await store.join(EVENT, EPOCH, 0, [Join(fan, call_id)], now_ms=1_000)
    assert standing.kind == "admitted"


@pytest.fixture
async def open_store(store, redis):
    """A room that is off: everybody goes straight in."""
    await redis.hset(key(EVENT, "settings"), "mode", "off")
    return store


async def test_control_compare_then_end_ends_the_next_admission(redis, open_store):
    """What `POST /admissions/{id}/end` would be if it compared before the script and not in it."""
    await admitted(open_store, "fan", "ad_old")
    compared, is_back = asyncio.Event(), asyncio.Event()

    async def shop():
        (standing,) = await open_store.where(EVENT, EPOCH, 0, ["fan"], now_ms=2_000)
        assert standing.admission.call_id == "ad_old"
        compared.set()
        await is_back.wait()
        await redis.zadd(key(EVENT, "active"), {"fan": 2_000}, lt=True)

    async def fan():
        await compared.wait()
        await open_store.leave(EVENT, EPOCH, 0, "fan")
        await admitted(open_store, "fan", "ad_new")
        is_back.set()

    await asyncio.gather(shop(), fan())
    (standing,) = await open_store.where(EVENT, EPOCH, 0, ["fan"], now_ms=2_000)
    assert standing.kind == "none"


async def test_a_shop_that_ends_an_old_admission_leaves_the_next_one_alone(open_store):
    await admitted(open_store, "fan", "ad_old")
    await open_store.leave(EVENT, EPOCH, 0, "fan")
    await admitted(open_store, "fan", "ad_new")

    async def end(call_id):
        args = EVENT, EPOCH, 0, "fan", call_id
        return await open_store.end(*args, after_ms=0, now_ms=2_000)

    assert set(await asyncio.gather(*(end("ad_old") for _ in range(NODES)))) == {None}
    (standing,) = await open_store.where(EVENT, EPOCH, 0, ["fan"], now_ms=2_000)
    assert (standing.kind, standing.admission.call_id) == ("admitted", "ad_new")
    assert await end("ad_new") == 2_000
