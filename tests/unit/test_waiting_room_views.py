"""What a fan is told of the wait, and when."""

import pytest

from core.signing import Keys
from waiting_room.forecast.outlook import Forecaster
from waiting_room.model import Admission, Counts, RoomSettings, Standing
from waiting_room.passes import Passes
from waiting_room.policy import TELL_AT_MOST_EVERY_MS, TELL_EVERY_MS, worth_telling
from waiting_room.views import EventView, look_ahead, queue_state, reading

NOW_MS = 1_900_000_000_000


@pytest.mark.parametrize(
    ("shown", "rank", "since_ms", "told"),
    [
        (1_000, 991, 5_000, False),  # less than 1 %
        (1_000, 990, 5_000, True),
        (1_000, 1_010, 5_000, True),  # fans ahead came back
        (3, 2, TELL_AT_MOST_EVERY_MS - 1, False),
        (3, 2, TELL_AT_MOST_EVERY_MS, True),
        (3, 3, TELL_EVERY_MS - 1, False),
        (3, 3, TELL_EVERY_MS, True),
    ],
)
def test_a_fan_is_told_of_a_change_of_one_percent_and_once_a_minute(shown, rank, since_ms, told):
    assert worth_telling(shown, rank, since_ms=since_ms) is told


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
    return queue_state(seen, Passes(Keys("s" * 32)), "ev_gig", "vs_fan", standing, 1)


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


def test_what_concerns_everybody_is_noticed_and_the_passing_of_time_alone_is_not():
    before = view(opens_at_ms=NOW_MS + 10)
    later = view(opens_at_ms=NOW_MS + 10)
    later.now_ms += 9
    assert before.terms == later.terms
    later.now_ms += 1
    assert before.terms != later.terms, "the sale opened"
    assert view().terms != view(per_minute=61).terms


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
