"""The admission script does what its specification says, on the same histories; and Q1 to Q3.

The model beside it is the specification: `plan_calls` decides how many, the model who. Every
tick must call the very same fans, in the same order.
"""

import asyncio
import itertools
from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.generations import Epoch
from core.redis import connect
from waiting_room.keys import epoch_key
from waiting_room.model import RoomSettings
from waiting_room.policy import Limits, Pace, plan_calls
from waiting_room.store import QueueStore

EPOCH = Epoch(1, "abcdef01")
START_MS = 1_000_000_000_000
GRACE_MS, ACCEPT_MS, SHOP_MS = 40_000, 20_000, 50_000
ROOM = 50
_events = itertools.count()

FANS = st.integers(0, 11).map(lambda n: f"fan{n}")
STEPS = st.one_of(
    st.tuples(st.just("join"), FANS),
    st.tuples(st.just("join"), FANS),
    st.tuples(st.just("tick"), st.sampled_from([15_000, 21_000, 41_000])),  # each end passes
    st.tuples(st.just("tick"), st.integers(0, 3_000)),
    st.tuples(st.just("accept"), FANS),
    st.tuples(st.just("leave"), FANS),
    st.tuples(st.just("see"), FANS),
    st.tuples(st.just("cap"), st.integers(0, 8)),
)


@dataclass
class Model:
    """What the room should be. Fans are in place order because places only rise."""

    limits: Limits
    now_ms: int = START_MS
    pace: Pace = field(default_factory=lambda: Pace(tokens_at_ms=START_MS))
    places: dict[str, int] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    active: dict[str, int] = field(default_factory=dict)
    last: int = 0

    def join(self, fan):
        if self.active.get(fan, 0) > self.now_ms or self.calls.get(fan, 0) > self.now_ms:
            return
        if fan not in self.places:
            self.last += 1
            self.places[fan] = self.last
        self.seen[fan] = self.now_ms + GRACE_MS

    def see(self, fan):
        if fan in self.places:
            self.seen[fan] = max(self.seen.get(fan, 0), self.now_ms + GRACE_MS)

    def accept(self, fan):
        if self.active.get(fan, 0) <= self.now_ms and self.calls.get(fan, 0) > self.now_ms:
            del self.calls[fan]
            self.active[fan] = self.now_ms + SHOP_MS

    def leave(self, fan):
        for owned in (self.places, self.seen, self.calls, self.active):
            owned.pop(fan, None)

    def tick(self):
        now = self.now_ms
        self.active = {fan: end for fan, end in self.active.items() if end > now}
        lapsed = [fan for fan, by in self.calls.items() if by <= now]
        self.pace = replace(self.pace, lapsed=self.pace.lapsed + len(lapsed))
        self.calls = {fan: by for fan, by in self.calls.items() if by > now}
        self.seen = {fan: end for fan, end in self.seen.items() if end > now}
        busy = len(self.calls) + len(self.active)

        def plan(present):
            return plan_calls(
                self.pace, self.limits, now_ms=now, busy=busy, present=present, room=ROOM
            )

        wanted = sum(plan(10**9)[:2])
        called = []
        for fan in sorted(self.places, key=self.places.__getitem__):
            if len(called) == wanted:
                break
            del self.places[fan]  # called, or gone: absent when the turn came
            if self.seen.pop(fan, None):
                called.append(fan)
        fresh, replacements, self.pace = plan(len(called))
        assert fresh + replacements == len(called)
        self.calls |= dict.fromkeys(called, now + ACCEPT_MS)
        return called


async def script_follows(redis_url, per_minute, cap, steps):
    event_id = f"ev_history{next(_events)}"
    room = RoomSettings(
        mode="on",
        per_minute=per_minute,
        max_active=cap,
        accept_ms=ACCEPT_MS,
        shop_ms=SHOP_MS,
        grace_ms=GRACE_MS,
        paused=False,
        pause_reason="",
        opens_at_ms=0,
        version=1,
    )
    model = Model(Limits(per_minute=per_minute, max_active=cap, open=True))
    async with connect(redis_url) as redis:
        store = QueueStore(redis)
        await store.restore(event_id, room, 0, [])
        await redis.set(epoch_key(event_id), EPOCH.text)
        await store.copy_settings(event_id, EPOCH, 0, replace(room, version=2), 10_000)
        version = 2
        for what, value in [("tick", 0), *steps]:
            at = (event_id, EPOCH, 0)
            now = {"now_ms": model.now_ms}
            match what:
                case "join":
                    model.join(value)
                    await store.join(*at, value, call_id="ad_x", **now)
                case "see":
                    model.see(value)
                    await store.see(*at, [value], **now)
                case "accept":
                    model.accept(value)
                    await store.accept(*at, value, **now)
                case "leave":
                    model.leave(value)
                    await store.leave(*at, value)
                case "cap":
                    version += 1
                    room = replace(room, max_active=value, version=version)
                    model.limits = replace(model.limits, max_active=value)
                    await store.copy_settings(*at, room, 10_000)
                case "tick":
                    model.now_ms += value
                    await check_tick(store, at, model)


