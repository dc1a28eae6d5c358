"""Turns out of line: the script gives them as the policy does, and the pace is paid."""

import asyncio
import itertools
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.generations import Epoch
from core.redis import connect
from waiting_room.keys import epoch_key
from waiting_room.model import Join, RoomSettings
from waiting_room.policy import FAN, Limits, Pace, plan_calls, skip_line
from waiting_room.store import QueueStore

EPOCH = Epoch(1, "abcdef01")
START_MS = 1_000_000_000_000
_events = itertools.count()

STEPS = st.one_of(
    st.tuples(st.just("skip"), st.integers(0, 9).map(lambda n: f"fan{n}")),
    st.tuples(st.just("tick"), st.integers(0, 20_000)),
    st.tuples(st.just("cap"), st.integers(0, 6)),
    st.tuples(st.just("paused"), st.booleans()),
)


async def script_follows(redis_url, per_minute, steps):
    """Ten fans wait in order; nobody accepts or lapses within the history."""
    event_id = f"ev_skip{next(_events)}"
    room = RoomSettings(
        mode="on",
        per_minute=per_minute,
        max_active=3,
        accept_ms=10**9,
        shop_ms=10**9,
        grace_ms=10**9,
        paused=False,
        pause_reason="",
        opens_at_ms=0,
        version=1,
    )
    limits = Limits(per_minute=per_minute, max_active=3, open=True)
    pace, now_ms, called = Pace(tokens_at_ms=START_MS), START_MS, []
    waiting = [f"fan{n}" for n in range(10)]
    async with connect(redis_url) as redis:
        store, at = QueueStore(redis), (event_id, EPOCH, 0)
        await store.restore(event_id, room, 0, [])
        await redis.set(epoch_key(event_id), EPOCH.text)
        room = replace(room, version=2)
        await store.copy_settings(*at, room, 100)
        await store.tick(*at, call_ids=[], now_ms=now_ms)  # the pace is counted from here
        for fan in waiting:
            await store.join(*at, [Join(fan, "ad_x")], now_ms=now_ms)
        for what, value in steps:
            match what:
                case "cap":
                    limits = replace(limits, max_active=value)
                    room = replace(room, max_active=value, version=room.version + 1)
                    await store.copy_settings(*at, room, 100)
                case "paused":
                    limits = replace(limits, open=not value)
                    room = replace(room, paused=value, version=room.version + 1)
                    await store.copy_settings(*at, room, 100)
                case "skip":
                    after = skip_line(pace, limits, now_ms=now_ms, busy=len(called))
                    outcome, _ = await store.skip(*at, value, call_id="ad_s", now_ms=now_ms)
                    if value in called:
                        assert outcome == "called"
                    elif after is None:
                        assert outcome == "full"
                    else:
                        assert outcome == "skipped"
                        pace = after
                        waiting.remove(value)
                        called.append(value)
                        await store.announce(*at, [value], now_ms=now_ms)
                case "tick":
                    now_ms += value
                    fresh, owed, pace = plan_calls(
                        pace,
                        limits,
                        now_ms=now_ms,
                        busy=len(called),
                        present=len(waiting),
                        room=20,
                    )
                    ids = [f"ad_{n}" for n in range(20)]
                    calls = await store.tick(*at, call_ids=ids, now_ms=now_ms)
                    by_place = sorted(calls, key=lambda call: call.admission.place)
                    expected = waiting[: fresh + owed]
                    assert [call.subject for call in by_place] == expected
                    await store.announce(*at, expected, now_ms=now_ms)
                    called += expected
                    waiting = waiting[fresh + owed :]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    per_minute=st.sampled_from([0, 6, 60, 600]),
    steps=st.lists(STEPS, min_size=5, max_size=30),
)
def test_the_script_gives_turns_out_of_line_as_the_policy_does(redis_url, per_minute, steps):
    asyncio.run(script_follows(redis_url, per_minute, steps))


@given(
    skips=st.lists(st.integers(0, 400), max_size=40),
    ticks=st.lists(st.integers(0, 400), max_size=200),
)
def test_with_turns_out_of_line_no_more_are_called_than_the_pace_allows(skips, ticks):
    """Once the debt is paid, the calls are those of the pace; before, those out of line alone."""
    limits = Limits(per_minute=300, max_active=10**9, open=True)
    pace, now_ms, called = Pace(), 0, 0
    for elapsed in skips:
        now_ms += elapsed
        after = skip_line(pace, limits, now_ms=now_ms, busy=called)
        assert after is not None
        pace, called = after, called + 1
    for elapsed in ticks:
        now_ms += elapsed
        fresh, _, pace = plan_calls(pace, limits, now_ms=now_ms, busy=0, present=10**9, room=10**9)
        called += fresh
        assert fresh >= 0, "a debt takes no call back"
        assert fresh == 0 or pace.tokens >= 0
    allowed = 1 + now_ms * 300 // FAN
    assert called <= max(allowed, len(skips))
