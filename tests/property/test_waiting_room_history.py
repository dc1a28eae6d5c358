"""The log of a sale, replayed under the policy, makes the same calls; a changed one is noticed.

Small sales run through the real scripts: joins, fans who go away and come back, calls accepted or
not, skips past the line, changes of pace and cap, pauses, ticks at any time. What the nodes keep
of it in PostgreSQL is put together, exported, read again and replayed.
"""

import asyncio
import itertools
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.generations import Epoch
from core.redis import connect
from waiting_room.history.lines import BadLog, export, gone, joins, read
from waiting_room.history.model import Sale, Tick, Turn
from waiting_room.history.replay import replay
from waiting_room.keys import epoch_key
from waiting_room.model import Join, RoomSettings
from waiting_room.store import QueueStore

EPOCH = Epoch(1, "abcdef01")
START_MS = 1_000_000_000_000
ACCEPT_MS, SHOP_MS, GRACE_MS = 3_000, 9_000, 4_000
_events = itertools.count()

FANS = st.integers(0, 15).map(lambda n: f"fan{n}")
STEPS = st.one_of(
    st.tuples(st.just("join"), FANS),
    st.tuples(st.just("join"), FANS),
    st.tuples(st.just("tick"), st.integers(0, 1_500)),
    st.tuples(st.just("tick"), st.integers(0, 1_500)),
    st.tuples(st.just("age"), st.just(0)),
    st.tuples(st.just("accept"), FANS),
    st.tuples(st.just("leave"), FANS),
    st.tuples(st.just("skip"), FANS),
    st.tuples(st.just("pace"), st.sampled_from([0, 30, 600, 6_000])),
    st.tuples(st.just("cap"), st.integers(0, 8)),
    st.tuples(st.just("paused"), st.booleans()),
    st.tuples(st.just("mode"), st.sampled_from(["on", "auto"])),
)
USUAL = RoomSettings(
    mode="on",
    per_minute=600,
    max_active=4,
    accept_ms=ACCEPT_MS,
    shop_ms=SHOP_MS,
    grace_ms=GRACE_MS,
    paused=False,
    pause_reason="",
    opens_at_ms=0,
    version=1,
)
SETTINGS = {"pace": "per_minute", "cap": "max_active", "paused": "paused", "mode": "mode"}


class Room:
    """The scripts, and what nodes would keep in PostgreSQL."""

    def __init__(self, store):
        self.store, self.at = store, (f"ev_history{next(_events)}", EPOCH, 0)
        self.room, self.now_ms, self.turns, self.seen = USUAL, START_MS, {}, set()

    async def open(self, redis):
        await self.store.restore(self.at[0], self.room, 0, [])
        await redis.set(epoch_key(self.at[0]), EPOCH.text)
        await self.change()

    async def change(self, **values):
        self.room = replace(self.room, **values, version=self.room.version + 1)
        await self.store.copy_settings(*self.at, self.room, 10_000)

    async def step(self, what, value):
        self.now_ms += 1  # nothing happens in the same ms as a tick, or its order would be unknown
        now = {"now_ms": self.now_ms}
        match what:
            case "join":
                (standing,) = await self.store.join(
                    *self.at, [Join(value, f"ad_{len(self.turns)}")], **now
                )
                if standing.new and standing.kind == "admitted":
                    self.called([(value, standing.admission)])
            case "age":
                await self.store.age(*self.at, **now)
            case "accept":
                await self.store.accept(*self.at, value, **now)
            case "leave":
                await self.store.leave(*self.at, value)
            case "skip":
                call_id = f"ad_skip{len(self.turns)}"
                outcome, _ = await self.store.skip(*self.at, value, call_id=call_id, **now)
                if outcome == "skipped":
                    await self.announce()
            case "tick":
                self.now_ms += value
                ids = [f"ad_{len(self.turns) + n}" for n in range(20)]
                await self.announce(ids)
            case setting:
                await self.change(**{SETTINGS[setting]: value})

    async def announce(self, ids=()):
        calls = await self.store.tick(*self.at, call_ids=ids, now_ms=self.now_ms)
        self.called([(call.subject, call.admission) for call in calls])
        subjects = [call.subject for call in calls]
        await self.store.announce(*self.at, subjects, now_ms=self.now_ms)

    def called(self, calls):
        for _, a in calls:
            turn = Turn(
                place=a.place,
                kind=a.kind,
                called_at_ms=a.called_at_ms,
                accepted_at_ms=None,
                ends_at_ms=None,
                reason=None,
            )
            self.turns[a.call_id] = turn

    async def sale(self):
        changes = await self.store.changes(*self.at, now_ms=self.now_ms)
        assert not changes.gap
        ticks = [Tick.parse(1, note) for _, name, note in changes.entries if name == "tick"]
        turns = sorted(self.turns.values(), key=lambda turn: (turn.called_at_ms, turn.place))
        return Sale(
            event_id=self.at[0],
            accept_ms=ACCEPT_MS,
            shop_ms=SHOP_MS,
            ticks=tuple(ticks),
            turns=tuple(turns),
        )


