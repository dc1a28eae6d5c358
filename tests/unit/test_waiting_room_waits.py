"""How long those called lately had waited, from places and times alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waiting_room.numbers.waits import MAX_MARKS, JoinTimes, percentile, waits_ms


def noted(*marks):
    times = JoinTimes()
    for last_place, now_ms in marks:
        times.note(last_place, now_ms)
    return times


def test_a_place_was_given_when_the_places_first_came_so_far():
    times = noted((0, 1_000), (3, 2_000), (3, 3_000), (5, 4_000))
    assert [times.given_at(place) for place in range(1, 7)] == [2_000] * 3 + [4_000] * 2 + [None]


def test_what_was_out_before_this_node_looked_is_not_known():
    assert noted((100, 1_000), (200, 2_000)).given_at(100) is None
    assert JoinTimes().given_at(1) is None


def test_after_a_loss_the_old_times_are_not_those_of_the_new_places():
    times = noted((0, 1_000), (50, 2_000), (0, 3_000), (7, 4_000))
    assert times.given_at(7) == 4_000
    assert times.given_at(50) is None


def test_only_known_waits_are_told_in_order():
    times = noted((10, 1_000), (20, 2_000), (30, 3_000))
    assert waits_ms(times, [(25, 9_000), (5, 9_000), (11, 2_500)]) == [500, 6_000]


@pytest.mark.parametrize(
    ("ordered", "percent", "value"),
    [([], 50, None), ([7], 90, 7), ([1, 2], 50, 1), ([1, 2, 3], 50, 2), (list(range(10)), 90, 8)],
)
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(ordered, percent, value):
    assert percentile(ordered, percent) == value


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3 * MAX_MARKS))
def test_memory_is_bounded_and_a_time_is_never_earlier_than_the_truth(steps):
    times, place, truth = noted((0, 0)), 0, {}
    for second, step in enumerate(steps, 1):
        for _ in range(step):
            place += 1
            truth[place] = second
        times.note(place, second)
    assert len(times._places) <= MAX_MARKS + 1
    assert all((times.given_at(p) or 0) >= at for p, at in truth.items())
    assert times.given_at(place) == len(steps)
