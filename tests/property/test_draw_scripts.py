"""Chunks laid in any interleaving with leaves, joins and ticks, by nodes that know old positions.

Whatever comes between, everybody who is still there gets the place that was drawn, nobody is
called before a lower place that is still to be laid, and the last place is N whoever came late. A
fan is being drawn until the place is laid and never again, and no entry is kept beside a place.
"""

import asyncio
import itertools
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.generations import Epoch
from core.redis import connect
from waiting_room.draw.store import DrawStore
from waiting_room.keys import epoch_key, key
from waiting_room.model import Join, RoomSettings
from waiting_room.store import QueueStore

EPOCH = Epoch(1, "abcdef01")
OPENS_MS = 1_000_000
ROOM = RoomSettings(
    mode="on",
    per_minute=60_000,
    max_active=100,
    accept_ms=60_000,
    shop_ms=60_000,
    grace_ms=60_000,
    paused=False,
    pause_reason="",
    opens_at_ms=OPENS_MS,
    version=1,
)
_events = itertools.count()

FANS = st.integers(0, 11)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("leave"), FANS),
        st.tuples(st.just("join"), FANS),
        st.tuples(st.just("lay"), st.integers(1, 5)),
        st.tuples(st.just("lay again"), st.integers(1, 5)),
        st.tuples(st.just("tick"), st.integers(1, 3)),
        st.tuples(st.just("lapse"), st.just(0)),
        st.tuples(st.just("come back"), FANS),
    ),
    max_size=25,
)


class History:
    """A lobby that has just closed, and what should be of it."""

    def __init__(self, redis, joins, order):
        self.event_id = f"ev_draw{next(_events)}"
        self.at = (self.event_id, EPOCH, 0)
        self.queue, self.draw, self.redis = QueueStore(redis), DrawStore(redis), redis
        self.drawn = [fan for fan in order if fan in joins]
        self.subjects = [f"fan{fan}".encode() for fan in self.drawn]
        self.left, self.laid, self.late = set(), 0, 0
        self.now_ms = OPENS_MS + 1

    async def close(self):
        await self.queue.restore(self.event_id, ROOM, 0, [])
        await self.redis.set(epoch_key(self.event_id), EPOCH.text)
        await self.queue.copy_settings(*self.at, replace(ROOM, version=2), 1000)
        for fan in self.drawn:
            assert (await self._join(f"fan{fan}", OPENS_MS - 1)).kind == "lobby"
        closed = await self.draw.close(*self.at, now_ms=OPENS_MS)
        assert (closed.entries, closed.base) == (len(self.drawn), 0)

    async def _join(self, fan, now_ms):
        return (await self.queue.join(*self.at, [Join(fan, "ad_x")], now_ms=now_ms))[0]

    async def leave(self, fan):
        if fan in self.drawn:
            await self.queue.leave(*self.at, f"fan{fan}")
            self.left.add(fan)

    async def join(self, fan, name="late"):
        found = await self._join(f"{name}{fan}", self.now_ms)
        if found.new:
            self.late += 1
            assert (found.kind, found.number) == ("waiting", len(self.drawn) + self.late)
        return found

    async def come_back(self, fan):
        """Who is there stands where they stood; who left or lapsed gets a place at the end."""
        if fan in self.drawn:
            found = await self.join(fan, "fan")
            assert not found.new or fan in self.left

    async def lay(self, most):
        chunk = self.subjects[self.laid : self.laid + most]
        if chunk:
            self.laid = await self.draw.lay(*self.at, self.laid + 1, chunk)

    async def lay_again(self, most):
        """By a node that has not seen what others laid."""
        begin = max(0, self.laid - most - 1)
        chunk = self.subjects[begin : begin + most]
        if begin < self.laid:
            assert await self.draw.lay(*self.at, begin + 1, chunk) == self.laid

    async def tick(self, most):
        """What is called would leave the queue: so only that it is never past what is laid."""
        self.now_ms += 1000
        ids = [f"ad_{n}" for n in range(most)]
        calls = await self.queue.tick(*self.at, call_ids=ids, now_ms=self.now_ms)
        places = [call.admission.place for call in calls]
        assert self.laid == len(self.drawn) or all(place <= self.laid for place in places)
        self.left |= {int(c.subject[3:]) for c in calls if c.subject.startswith("fan")}
        called = [call.subject for call in calls]
        await self.queue.announce(*self.at, called, now_ms=self.now_ms)

    async def lapse(self, _):
        self.now_ms += ROOM.accept_ms + 1
        await self.queue.tick(*self.at, call_ids=[], now_ms=self.now_ms)

    async def check_who_is_being_drawn(self):
        fans = [f"fan{fan}" for fan in self.drawn]
        standings = await self.queue.where(*self.at, fans, now_ms=self.now_ms)
        drawing = [s.kind == "drawing" for s in standings]
        there = [n >= self.laid and fan not in self.left for n, fan in enumerate(self.drawn)]
        assert drawing == there
        in_lobby = await self.redis.hkeys(key(self.event_id, "lobby"))
        assert set(in_lobby) <= set(self.subjects[self.laid :])
        for fan, standing in zip(self.drawn, standings, strict=True):
            if fan in self.left:  # called, gone, or back at the end: never at the place again
                assert standing.kind != "waiting" or standing.number > len(self.drawn)

    async def check(self):
        assert self.laid == len(self.drawn)
        for place, fan in enumerate(self.drawn, 1):
            [standing] = await self.queue.where(*self.at, [f"fan{fan}"], now_ms=self.now_ms)
            if fan not in self.left:
                assert (standing.kind, standing.number) == ("waiting", place)
        assert await self.draw.done(*self.at)


async def history(redis_url, joins, order, steps):
    async with connect(redis_url) as redis:
        history = History(redis, joins, order)
        await history.close()
        for step, number in [*steps, *[("lay", 5)] * 3]:
            await getattr(history, step.replace(" ", "_"))(number)
            await history.check_who_is_being_drawn()
        await history.check()


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=max(100, settings.default.max_examples),
)
@given(
    joins=st.lists(FANS, unique=True, max_size=12),
    order=st.permutations(range(12)),
    steps=STEPS,
)
def test_places_are_those_drawn_among_those_still_there(redis_url, joins, order, steps):
    asyncio.run(history(redis_url, joins, order, steps))
