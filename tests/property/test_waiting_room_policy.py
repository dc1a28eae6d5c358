"""The scripts do what their specification says, on the same histories; and Q1, Q2, Q3, Q5.

The model (tests/waiting_room_model.py) is the specification. Fans are connected to nodes that
report them, die, and repeat calls whose reply they did not get; Redis loses everything, or goes
back to what it was a while ago, and is repaired. After every step the scripts must say of
everybody what the model says.
"""

import asyncio
import itertools
from copy import deepcopy
from dataclasses import replace

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.generations import Epoch
from core.redis import connect
from tests.waiting_room_model import (
    ACCEPT_MS,
    GRACE_MS,
    KEPT_BEHIND,
    PAGE_MS,
    ROOM,
    SHOP_MS,
    Kept,
    Model,
)
from waiting_room.keys import NAMES, epoch_key, key
from waiting_room.model import Join, RoomSettings
from waiting_room.policy import RESTORE_MS, Limits
from waiting_room.ranks.index import places_of
from waiting_room.store import QueueStore

SOAK = 1_000  # examples of the profile `make soak` uses are more than that
HISTORIES = 10_000 if settings.default.max_examples >= SOAK else 150
_events = itertools.count()

ALL_FANS = [f"fan{n}" for n in range(12)]
FANS = st.sampled_from(ALL_FANS)
NODES = st.sampled_from("AB")
AGAIN = st.booleans()  # the reply was lost: the same is asked once more
STEPS = st.one_of(
    st.tuples(st.just("join"), FANS, AGAIN),
    st.tuples(st.just("join"), FANS, AGAIN),
    st.tuples(st.just("tick"), st.sampled_from([11_000, 21_000, 31_000]), AGAIN),
    st.tuples(st.just("tick"), st.integers(0, 3_000), AGAIN),
    st.tuples(st.just("tick and die"), st.integers(0, 3_000)),
    st.tuples(st.just("accept"), FANS, AGAIN),
    st.tuples(st.just("leave"), FANS, AGAIN),
    st.tuples(st.just("connect"), NODES, FANS),
    st.tuples(st.just("disconnect"), NODES, FANS),
    st.tuples(st.just("report"), NODES, AGAIN),
    st.tuples(st.just("kill"), NODES),
    st.tuples(st.just("cap"), st.integers(0, 8)),
    st.sampled_from([("save",), ("go back",), ("lose",)]),
)


