"""The log of a sale, replayed under the policy, makes the same calls; a changed one is noticed.

Small sales run through the real scripts: joins, fans who go away and come back, calls accepted or
not, skips past the line, revocations, changes of pace and cap, pauses, repairs, ticks at any time.
Two nodes follow the log, each when it comes to it and a few entries at a time. What they would keep
in PostgreSQL is put together, exported, read again and replayed: number, kind, time and place.
"""

import asyncio
import itertools
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.generations import Epoch
from core.redis import connect
from tests import sales
from waiting_room import store
from waiting_room.history import presence
from waiting_room.history.lines import BadLog, joins, read
from waiting_room.history.model import Sale, Tick, Turn
from waiting_room.history.replay import replay
from waiting_room.keys import PAGES, epoch_key, key
from waiting_room.model import Join, RoomSettings
from waiting_room.node import local
from waiting_room.node.local import LocalEvent
from waiting_room.ranks.index import places_of
from waiting_room.store import QueueStore

START_MS = 1_000_000_000_000
ACCEPT_MS, SHOP_MS, GRACE_MS = 3_000, 9_000, 4_000
_events = itertools.count()

EVERYBODY = [f"fan{n}" for n in range(16)]
FANS = st.sampled_from(EVERYBODY)
STEPS = st.one_of(
    st.tuples(st.just("join"), FANS),
    st.tuples(st.just("join"), FANS),
    st.tuples(st.just("tick"), st.integers(0, 1_500)),
    st.tuples(st.just("tick"), st.integers(0, 1_500)),
    st.tuples(st.just("away"), st.lists(FANS, max_size=6)),
    st.tuples(st.just("back"), FANS),
    st.tuples(st.just("poll"), st.integers(0, 1)),
    st.tuples(st.just("poll"), st.integers(0, 1)),
    st.tuples(st.just("accept"), FANS),
    st.tuples(st.just("leave"), FANS),
    st.tuples(st.just("skip"), FANS),
    st.tuples(st.just("revoke"), FANS),
    st.sampled_from([("repair", 0), ("begin_anew", 1)]),  # node 0 is there all the time
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
    """The scripts, two nodes that follow their log, and what these would keep in PostgreSQL."""

    def __init__(self, redis):
        self.redis, self.store = redis, QueueStore(redis)
        self.event_id, self.epoch = f"ev_history{next(_events)}", Epoch(0, "abcdef01")
        self.room, self.now_ms, self.turns, self.open_calls = USUAL, START_MS, {}, {}
        self.nodes = [LocalEvent(), LocalEvent()]
        self.notes = {}  # (generation, version) -> note, presence
        self.given = set()  # places

    @property
    def at(self):
        return self.event_id, self.epoch, 0

    async def restore(self):
        """Redis lost all that a repair does not bring back."""
        self.epoch = Epoch(self.epoch.generation + 1, "abcdef01")
        calls = [(fan, held, 0) for fan, held in self.open_calls.items()]
        ceiling = 10_000 * (self.epoch.generation - 1)
        await self.store.restore(self.event_id, self.room, ceiling, calls, now_ms=self.now_ms)
        await self.redis.set(epoch_key(self.event_id), self.epoch.text)
        await self.change()
        for node in self.nodes:
            node.lost()

    async def change(self, **values):
        self.room = replace(self.room, **values, version=self.room.version + 1)
        await self.store.copy_settings(*self.at, self.room, 10_000 * self.epoch.generation)

    async def step(self, what, value):
        self.now_ms += 1  # nothing happens in the same ms as a tick, or its order would be unknown
        if what in SETTINGS:
            await self.change(**{SETTINGS[what]: value})
        else:
            await getattr(self, what)(value)

    @property
    def now(self):
        return {"now_ms": self.now_ms}

    async def join(self, fan):
        joins_ = [Join(fan, f"ad_{len(self.turns)}")]
        (standing,) = await self.store.join(*self.at, joins_, **self.now)
        if standing.new and standing.kind == "admitted":
            self.called([(fan, standing.admission)])
        elif standing.new:
            self.given.add(standing.number)

    async def back(self, fan):
        (standing,) = await self.store.where(*self.at, [fan], **self.now)
        if standing.kind == "waiting":
            await self.store.see(*self.at, [standing.number])

    async def accept(self, fan):
        await self.store.accept(*self.at, fan, **self.now)

    async def leave(self, fan):
        await self.store.leave(*self.at, fan)
        self.open_calls.pop(fan, None)

    async def revoke(self, fan):
        await self.store.revoke(*self.at, fan, reason="so", keep_ms=1)
        self.open_calls.pop(fan, None)

    async def skip(self, fan):
        call_id = f"ad_skip{len(self.turns)}"
        outcome, *_ = await self.store.skip(*self.at, fan, call_id=call_id, **self.now)
        if outcome == "skipped":
            await self.announce()

    async def tick(self, elapsed_ms):
        self.now_ms += elapsed_ms
        await self.announce([f"ad_{len(self.turns) + n}" for n in range(20)])

    async def poll(self, number):
        await self.look(self.nodes[number])

    async def repair(self, _):
        for node in self.nodes:
            await self.look(node)
        await self.restore()
        await self.poll(0)  # calling stands still until long after that

    async def begin_anew(self, number):
        self.nodes[number] = LocalEvent()

    async def away(self, fans):
        """Pages are turned until who is not seen is away; everybody else is here meanwhile."""
        for _ in range(len(PAGES) + 1):
            here = [fan for fan in EVERYBODY if fan not in fans]
            found = await self.store.where(*self.at, here, **self.now)
            if places := [each.number for each in found if each.kind == "waiting"]:
                await self.store.see(*self.at, places)
            await self.redis.hset(key(self.event_id, "state"), "page_ends_ms", 0)
            await self.store.age(*self.at, **self.now)

    async def look(self, node):
        """As a round does: the log since, and the notes in it to where they are kept."""
        complete = False
        while not complete:
            changes = await self.store.changes(
                self.event_id,
                self.epoch,
                node.version,
                whole=node.view is None,
                now_ms=self.now_ms,
            )
            node.apply(changes)
            complete = changes.complete
        while node.ticks:
            note = node.ticks.popleft()
            at = self.epoch.generation, note.version
            text, known = self.notes.get(at, (note.text, None))
            assert text == note.text
            self.notes[at] = text, known or note.presence

    async def announce(self, ids=()):
        calls = await self.store.tick(*self.at, call_ids=ids, now_ms=self.now_ms)
        self.called([(call.subject, call.admission) for call in calls])
        subjects = [call.subject for call in calls]
        await self.store.announce(*self.at, subjects, now_ms=self.now_ms)

    def called(self, calls):
        for fan, a in calls:
            self.turns[a.call_id] = Turn(place=a.place, kind=a.kind, called_at_ms=a.called_at_ms)
            self.open_calls[fan] = a

    async def sale(self):
        for node in self.nodes:
            await self.look(node)
        ticks = [Tick.parse(at[0], *self.notes[at]) for at in sorted(self.notes)]
        turns = sorted(self.turns.values(), key=lambda turn: (turn.called_at_ms, turn.place))
        return Sale(
            event_id=self.event_id,
            accept_ms=ACCEPT_MS,
            shop_ms=SHOP_MS,
            ticks=tuple(ticks),
            turns=tuple(turns),
        )


@contextmanager
def small(**limits):
    """Limits that a small sale meets, too."""
    places = {"CHANGES_MAX": store, "PRESENCE_KEPT": local, "MOST_CHANGES": presence}
    before = {name: getattr(places[name], name) for name in limits}
    for name, value in limits.items():
        setattr(places[name], name, value)
    yield
    for name, value in before.items():
        setattr(places[name], name, value)


async def sale_of(redis_url, steps):
    sale, _ = await sale_and_places(redis_url, steps)
    return sale


async def sale_and_places(redis_url, steps, *, prompt=True):
    """`prompt`: a node looks at the log after every step, as it does in a quarter of a second.
    The places are those that were given out."""
    async with connect(redis_url) as redis:
        room = Room(redis)
        await room.restore()
        for what, value in [("poll", 0), ("tick", 0), *steps, ("tick", 1_000)]:
            await room.step(what, value)
            if prompt:
                await room.step("poll", 0)
        return await room.sale(), room.given


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=max(60, settings.default.max_examples),
)
@given(
    steps=st.lists(STEPS, min_size=10, max_size=60),
    prompt=st.booleans(),
    entries=st.sampled_from([3, 5_000]),
    kept=st.sampled_from([2, 100]),
    most=st.sampled_from([4, 20_000]),
)
def test_the_replayed_log_makes_the_same_calls_to_the_same_fans(
    redis_url, steps, prompt, entries, kept, most
):
    with small(CHANGES_MAX=entries, PRESENCE_KEPT=kept, MOST_CHANGES=most):
        sale, given = asyncio.run(sale_and_places(redis_url, steps, prompt=prompt))
    again = read(asyncio.run(sales.lines_of(sale)))
    assert again.ticks == sale.ticks
    assert [(t.place, t.kind, t.called_at_ms) for t in again.turns] == [
        (t.place, t.kind, t.called_at_ms) for t in sale.turns
    ]
    said = replay(again)
    assert said.differences == []
    assert said.calls == sum(turn.kind in ("fresh", "replacement") for turn in sale.turns)
    joined = [place for _, place in joins(again)]
    assert set(joined) <= given
    assert len(joined) == len(set(joined))
    if prompt and (entries, kept) == (5_000, 100):
        assert said.unproved == 0
        assert set(joined) >= {p for tick in sale.ticks for p in places_of(tick.presence.here)}


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
        (replace(first, place=others[-1].place), *others[:-1], replace(others[-1], place=1)),
        tuple(others),
    ):
        assert replay(replace(sale, turns=wrong)).differences


