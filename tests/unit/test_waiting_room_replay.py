"""What a log says of joins and of who is gone, and turns that came straight in, tick by tick."""

from dataclasses import replace

import pytest

from waiting_room.history import presence
from waiting_room.history.lines import gone, joins
from waiting_room.history.model import Sale, Tick, Turn
from waiting_room.history.replay import replay


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


def test_places_that_a_repair_jumped_over_joined_only_where_somebody_is_found():
    whole = presence.Presence("1 3 10001", whole=True)
    after = replace(tick(20, 10_001), generation=2, presence=whole)
    back = replace(tick(30, 10_002), generation=2, presence=presence.Presence("3-4 10002"))
    ticks = (tick(10, 2), after, back)
    sale = Sale(event_id="ev_x", accept_ms=1, shop_ms=1, ticks=ticks, turns=())
    assert joins(sale) == [(10, 1), (10, 2), (20, 3), (20, 10_001), (30, 4), (30, 10_002)]


@pytest.mark.parametrize("at_ms", [1_000, 1_100])
def test_who_went_straight_in_within_the_ms_of_a_tick_came_before_it_or_after(at_ms):
    idle = replace(tick(1_000, 0), per_minute=300, tokens=60_000)
    binds = replace(tick(1_100, 1), per_minute=300, tokens=30_000, present=1, pace_binds=True)
    turn = Turn(place=0, kind="direct", called_at_ms=at_ms)
    sale = Sale(event_id="ev_x", accept_ms=1, shop_ms=1, ticks=(idle, binds), turns=(turn,))
    assert replay(sale).differences == []
    assert replay(replace(sale, turns=())).differences
