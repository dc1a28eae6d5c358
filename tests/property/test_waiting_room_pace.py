"""Q4: fresh calls meet the pace, and accepted turns reach it whatever the share of no-shows."""

import random
from bisect import bisect_right
from collections import deque
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waiting_room.policy import BURST_MS, CATCH_UP_MS, FAN, Limits, Pace, plan_calls

MINUTE_MS = 60_000
ACCEPT_MS = 60_000
ENOUGH = 10**9
LATE_MS = 300  # without a tick for so long, another node steps in
GAPS = st.lists(st.integers(50, LATE_MS), min_size=1, max_size=20)  # between ticks, over and over
PACES = st.integers(1, 3_000)


def ticks(gaps, until_ms):
    now_ms, turn = 0, 0
    while now_ms <= until_ms:
        yield now_ms
        now_ms += gaps[turn % len(gaps)]
        turn += 1


def meets_the_pace(calls, per_minute, since_ms, until_ms):
    """Every whole minute within saw the pace's calls, to 0.5 % and one fan."""
    times = [at_ms for at_ms, fresh in calls for _ in range(fresh)]
    for begin_ms in range(since_ms, until_ms - MINUTE_MS + 1, 7_777):
        seen = bisect_right(times, begin_ms + MINUTE_MS) - bisect_right(times, begin_ms)
        assert abs(seen - per_minute) <= 1 + per_minute * 0.005, (begin_ms, seen)


@given(gaps=GAPS, per_minute=PACES)
def test_fresh_calls_of_any_minute_meet_the_pace_however_unevenly_the_nodes_tick(gaps, per_minute):
    pace, calls = Pace(), []
    limits = Limits(per_minute=per_minute, max_active=ENOUGH, open=True)
    for now_ms in ticks(gaps, 3 * MINUTE_MS):
        fresh, _, pace = plan_calls(
            pace, limits, now_ms=now_ms, busy=0, present=ENOUGH, room=ENOUGH
        )
        calls.append((now_ms, fresh))
    meets_the_pace(calls, per_minute, 0, 3 * MINUTE_MS - LATE_MS)


@given(
    gaps=GAPS,
    per_minute=PACES,
    held_up=st.sampled_from([{"busy": ENOUGH}, {"present": 0}, {"open": False}]),
)
def test_what_binds_before_a_minute_saves_up_no_calls_for_it(gaps, per_minute, held_up):
    """The cap was full, nobody waited, or the room was paused: then the pace is the pace again."""
    pace, calls = Pace(), []
    for now_ms in ticks(gaps, 3 * MINUTE_MS):
        now = held_up if now_ms < MINUTE_MS else {}
        limits = Limits(per_minute=per_minute, max_active=ENOUGH, open=now.get("open", True))
        busy, present = now.get("busy", 0), now.get("present", ENOUGH)
        fresh, _, pace = plan_calls(
            pace, limits, now_ms=now_ms, busy=busy, present=present, room=ENOUGH
        )
        calls.append((now_ms, fresh))
    # What an idle spell saves, 0.4 % of a minute, is the most that the first minute sees on top.
    over = sum(fresh for at_ms, fresh in calls if MINUTE_MS <= at_ms < 2 * MINUTE_MS) - per_minute
    assert over <= 1 + per_minute * BURST_MS / MINUTE_MS
    meets_the_pace(calls, per_minute, MINUTE_MS + LATE_MS, 3 * MINUTE_MS - LATE_MS)


@given(per_minute=PACES, silent_ms=st.integers(0, 20_000))
def test_ticks_that_a_dead_node_owed_are_made_up_for_and_an_outage_is_not(per_minute, silent_ms):
    limits = Limits(per_minute=per_minute, max_active=ENOUGH, open=True)
    pace = Pace(tokens=0, binds=True)
    fresh, _, _ = plan_calls(pace, limits, now_ms=silent_ms, busy=0, present=ENOUGH, room=ENOUGH)
    made_up_ms = min(silent_ms, max(CATCH_UP_MS, FAN / per_minute))
    assert fresh == int(made_up_ms * per_minute // FAN)


@pytest.mark.parametrize("no_shows", [0, 0.1, 0.3, 0.6])
@pytest.mark.parametrize("per_minute", [600, 3_000])
def test_accepted_turns_reach_the_pace_within_ten_accept_windows(per_minute, no_shows):
    chance = random.Random(per_minute + no_shows)
    limits = Limits(per_minute=per_minute, max_active=ENOUGH, open=True)
    pace, answers, accepted = Pace(), deque(), []
    end_ms = 10 * ACCEPT_MS + 5 * MINUTE_MS
    for now_ms in range(0, end_ms, 250):
        lapsed = 0
        while answers and answers[0][0] <= now_ms:  # each answer comes at the window's end
            _, shows_up = answers.popleft()
            accepted += [now_ms] * shows_up
            lapsed += not shows_up
        pace = replace(pace, lapsed=pace.lapsed + lapsed)
        fresh, replacements, pace = plan_calls(
            pace, limits, now_ms=now_ms, busy=len(answers), present=ENOUGH, room=ENOUGH
        )
        for _ in range(fresh + replacements):
            answers.append((now_ms + ACCEPT_MS, chance.random() >= no_shows))
    last_five = len(accepted) - bisect_right(accepted, 10 * ACCEPT_MS)
    assert abs(last_five / 5 - per_minute) <= per_minute * 0.05


count = st.integers(0, 10**6)


@given(
    pace=st.builds(
        Pace,
        tokens=st.integers(0, 10**8),
        tokens_at_ms=st.just(0),
        fresh=count,
        replaced=count,
        lapsed=count,
        binds=st.booleans(),
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
    for elapsed in (0, *ticks):
        now_ms += elapsed
        fresh, _, pace = plan_calls(pace, limits, now_ms=now_ms, busy=0, present=10**9, room=10**9)
        called += fresh
    assert called == 1 + now_ms * 300 // 60_000