class History:
    """The model, and the scripts on a Redis, through the same steps."""

    def __init__(self, redis, per_minute, cap):
        self.redis, self.store = redis, QueueStore(redis)
        self.event_id = f"ev_history{next(_events)}"
        self.room = RoomSettings(
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
            draw=False,  # test_draw_scripts.py has the lobby's histories
        )
        self.model = Model(Limits(per_minute=per_minute, max_active=cap, open=True))
        self.connected = {"A": {}, "B": {}}  # node -> fan -> the place it believes
        self.copy: dict[int, bool] = {}
        self.floor = 0

    @property
    def epoch(self):
        return Epoch(self.model.generation, "abcdef01")

    @property
    def at(self):
        return self.event_id, self.epoch, 0

    @property
    def now(self):
        return {"now_ms": self.model.now_ms}

    async def begin(self):
        await self.store.restore(self.event_id, self.room, 0, [])
        await self.redis.set(epoch_key(self.event_id), self.epoch.text)
        await self.set_room()
        await self.tick(0)

    async def set_room(self, **changes):
        self.room = replace(self.room, version=self.room.version + 1, **changes)
        await self.store.copy_settings(*self.at, self.room, self.model.ceiling)

    async def join(self, fan, again=False):
        """With what the browser keeps; a slip that is refused is forgotten, as the page does."""
        join = Join(fan, "ad_x", self.model.slip(fan))
        if not self.model.join(fan):
            assert fan in self.model.forfeited  # an honest fan is never refused
            told = await self.store.join(*self.at, [join] * (1 + again), **self.now)
            assert {standing.kind for standing in told} == {"spent"}
            join = Join(fan, "ad_x")
            self.model.join(fan)
        for told in await self.store.join(*self.at, [join] * (1 + again), **self.now):
            assert (told.kind, told.number) == self.model.where(fan)

    async def accept(self, fan, again=False):
        self.model.accept(fan)
        for _ in range(1 + again):
            told = await self.store.accept(*self.at, fan, **self.now)
            admitted = self.model.where(fan)[0] == "admitted"
            assert (told and told.number) == (self.model.active[fan] if admitted else None)

    async def leave(self, fan, again=False):
        self.model.leave(fan)
        for _ in range(1 + again):
            await self.store.leave(*self.at, fan)

    async def connect(self, node, fan):
        kind, number = self.model.where(fan)
        if kind == "waiting":
            self.connected[node][fan] = number

    async def disconnect(self, node, fan):
        self.connected[node].pop(fan, None)

    async def kill(self, node):
        self.connected[node].clear()

    async def report(self, node, again=False):
        """What the node believes: fans may have been called or left meanwhile."""
        places = list(self.connected[node].values())
        if not places:
            return
        self.model.see(places)
        for _ in range(1 + again):
            await self.store.see(*self.at, places)

    async def cap(self, value):
        self.model.limits = replace(self.model.limits, max_active=value)
        await self.set_room(max_active=value)

    async def tick(self, elapsed_ms, again=False, *, dies=False):
        model = self.model
        model.now_ms += elapsed_ms
        model.age()
        for _ in range(1 + again):
            await self.store.age(*self.at, **self.now)
        unannounced = set(model.calling)
        expected = model.tick()
        called = []
        for attempt in range(1 + again):
            ids = [f"ad_{attempt}_{n}" for n in range(ROOM)]
            told = await self.store.tick(
                *self.at, call_ids=ids, kept_behind=KEPT_BEHIND, **self.now
            )
            assert not called or told == called  # a repeat says the same and calls nobody
            called = told
        called = sorted(called, key=lambda call: call.admission.place)
        assert [call.subject for call in called] == expected  # Q1
        if set(expected) - unannounced:
            assert model.resume_at_ms <= model.now_ms
            busy = len(model.calling) + len(model.calls) + len(model.active)
            assert busy <= model.limits.max_active  # Q3
        if not dies:
            model.announce()
            model.admissions |= {call.subject: call.admission for call in called}
            for _ in range(1 + again):
                subjects = [call.subject for call in called]
                await self.store.announce(*self.at, subjects, **self.now)

    async def tick_and_die(self, elapsed_ms):
        await self.tick(elapsed_ms, dies=True)

    async def save(self):
        self.model.saved = deepcopy(self.model.kept)
        for name in NAMES:
            await self.redis.delete(f"saved:{name}:{self.event_id}")
            await self.redis.copy(key(self.event_id, name), f"saved:{name}:{self.event_id}")

    async def go_back(self):
        """A replica that lagged behind takes over, or a log lost its tail."""
        if self.model.saved is None:
            return
        for name in NAMES:
            await self.redis.delete(key(self.event_id, name))
            await self.redis.copy(f"saved:{name}:{self.event_id}", key(self.event_id, name))
        await self.repair(deepcopy(self.model.saved))

    async def lose(self):
        await self.redis.delete(*(key(self.event_id, name) for name in NAMES))
        await self.repair(Kept())

    async def repair(self, survived):
        calls = self.model.repair(survived)
        ceiling = self.model.last
        self.room = replace(self.room, resume_at_ms=self.model.resume_at_ms)
        await self.store.forget(self.event_id, list(self.model.over))
        args = self.event_id, self.room, ceiling, calls
        await self.store.restore(*args, now_ms=self.model.now_ms)
        await self.redis.set(epoch_key(self.event_id), self.epoch.text)
        await self.set_room()
        self.copy, self.floor = {}, 0

    async def check(self):
        """Everybody stands where the model says, and is counted where the model counts them."""
        model = self.model
        told = await self.store.where(*self.at, ALL_FANS, **self.now)
        assert [(s.kind, s.number) for s in told] == [model.where(fan) for fan in ALL_FANS]
        args = self.event_id, self.epoch, self.floor
        looked = await self.store.changes(*args, whole=not self.floor, **self.now)
        assert looked.counts.waiting == len(model.kept.places)  # Q2: with `where`, one each
        places = list(model.kept.places.values())
        assert len(set(places)) == len(places)
        assert looked.counts.calling == len(model.calling)
        self.floor = looked.version
        if looked.bitmap is not None:
            self.copy = dict.fromkeys(ones(looked.bitmap), True)
        for _, sign, value in looked.entries:
            if sign in "+-":
                self.copy |= dict.fromkeys(places_of(value), sign == "+")
        present = {model.kept.places[fan] for fan in model.kept.present}
        assert {place for place, bit in self.copy.items() if bit} == present  # the log's law
        assert looked.state.get("present", 0) == len(present)