async def sale_of(redis_url, steps):
    async with connect(redis_url) as redis:
        room = Room(QueueStore(redis))
        await room.open(redis)
        for what, value in [("tick", 0), *steps, ("tick", 1_000)]:
            await room.step(what, value)
        return await room.sale()


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=max(60, settings.default.max_examples),
)
@given(steps=st.lists(STEPS, min_size=10, max_size=60))
def test_the_replayed_log_makes_the_same_calls(redis_url, steps):
    sale = asyncio.run(sale_of(redis_url, steps))
    again = read(export(sale))
    assert again.ticks == sale.ticks
    assert [(t.place, t.kind, t.called_at_ms) for t in again.turns] == [
        (t.place, t.kind, t.called_at_ms) for t in sale.turns
    ]
    said = replay(again)
    assert said.differences == []
    assert said.calls == sum(turn.kind in ("fresh", "replacement") for turn in sale.turns)


def busy_sale(redis_url):
    joins_ = [("join", f"fan{n}") for n in range(12)]
    ticks = [("tick", 400)] * 12
    return asyncio.run(sale_of(redis_url, [*joins_, *ticks]))


def test_a_call_too_many_too_early_twice_or_to_nobody_is_a_difference(redis_url):
    sale = busy_sale(redis_url)
    assert replay(sale).differences == []
    first, *others = sale.turns
    for wrong in (
        (replace(first, called_at_ms=first.called_at_ms + 1), *others),
        (first, first, *others),
        (*sale.turns[:-1], replace(sale.turns[-1], place=first.place)),
        (replace(first, place=99), *others),
        (replace(first, kind="replacement"), *others),
        tuple(others),
    ):
        assert replay(replace(sale, turns=wrong)).differences


def test_a_pace_that_was_not_kept_is_a_difference(redis_url):
    sale = busy_sale(redis_url)
    slower = tuple(replace(tick, per_minute=60) for tick in sale.ticks)
    assert replay(replace(sale, ticks=slower)).differences


def test_a_line_that_was_changed_left_out_or_moved_is_noticed(redis_url):
    lines = list(export(busy_sale(redis_url)))
    assert len(lines) > 20
    changed = lines[5].replace(b"1", b"2", 1)
    for edited in (
        [*lines[:5], changed, *lines[6:]],
        [*lines[:5], *lines[6:]],
        [*lines[:5], lines[6], lines[5], *lines[7:]],
        [b"{}"],
        [b"no line"],
        [],
    ):
        with pytest.raises(BadLog):
            read(edited)


def tick(at_ms, last_place):
    return Tick(
        generation=1,
        at_ms=at_ms,
        since_ms=0,
        open=True,
        per_minute=60,
        max_active=9,
        tokens=0,
        room=9,
        busy=0,
        present=0,
        lapsed=0,
        last_place=last_place,
        fresh=0,
        replaced=0,
        pace_binds=False,
    )


def test_joins_are_dated_by_the_first_tick_that_knew_and_the_gone_by_who_was_called_past_them():
    turns = tuple(
        Turn(
            place=place,
            kind="fresh",
            called_at_ms=at_ms,
            accepted_at_ms=None,
            ends_at_ms=None,
            reason=None,
        )
        for place, at_ms in ((1, 20), (4, 30))
    )
    ticks = (tick(10, 2), tick(20, 2), tick(30, 5))
    sale = Sale(event_id="ev_x", accept_ms=1, shop_ms=1, ticks=ticks, turns=turns)
    assert joins(sale) == [(10, 1), (10, 2), (30, 3), (30, 4), (30, 5)]
    assert gone(sale) == [(30, 2), (30, 3)]
