"""The wait that is foreseen, from the counters of a room, and the reason when it moves."""

from dataclasses import replace

import pytest

from waiting_room.forecast.curve import Rules
from waiting_room.forecast.outlook import EXPLAIN_MS, Forecaster
from waiting_room.forecast.recent import READ_EVERY_MS, Reading, Recent

MINUTE_MS = 60_000
RULES = Rules(per_minute=120, max_active=100_000, accept_ms=60_000, shop_ms=600_000)
OPENING = Reading(
    at_ms=0, calls=0, accepted=0, lapsed=0, thinned=0, owed=0, called=0, active=0, waiting=5_000
)


def quiet_sale(minutes, *, per_minute=120, no_shows=0.0, stay_ms=240_000):
    """Readings of a room whose fans answer at once, or never, and all stay equally long."""
    for at_ms in range(0, int(minutes * MINUTE_MS) + 1, READ_EVERY_MS):
        yield reading_at(at_ms, per_minute, no_shows, stay_ms)


def reading_at(at_ms, per_minute, no_shows, stay_ms):
    def calls_by(ms):
        return max(0, ms) * per_minute / MINUTE_MS

    calls, accepted = calls_by(at_ms), calls_by(at_ms) * (1 - no_shows)
    lapsed = calls_by(at_ms - RULES.accept_ms) * no_shows
    ended = calls_by(at_ms - stay_ms) * (1 - no_shows)
    return replace(
        OPENING,
        at_ms=at_ms,
        calls=int(calls),
        accepted=int(accepted),
        lapsed=int(lapsed),
        called=int(calls - accepted - lapsed),
        active=int(accepted - ended),
        waiting=int(5_000 - calls),
    )


def foreseen(minutes, rules=RULES, **sale):
    forecaster = Forecaster()
    for reading in quiet_sale(minutes, **sale):
        forecaster.look(reading, rules)
    return forecaster


def middle_ms(forecaster, rank):
    return forecaster.outlook.curve.wait_ms(rank)


def test_where_the_pace_binds_the_wait_is_rank_by_pace_and_the_interval_is_around_it():
    forecaster = foreseen(0)
    assert middle_ms(forecaster, 1_200) == pytest.approx(10 * MINUTE_MS, rel=0.15)
    low, high = forecaster.outlook.interval_ms(1_200)
    assert low < middle_ms(forecaster, 1_200) < high


def test_calls_that_lapse_are_replaced_so_the_queue_moves_faster_than_the_pace():
    forecaster = foreseen(10, no_shows=0.4)
    assert middle_ms(forecaster, 1_200) == pytest.approx(6 * MINUTE_MS, rel=0.1)


def test_where_the_cap_binds_the_wait_follows_from_how_long_fans_stay():
    tight = replace(RULES, max_active=480)  # 120 a minute, each for four minutes, is just so many
    free, bound = foreseen(12, tight), foreseen(12, replace(tight, max_active=240))
    assert middle_ms(free, 1_200) == pytest.approx(10 * MINUTE_MS, rel=0.1)
    assert middle_ms(bound, 1_200) > 1.8 * middle_ms(free, 1_200)


@pytest.mark.parametrize("stopped", [{"per_minute": 0}, {"max_active": 0}])
def test_where_nobody_is_called_there_is_no_estimate(stopped):
    forecaster = foreseen(0, replace(RULES, **stopped))
    assert forecaster.outlook.interval_ms(1) is None


def test_before_the_opening_the_wait_begins_with_it():
    sooner, later = Forecaster(), Forecaster()
    sooner.look(OPENING, RULES)
    later.look(OPENING, RULES, open_in_ms=90_000)
    low, high = sooner.outlook.interval_ms(500)
    assert later.outlook.interval_ms(500) == (low + 90_000, high + 90_000)


def test_fans_who_give_up_ahead_shorten_the_wait():
    forecaster = Forecaster()
    for number, reading in enumerate(quiet_sale(10)):
        gone = number * 5  # one a second beside two calls a second
        leaving = replace(reading, thinned=gone, waiting=reading.waiting - gone)
        forecaster.look(leaving, RULES)
    assert middle_ms(forecaster, 1_200) < 0.95 * middle_ms(foreseen(10), 1_200)


def test_readings_of_another_generation_of_the_room_are_forgotten():
    recent = Recent()
    for reading in quiet_sale(5):
        recent.add(reading)
    recent.add(replace(OPENING, at_ms=6 * MINUTE_MS))
    assert len(recent.readings) == 1


def test_a_steady_sale_needs_no_reason():
    assert foreseen(10).outlook.reason is None


def moved(rules=RULES, **changed):
    """The reason after ten steady minutes and one reading that differs."""
    forecaster = foreseen(10)
    last = list(quiet_sale(10 + READ_EVERY_MS / MINUTE_MS))[-1]
    return forecaster.look(replace(last, **changed), rules).reason


def test_the_reason_names_what_the_operator_changed():
    assert moved(replace(RULES, per_minute=60)) == "pace"
    assert moved(replace(RULES, max_active=100)) == "cap"
    assert moved(replace(RULES, per_minute=121)) is None  # not worth a word


def test_fans_who_came_back_are_a_reason():
    assert moved(thinned=-900, waiting=5_000) == "returns"


def test_a_change_in_no_shows_is_a_reason():
    forecaster, last = foreseen(10, per_minute=240), reading_at(10 * MINUTE_MS, 240, 0.0, 240_000)
    reasons = set()
    for number in range(1, 40):  # from now on nobody answers
        calls, lapsed = number * 20, max(0, number - 12) * 20
        now = replace(
            last,
            at_ms=last.at_ms + number * READ_EVERY_MS,
            calls=last.calls + calls,
            lapsed=lapsed,
            called=calls - lapsed,
            waiting=last.waiting - calls,
        )
        reasons.add(forecaster.look(now, RULES).reason)
    assert reasons == {None, "no_shows"}


def test_while_paused_there_is_no_estimate_and_a_pause_explains_the_wait_for_a_while_after():
    forecaster = foreseen(10)
    last = list(quiet_sale(10))[-1]
    paused = forecaster.look(last, RULES, standstill="paused")
    assert (paused.interval_ms(100), paused.reason) == (None, "paused")
    after = replace(last, at_ms=last.at_ms + MINUTE_MS)
    resumed = forecaster.look(after, RULES)
    assert resumed.interval_ms(100)
    assert resumed.reason == "paused"
    for step in range(1, 8):
        at_ms = after.at_ms + step * EXPLAIN_MS // 4
        later = forecaster.look(replace(after, at_ms=at_ms), RULES)
    assert later.reason != "paused"


def test_a_repair_has_a_known_end():
    outlook = Forecaster().look(OPENING, RULES, standstill="repair", open_in_ms=30_000)
    assert outlook.reason == "repair"
    assert outlook.interval_ms(1)[0] >= 30_000
