"""What the operator is told before a change."""

import pytest

from waiting_room.policy import Limits
from waiting_room.simulation.preview import RoomNow, preview

WINDOWS = {"accept_ms": 60_000, "shop_ms": 600_000}
MINUTE_MS = 60_000


def room(waiting, *, lobby=0, called=0, active=0, no_show_share=0.0):
    return RoomNow(
        waiting=waiting,
        lobby=lobby,
        called=called,
        active_ends_ms=[300_000] * active,
        no_show_share=no_show_share,
        shopping_ms=[120_000, 180_000, 240_000],
    )


def limits(per_minute, max_active):
    return Limits(per_minute=per_minute, max_active=max_active, open=True)


def test_where_the_pace_binds_the_waits_follow_from_it():
    said = preview(room(600), limits(60, 10_000), **WINDOWS)
    assert said.p50_wait_ms == pytest.approx(5 * MINUTE_MS, rel=0.02)
    assert said.p90_wait_ms == pytest.approx(9 * MINUTE_MS, rel=0.02)
    assert said.empty_ms == pytest.approx(10 * MINUTE_MS, rel=0.02)


def test_where_the_cap_binds_it_is_the_peak_and_the_wait_is_longer():
    tight = preview(room(600), limits(60, 30), **WINDOWS)
    assert tight.peak_active == 30
    assert tight.p90_wait_ms > 2 * preview(room(600), limits(60, 10_000), **WINDOWS).p90_wait_ms


def test_no_shows_are_replaced_so_the_queue_empties_sooner():
    faithful = preview(room(600), limits(60, 10_000), **WINDOWS)
    faithless = preview(room(600, no_show_share=0.4), limits(60, 10_000), **WINDOWS)
    assert faithless.empty_ms < 0.75 * faithful.empty_ms


def test_a_cap_below_those_who_shop_now_calls_nobody_until_they_are_done():
    said = preview(room(5, active=40), limits(600, 20), **WINDOWS)
    assert said.peak_active == 40
    assert said.p50_wait_ms > 30_000


@pytest.mark.parametrize("stopped", [limits(0, 10), limits(10, 0)])
def test_where_nobody_is_called_there_is_no_wait_to_tell(stopped):
    said = preview(room(1, called=2, active=3), stopped, **WINDOWS)
    assert (said.p50_wait_ms, said.p90_wait_ms, said.empty_ms) == (None, None, None)
    assert said.peak_active == 5


def test_an_empty_queue_waits_for_nothing_and_a_later_opening_is_waited_for():
    assert preview(room(0), limits(60, 10), **WINDOWS).p90_wait_ms == 0
    now, later = (
        preview(room(60), limits(60, 100), **WINDOWS, open_in_ms=ms) for ms in (0, 90_000)
    )
    assert later.p50_wait_ms == now.p50_wait_ms + 90_000


def test_the_lobby_comes_behind_who_has_a_place_and_waits_from_the_opening_on():
    said = preview(room(60, lobby=60), limits(60, 10_000), **WINDOWS, open_in_ms=600_000)
    assert said.p90_wait_ms == pytest.approx(600_000 + 54_000, abs=2_000)
    assert said.lobby_p50_ms == pytest.approx(90_000, abs=2_000)
    assert said.lobby_p90_ms == pytest.approx(114_000, abs=2_000)
    assert said.empty_ms == pytest.approx(720_000, abs=2_000)


def test_a_thinned_lobby_tells_what_the_whole_lobby_would():
    whole = preview(room(5_000, lobby=10_000), limits(1_000, 800), **WINDOWS)
    thinned = preview(room(50_000, lobby=100_000), limits(10_000, 8_000), **WINDOWS)
    assert thinned.lobby_p50_ms == pytest.approx(whole.lobby_p50_ms, rel=0.03)
    assert thinned.lobby_p90_ms == pytest.approx(whole.lobby_p90_ms, rel=0.03)


def test_a_thinned_queue_tells_what_the_whole_queue_would():
    """Ten times the fans, pace and slots, in the same time: only the granularity differs."""
    whole = preview(room(15_000), limits(1_000, 800), **WINDOWS)
    thinned = preview(room(150_000), limits(10_000, 8_000), **WINDOWS)
    assert thinned.p50_wait_ms == pytest.approx(whole.p50_wait_ms, rel=0.03)
    assert thinned.empty_ms == pytest.approx(whole.empty_ms, rel=0.03)
