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
ROOM = RoomSettings(
    mode="on",
    per_minute=0,
    max_active=3,
    accept_ms=10**9,
    shop_ms=10**9,
    grace_ms=10**9,
    paused=False,
    pause_reason="",
    opens_at_ms=0,
    version=1,
)
_events = itertools.count()

STEPS = st.one_of(
    st.tuples(st.just("skip"), st.integers(0, 9).map(lambda n: f"fan{n}")),
    st.tuples(st.just("tick"), st.integers(0, 20_000)),
    st.tuples(st.just("cap"), st.integers(0, 6)),
    st.tuples(st.just("paused"), st.booleans()),
)


class History:
    """Ten fans wait in order; nobody accepts or lapses within it. Each step must do as the policy
    says."""

    def __init__(self, redis, per_minute):
        event_id = f"ev_skip{next(_events)}"
        self.redis, self.store, self.at = redis, QueueStore(redis), (event_id, EPOCH, 0)
        self.room = replace(ROOM, per_minute=per_minute)
        self.limits = Limits(per_minute=per_minute, max_active=ROOM.max_active, open=True)
        self.pace, self.now_ms = Pace(tokens_at_ms=START_MS), START_MS
        self.waiting, self.called = [f"fan{n}" for n in range(10)], []

    async def begin(self):
        event_id, *_ = self.at
        await self.store.restore(event_id, self.room, 0, [])
        await self.redis.set(epoch_key(event_id), EPOCH.text)
        await self.change()
        await self.store.tick(*self.at, call_ids=[], now_ms=self.now_ms)  # the pace begins here
        for fan in self.waiting:
            await self.store.join(*self.at, [Join(fan, "ad_x")], now_ms=self.now_ms)

    async def change(self, **values):
        self.room = replace(self.room, version=self.room.version + 1, **values)
        await self.store.copy_settings(*self.at, self.room, 100)

    async def cap(self, most):
        self.limits = replace(self.limits, max_active=most)
        await self.change(max_active=most)

    async def paused(self, paused):
        self.limits = replace(self.limits, open=not paused)
        await self.change(paused=paused)

    async def skip(self, fan):
        after = skip_line(self.pace, self.limits, now_ms=self.now_ms, busy=len(self.called))
        outcome, *_ = await self.store.skip(*self.at, fan, call_id="ad_s", now_ms=self.now_ms)
        if fan in self.called:
            assert outcome == "called"
        elif after is None:
            assert outcome == "full"
        else:
            assert outcome == "skipped"
            self.pace = after
            await self.are_called([fan])

    async def tick(self, elapsed_ms):
        self.now_ms += elapsed_ms
        counts = {"busy": len(self.called), "present": len(self.waiting), "room": 20}
        planned = plan_calls(self.pace, self.limits, now_ms=self.now_ms, **counts)
        fresh, owed, self.pace = planned
        ids = [f"ad_{n}" for n in range(20)]
        calls = await self.store.tick(*self.at, call_ids=ids, now_ms=self.now_ms)
        by_place = sorted(calls, key=lambda call: call.admission.place)
        expected = self.waiting[: fresh + owed]
        assert [call.subject for call in by_place] == expected
        await self.are_called(expected)

    async def are_called(self, fans):
        await self.store.announce(*self.at, fans, now_ms=self.now_ms)
        self.called += fans
        self.waiting = [fan for fan in self.waiting if fan not in fans]


async def script_follows(redis_url, per_minute, steps):
    async with connect(redis_url) as redis:
        history = History(redis, per_minute)
        await history.begin()
        for what, value in steps:
            await getattr(history, what)(value)


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