def ones(bitmap):
    return {n for n in range(len(bitmap) * 8) if bitmap[n >> 3] & (0x80 >> (n & 7))}


async def script_follows(redis_url, per_minute, cap, steps):
    async with connect(redis_url) as redis:
        history = History(redis, per_minute, cap)
        await history.begin()
        for what, *values in steps:
            await getattr(history, what.replace(" ", "_"))(*values)
            await history.check()


def lapse_after_lapse():
    """Nobody accepts and no fresh calls come: two replacements for the one fresh call, no more."""
    for fan in ALL_FANS[:5]:
        yield "join", fan
        yield "connect", "A", fan
    yield "tick", 0
    for _ in range(4):
        yield "report", "A"
        yield "tick", ACCEPT_MS + 1


def a_long_sleep():
    """Away for hours at the end of the line, passed by nobody: the place is kept."""
    for fan in ALL_FANS:
        yield "join", fan
        yield "connect", "A", fan
    yield "disconnect", "A", "fan11"
    for _ in range(9):
        yield "report", "A"
        yield "tick", PAGE_MS
    yield "connect", "B", "fan11"
    yield "report", "B"
    yield "tick", 0


def passed_by():
    """Two are away when the head passes; the first is too far behind by then."""
    for fan in ALL_FANS:
        yield "join", fan
    for fan in ALL_FANS[2:]:
        yield "connect", "A", fan
    for _ in range(6):
        yield "report", "A"
        yield "tick", PAGE_MS
    yield "cap", 3
    yield "tick", PAGE_MS
    yield "join", "fan1"
    yield "join", "fan0"


def back_below_the_head():
    """Called by a node that died before it could say so, and then Redis went back: their places
    are theirs again, though the head had passed them."""
    for fan in ALL_FANS:
        yield "join", fan
    yield "tick and die", 0
    yield ("save",)
    yield ("go back",)
    for fan in ALL_FANS:
        yield "join", fan
    yield "tick", 0


def called_and_gone_in_what_was_lost():
    """Called since the moment that Redis goes back to; one shopped and left, the others did not
    come. None of them is called at the old place again."""
    for fan in ALL_FANS:
        yield "join", fan
    yield ("save",)
    yield "tick", 3_000
    yield "accept", "fan0"
    yield "leave", "fan0"
    yield "tick", 21_000
    yield ("go back",)
    yield "tick", RESTORE_MS + 1


def back_from_nothing():
    """Redis loses all; those who come back while calling stands still keep their order."""
    for fan in ALL_FANS:
        yield "join", fan
    yield ("lose",)
    for fan in reversed(ALL_FANS):
        yield "join", fan
    for _ in range(4):
        yield "tick", RESTORE_MS // 3


@example(per_minute=0, cap=5, steps=list(lapse_after_lapse()))
@example(per_minute=0, cap=0, steps=list(a_long_sleep()))
@example(per_minute=600, cap=0, steps=list(passed_by()))
@example(per_minute=6000, cap=8, steps=list(back_below_the_head()))
@example(per_minute=600, cap=3, steps=list(called_and_gone_in_what_was_lost()))
@example(per_minute=600, cap=99, steps=list(back_from_nothing()))
@example(per_minute=600, cap=5, steps=[("save",), ("join", "fan1"), ("go back",)])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=HISTORIES)
@given(
    per_minute=st.sampled_from([0, 6, 60, 600, 6000]),
    cap=st.integers(0, 8),
    steps=st.lists(STEPS, min_size=10, max_size=50),
)
def test_the_scripts_do_what_the_policy_says(redis_url, per_minute, cap, steps):
    asyncio.run(script_follows(redis_url, per_minute, cap, steps))