def test_a_call_to_another_who_was_there_too_is_told_by_its_number(redis_url):
    sale = busy_sale(redis_url)
    one, other = sale.turns[3:5]  # of two ticks
    swapped = replace(one, place=other.place), replace(other, place=one.place)
    said = replay(replace(sale, turns=(*sale.turns[:3], *swapped, *sale.turns[5:])))
    assert said.differences[0].startswith(f"differs at call 4, at {one.called_at_ms}:")
    assert "calls place 4 (fresh), the sale calls place 5 (fresh)" in said.differences[0]


def passing_over(redis_url):
    """The second fan is away when the head passes and comes back for the last call."""
    steps = [("cap", 0), *[("join", f"fan{n}") for n in range(5)], ("tick", 400)]
    steps += [("away", ["fan1"]), ("tick", 400), ("cap", 9), ("pace", 6_000), ("tick", 30)]
    steps += [("tick", 10)] * 3 + [("back", "fan1"), ("tick", 900)]
    return asyncio.run(sale_of(redis_url, steps))


def test_who_was_passed_over_is_shown_to_have_been_away(redis_url):
    sale = passing_over(redis_url)
    assert [turn.place for turn in sale.turns] == [1, 3, 4, 5, 2]
    said = replay(sale)
    assert (said.differences, said.unproved) == ([], 0)
    assert (said.passed_over, said.came_back) == (1, 1)


@pytest.mark.parametrize("what", ["away", "here"])
def test_an_entry_about_presence_that_was_dropped_is_a_difference(redis_url, what):
    """The file made anew, with its chain: only the replay can tell."""
    sale = passing_over(redis_url)
    dropped = 0
    for number, tick in enumerate(sale.ticks):
        if not tick.presence.whole and getattr(tick.presence, what) == "2":
            without = replace(tick, presence=replace(tick.presence, **{what: ""}))
            ticks = (*sale.ticks[:number], without, *sale.ticks[number + 1 :])
            again = read(asyncio.run(sales.lines_of(replace(sale, ticks=ticks))))
            assert "differs at call " in replay(again).differences[0]
            dropped += 1
    assert dropped == 1


def test_a_pace_that_was_not_kept_is_a_difference(redis_url):
    sale = busy_sale(redis_url)
    slower = tuple(replace(tick, per_minute=60) for tick in sale.ticks)
    assert replay(replace(sale, ticks=slower)).differences


def test_a_line_that_was_changed_left_out_or_moved_is_noticed(redis_url):
    lines = asyncio.run(sales.lines_of(busy_sale(redis_url)))
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
