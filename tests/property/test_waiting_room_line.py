"""Ranks between two frames: no page is ever far from the truth, and few are told."""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from waiting_room.forecast.outlook import Forecaster
from waiting_room.model import Counts, RoomSettings, Standing
from waiting_room.node.local import LocalEvent
from waiting_room.ranks.index import bitmap_of
from waiting_room.ranks.line import LINE_EVERY_MS, LINE_HOLDS_MS, Line, Speed
from waiting_room.views import EventView, look_ahead, reading

START_MS, ROUND_MS = 10_000_000, 250
ROOM = RoomSettings(
    mode="on",
    per_minute=3_000,
    max_active=10**9,
    accept_ms=60_000,
    shop_ms=900_000,
    grace_ms=120_000,
    paused=False,
    pause_reason="",
    opens_at_ms=0,
    version=1,
)


class Queue:
    """A queue, the node that watches it, and what its fans' pages were told and make of it."""

    def __init__(self, waiting, fans):
        self.event, self.view = LocalEvent(), EventView(ROOM, START_MS)
        self.view.ranks.load(bitmap_of(range(1, waiting + 1))[1])
        self.head, self.frames, self.fans = 0, 0, np.array(sorted(fans))
        self.here = np.ones(waiting + 1, bool)
        self.marks = np.zeros(len(self.fans), np.int64)
        self.line = None
        for number, place in enumerate(self.fans.tolist()):
            self.event.board.stands(self.event.board.add(str(number)), Standing("waiting", place))
        self.round(0)

    def call(self, count):
        ahead = np.flatnonzero(self.here[self.head + 1 : self.head + 4 * count + 1])[:count]
        called = (self.head + 1 + ahead).tolist()
        self.set(called, here=False)
        self.head = called[-1] if called else self.head
        self.view.state["fresh"] = self.view.state.get("fresh", 0) + len(called)
        for number in np.flatnonzero(np.isin(self.fans, called)).tolist():
            self.event.board.stands(self.event.board.fans[str(number)], Standing("called"))

    def set(self, places, *, here):
        places = [place for place in places if self.head < place < len(self.here)]
        self.here[places] = here
        self.view.ranks.set(places, here)

    def room(self, **changes):
        self.view.room = replace(self.view.room, **changes)

    def round(self, elapsed_ms):
        """A round of the node; what it tells reaches the pages."""
        view = self.view
        view.now_ms += elapsed_ms
        view.counts = Counts(view.ranks.present, 0, 0, 0, present=view.ranks.present)
        self.event.speed.note(view.now_ms, view.passed)
        to_all, due = self.event.news(view)
        if to_all:
            self.line = view.line
            self.frames += len(self.event.board.places())
        for fan in due:
            mark = view.rank(fan.place) + view.line.passed_by(view.now_ms)
            self.event.board.told(fan, mark, view.now_ms)
            self.marks[int(fan.subject)] = mark
            self.frames += 1

    def wrong(self):
        """By how much the worst page is further from the truth than it may be."""
        waiting = self.fans > self.head
        line, now_ms = self.line, self.view.now_ms
        elapsed_ms = min(max(0, now_ms - line.at_ms), LINE_HOLDS_MS)
        passed = line.passed + elapsed_ms * line.per_minute // 60_000
        shown = np.maximum(1, self.marks[waiting] - passed)
        truth = self.view.ranks.ranks(self.fans[waiting])
        allowed = np.maximum(np.maximum(truth * 0.01, 1), line.per_minute / 60)
        return max((abs(shown - truth) - allowed).tolist(), default=0)


PLACES = st.lists(st.integers(1, 3_000), max_size=60)
STEP = st.one_of(
    st.tuples(st.just("call"), st.integers(1, 200)),
    st.tuples(st.just("leave"), PLACES),
    st.tuples(st.just("back"), PLACES),
    st.tuples(st.just("away"), st.integers(2, 40)),  # every so manieth, at once
    st.tuples(st.just("pace"), st.sampled_from([0, 1, 30, 600, 3_000, 60_000])),
    st.tuples(st.just("pause"), st.booleans()),
    st.tuples(st.just("cap"), st.sampled_from([0, 10**9])),
    st.tuples(st.just("wait"), st.none()),
)


