"""What a fan is told of the wait, and when."""

import pytest

from core.signing import Keys
from waiting_room.forecast.outlook import Forecaster
from waiting_room.model import Admission, Counts, RoomSettings, Slip, Standing
from waiting_room.passes.signed import Passes
from waiting_room.ranks.line import EXACT_EVERY_MS, Line, off
from waiting_room.views import EventView, look_ahead, queue_state, reading, word_to_all

NOW_MS = 1_900_000_000_000


@pytest.mark.parametrize(
    ("shown", "rank", "per_minute", "since_ms", "told"),
    [
        (1_000, 991, 0, 0, False),  # less than 1 %
        (1_000, 990, 0, 0, True),
        (1_000, 1_011, 0, 0, True),  # fans ahead came back
        (3, 2, 0, 0, True),  # nobody is called: somebody left
        (3, 2, 30, 0, False),  # a call may be under way
        (3, 1, 30, 0, True),
        (3, 2, 30, EXACT_EVERY_MS, True),
        (300, 299, 30, EXACT_EVERY_MS, False),
        (300, 250, 3_000, 0, False),  # one second's calls
        (300, 249, 3_000, 0, True),
    ],
)
def test_a_page_is_put_right_when_it_shows_a_rank_that_is_too_far_off(
    shown, rank, per_minute, since_ms, told
):
    assert bool(off(shown, rank, per_minute=per_minute, since_ms=since_ms)) is told


def view(**settings):
    usual = {
        "mode": "on",
        "per_minute": 60,
        "max_active": 10,
        "accept_ms": 60_000,
        "shop_ms": 900_000,
        "grace_ms": 120_000,
        "paused": False,
        "pause_reason": "",
        "opens_at_ms": 0,
        "version": 1,
    }
    return EventView(RoomSettings(**usual | settings), NOW_MS)


def told(seen, standing):
    return queue_state(seen, Passes(Keys("s" * 32)), "ev_gig", "vs_fan", standing)


def test_before_the_opening_who_has_nothing_is_early_and_afterwards_simply_has_nothing():
    assert told(view(opens_at_ms=NOW_MS + 1, draw=False), Standing("none"))["state"] == "early"
    assert told(view(), Standing("none"))["state"] == "none"


def test_a_pause_its_reason_and_no_estimate():
    said = told(view(paused=True, pause_reason="Rain"), Standing("waiting", 7))
    assert (said["paused"], said["pauseReason"], said["etaLowMs"]) == (True, "Rain", None)


def test_a_repair_and_lost_records_are_pauses_with_reasons_of_their_own():
    repaired, alone = view(resume_at_ms=NOW_MS + 9_000), view()
    alone.postgres_down = True
    for seen in (repaired, alone):
        said = told(seen, Standing("waiting", 7))
        assert said["paused"]
        assert "place" in said["pauseReason"]


def test_each_state_says_what_the_fan_needs_next():
    admission = Admission("ad_1", 7, NOW_MS, "fresh")
    waiting = told(view(), Standing("waiting", 7))
    assert (waiting["place"], waiting["rank"]) == (7, 1)
    assert waiting["slip"]
    called = told(view(), Standing("called", NOW_MS + 5, admission))
    assert (called["place"], called["acceptBy"]) == (7, NOW_MS + 5)
    admitted = told(view(), Standing("admitted", NOW_MS + 9_000, admission))
    assert (admitted["admissionId"], admitted["endsAt"]) == ("ad_1", NOW_MS + 9_000)


def test_a_slip_is_of_the_generation_that_the_place_was_read_from():
    told_late = told(view(), Standing("waiting", 7, generation=3))  # a repair may have come since
    slip = Passes(Keys("s" * 32)).read_slip(told_late["slip"], "ev_gig", "vs_fan")
    assert slip == Slip(7, 3)


def test_what_concerns_everybody_is_noticed_and_the_passing_of_time_alone_is_not():
    before = view(opens_at_ms=NOW_MS + 10)
    later = view(opens_at_ms=NOW_MS + 10)
    later.now_ms += 9
    assert before.terms == later.terms
    later.now_ms += 1
    assert before.terms == later.terms
    assert before.phase != later.phase, "the sale opened"
    assert view().terms != view(per_minute=61).terms


def test_the_word_to_all_laid_over_a_fans_last_state_is_what_the_fan_would_be_told_alone():
    """But for what it leaves to the page: rank and wait, which the line and the table give."""
    seen = waiting_room(50, per_minute=60)
    seen.line = Line(NOW_MS - 2_000, 7, 60)
    last = told(seen, Standing("waiting", 40))
    seen.room, seen.now_ms = view(paused=True, pause_reason="Rain").room, NOW_MS + 3_000
    seen.line = Line(NOW_MS + 3_000, 14, 0)
    seen.ranks.set(range(1, 6), False)  # five were called in between
    seen.outlook = look_ahead(seen, Forecaster())
    page, alone = last | word_to_all(seen), told(seen, Standing("waiting", 40))
    left = {"rank", "etaLowMs", "etaHighMs", "etas"}
    assert {k: v for k, v in page.items() if k not in left} == {
        k: v for k, v in alone.items() if k not in left
    }
    line = Line(*page["line"].values())
    assert line.rank_of(page["mark"], page["now"]) == alone["rank"] == 35
    assert page["etas"] == [(1, None, None)]
    assert alone["etaLowMs"] is None


def waiting_room(fans, **settings):
    """A view of a room in which so many wait at the places 1, 2, 3, …"""
    seen = view(**{"per_minute": 60, "max_active": 1_000} | settings)
    seen.ranks.set(range(1, fans + 1), True)
    seen.counts = Counts(fans, 0, 0, 0, present=fans)
    seen.state = {"last_place": fans}
    seen.outlook = look_ahead(seen, Forecaster())
    return seen


def test_who_waits_is_told_an_interval_and_no_reason_as_long_as_nothing_moved():
    said = told(waiting_room(300), Standing("waiting", 120))
    assert said["etaLowMs"] < 120_000 < said["etaHighMs"] < 300_000
    assert said["etaReason"] is None


@pytest.mark.parametrize(
    ("settings", "reason", "known"),
    [
        ({"paused": True}, "paused", False),
        ({"stopped": True}, "paused", False),
        ({"resume_at_ms": NOW_MS + 20_000}, "repair", True),
    ],
)
def test_a_standstill_is_the_reason_and_only_a_repair_has_an_end(settings, reason, known):
    said = told(waiting_room(300, **settings), Standing("waiting", 120))
    assert said["etaReason"] == reason
    assert (said["etaLowMs"] is not None) is known
    assert not known or said["etaLowMs"] > 20_000


def test_places_that_the_draw_has_still_to_lay_wait_and_have_not_given_up():
    seen = waiting_room(100)
    seen.state = {"last_place": 1_000, "draw_base": 0, "draw_entries": 1_000, "drawn_up_to": 100}
    assert (reading(seen).waiting, reading(seen).thinned) == (1_000, 0)
