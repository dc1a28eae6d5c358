"""A recorded sale as a crowd: who was away, and until when."""

import numpy as np
from numpy.random import default_rng

from app.simulation import recorded
from waiting_room.history.away import Away, times_away
from waiting_room.history.model import Sale, Tick, Turn
from waiting_room.history.presence import Presence
from waiting_room.simulation.engine import simulate
from waiting_room.simulation.model import NEVER

CALLED_MS = 9_000


def tick(at_ms, here="", away="", *, known=True, whole=False):
    return Tick(
        generation=1,
        at_ms=at_ms,
        since_ms=at_ms,
        open=True,
        per_minute=60,
        max_active=5,
        room=500,
        busy=0,
        present=0,
        lapsed=0,
        last_place=6,
        tokens=0,
        fresh=0,
        replaced=0,
        pace_binds=False,
        presence=Presence(here, away, whole) if known else None,
    )


def sale_of(*ticks, called=(), kind="fresh"):
    turns = tuple(
        Turn(place=place, kind=kind, called_at_ms=CALLED_MS, accepted_at_ms=CALLED_MS)
        for place in called
    )
    return Sale(event_id="ev_x", accept_ms=4_000, shop_ms=9_000, ticks=ticks, turns=turns)


def test_a_place_is_away_from_when_it_is_missing_until_it_is_there_again():
    sale = sale_of(tick(0, "1-6"), tick(2_000, "", "2-4"), tick(5_000, "3"), tick(7_000, "", "3"))
    assert sorted(times_away(sale), key=lambda time: (time.place, time.from_ms)) == [
        Away(2, 2_000, None),
        Away(3, 2_000, 5_000),
        Away(3, 7_000, None),
        Away(4, 2_000, None),
    ]


def test_a_call_is_no_absence_and_ends_one():
    sale = sale_of(
        tick(0, "1-6"), tick(2_000, "", "2"), tick(CALLED_MS), tick(9_500, "", "1 2"), called=(1, 2)
    )
    assert times_away(sale) == [Away(2, 2_000, CALLED_MS)]


def test_a_record_of_the_whole_says_who_is_missing():
    sale = sale_of(tick(0, known=False), tick(3_000, "1-4 6", whole=True))
    assert times_away(sale) == [Away(5, 3_000, None)]


def test_in_the_recorded_crowd_they_are_passed_over_and_called_when_they_are_back():
    sale = sale_of(
        tick(0, "1-6"), tick(500, "", "1 2"), tick(CALLED_MS), tick(30_000, "1"), called=(3,)
    )
    crowd = recorded.crowd(sale, default_rng(1))
    assert (crowd.leaves_ms == NEVER).all()  # who is away for good has not left at a given time
    (as_it_was,) = recorded.settings(sale)
    out = simulate(crowd, as_it_was.terms)
    assert out.called_ms[0] == 0  # before they went
    assert np.array_equal(np.flatnonzero(~out.called), [1])


def test_a_sale_in_which_all_went_straight_in_has_fans_and_no_rules():
    sale = sale_of(called=(0, 0), kind="direct")
    assert len(recorded.crowd(sale, default_rng(1))) == 2
    assert recorded.settings(sale) == []