def do(queue, what, value):
    match what:
        case "call":
            queue.call(value)
        case "leave" | "back":
            queue.set(value, here=what == "back")
        case "away":
            queue.set(range(1, 3_000, value), here=False)
        case "pace":
            queue.room(per_minute=value)
        case "pause":
            queue.room(paused=value)
        case "cap":
            queue.room(max_active=value)


@given(st.lists(st.tuples(STEP, st.integers(0, 30_000)), max_size=40))
def test_after_every_round_every_page_shows_a_rank_that_is_near_the_truth(steps):
    """Whatever fans and operators do, also when rounds come late."""
    queue = Queue(3_000, range(1, 3_001, 7))
    for (what, value), elapsed_ms in steps:
        do(queue, what, value)
        queue.round(elapsed_ms)
        assert queue.wrong() <= 0


@pytest.mark.parametrize("waiting", [1_000_000, 100_000, 20_000])
def test_few_are_told_though_nobody_is_shown_a_wrong_rank(waiting):
    """3,000 calls a minute for three minutes, a pause in the second, 5 % replaced, some leave."""
    chance, leaves_a_round = random.Random(8), waiting / 500_000
    queue = Queue(waiting, chance.sample(range(1, waiting + 1), 3_000))
    fan_seconds, due = 0.0, 0.0
    queue.frames = 0
    for now_ms in range(ROUND_MS, 180_000 + 1, ROUND_MS):
        queue.room(paused=60_000 < now_ms <= 75_000)
        if not queue.view.room.paused:
            due += 3_000 * 1.05 * ROUND_MS / 60_000
            queue.call(int(due))
            due -= int(due)
        leaves = int(leaves_a_round + chance.random())
        queue.set(chance.sample(range(1, waiting), leaves), here=False)
        queue.round(ROUND_MS)
        assert queue.wrong() <= 0
        fan_seconds += len(queue.event.board.places()) * ROUND_MS / 1000
    assert queue.frames / fan_seconds <= 1 / 20


def test_a_line_goes_on_for_a_while_longer_than_it_takes_until_the_next_is_told():
    line = Line(START_MS, 100, 60)
    assert [line.passed_by(START_MS + ms) for ms in (-1, 0, 999, 1_000)] == [100, 100, 100, 101]
    assert line.passed_by(START_MS + 10 * LINE_HOLDS_MS) == line.passed_by(START_MS + LINE_HOLDS_MS)
    assert LINE_HOLDS_MS > LINE_EVERY_MS
    assert line.rank_of(100, START_MS) == 1, "nobody is shown a rank before the first"


def test_the_speed_is_the_pace_until_more_is_known_and_nothing_where_nobody_is_called():
    speed = Speed()
    assert (speed.per_minute("pace", 60), speed.per_minute("cap", 60)) == (60, 0)
    for second in range(21):
        speed.note(START_MS + second * 1_000, second * 2)
    assert speed.per_minute("pace", 60) == speed.per_minute("cap", 60) == 120
    assert {speed.per_minute(why, 60) for why in ("paused", "stopped", "early", "store_down")} == {
        0
    }
    speed.note(START_MS + 22_000, 0)
    assert speed.per_minute("pace", 60) == 60, "Redis' state was lost, and all counts with it"


@given(
    per_minute=st.sampled_from([1, 60, 3_000, 60_000]),
    max_active=st.integers(1, 100_000),
    waiting=st.integers(1, 1_000_000),
    share=st.floats(0, 1),
)
@example(per_minute=60_000, max_active=34_255, waiting=52_984, share=0.625)  # bends off the middle
def test_a_wait_between_two_rows_of_the_table_is_nearly_that_of_the_rank(
    per_minute, max_active, waiting, share
):
    view = EventView(replace(ROOM, per_minute=per_minute, max_active=max_active), START_MS)
    view.ranks.load(bitmap_of(range(1, waiting + 1))[1])
    view.counts = Counts(waiting, 0, 0, min(max_active, 50), present=waiting)
    outlook = look_ahead(view, Forecaster())
    assert reading(view).waiting == waiting
    rank = max(1, round(waiting * share))
    rows = outlook.table(waiting)
    exact = outlook.interval_ms(rank)
    if exact is None:
        assert rows[-1][1] is None
        return
    for column, bound in enumerate(exact, 1):
        known = [row for row in rows if row[column] is not None]
        between = np.interp(rank, [row[0] for row in known], [row[column] for row in known])
        assert abs(between - bound) <= max(0.1 * bound, 5_000)