async def check_tick(store, at, model):
    expected = model.tick()
    ids = [f"ad_{n}" for n in range(ROOM)]
    called = await store.tick(*at, call_ids=ids, now_ms=model.now_ms)
    by_place = sorted(called, key=lambda call: call.admission.place)
    assert [call.subject for call in by_place] == expected  # Q1
    await store.announce(*at, [call.subject for call in called], now_ms=model.now_ms)
    changes = await store.changes(*at, now_ms=model.now_ms)
    counts = changes.counts
    assert counts.waiting == len(model.places)  # Q2
    assert counts.called == len(model.calls)
    assert counts.active == len(model.active)
    if called:  # Q3
        assert counts.called + counts.active <= model.limits.max_active
    present = {place for fan, place in model.places.items() if fan in model.seen}
    _, bitmap = await store.snapshot(*at)
    assert {place for place in range(len(bitmap) * 8) if on(bitmap, place)} == present
    copy = {place: bit for _, bit, place in changes.entries if bit in "+-"}
    assert {int(place) for place, bit in copy.items() if bit == "+"} == present  # the log's law


def on(bitmap, place):
    return bitmap[place >> 3] & (0x80 >> (place & 7))


def lapse_after_lapse():
    """Nobody accepts and no fresh calls come: two replacements for the one fresh call, no more."""
    yield from (("join", f"fan{n}") for n in range(5))
    yield "tick", 0
    for _ in range(4):
        yield "tick", ACCEPT_MS + 1
        yield from (("see", f"fan{n}") for n in range(5))


@example(per_minute=0, cap=5, steps=list(lapse_after_lapse()))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=max(150, settings.default.max_examples),
)
@given(
    per_minute=st.sampled_from([0, 6, 60, 600, 6000]),
    cap=st.integers(0, 8),
    steps=st.lists(STEPS, min_size=10, max_size=50),
)
def test_the_script_calls_whom_the_policy_calls(redis_url, per_minute, cap, steps):
    asyncio.run(script_follows(redis_url, per_minute, cap, steps))


count = st.integers(0, 10**6)


@given(
    pace=st.builds(
        Pace,
        tokens=st.integers(0, 10**8),
        tokens_at_ms=st.just(0),
        fresh=count,
        replaced=count,
        lapsed=count,
    ),
    limits=st.builds(Limits, per_minute=st.integers(0, 6000), max_active=count, open=st.booleans()),
    now_ms=st.integers(-(10**6), 10**9),
    busy=count,
    present=count,
)
def test_never_more_than_the_cap_the_queue_or_the_room_allow(pace, limits, now_ms, busy, present):
    fresh, replacements, after = plan_calls(
        pace, limits, now_ms=now_ms, busy=busy, present=present, room=200
    )
    called = fresh + replacements
    assert 0 <= called <= min(present, 200, max(0, limits.max_active - busy))
    assert limits.open or not called
    assert after.tokens >= 0
    if replacements:
        assert after.replaced <= min(after.lapsed, 2 * after.fresh)


@given(st.lists(st.integers(0, 400), max_size=100))
def test_pace_depends_on_time_passed_and_not_on_how_often_we_tick(ticks):
    pace, now_ms, called = Pace(), 0, 0
    limits = Limits(per_minute=300, max_active=10**9, open=True)
    for elapsed in ticks:
        now_ms += elapsed
        fresh, _, pace = plan_calls(pace, limits, now_ms=now_ms, busy=0, present=10**9, room=10**9)
        called += fresh
    assert called == 1 + now_ms * 300 // 60_000 if ticks else called == 0
