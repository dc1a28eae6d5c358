"""A recorded sale as a crowd and a setting, so that other settings can be tried on it. Pure.

What a fan did is in the log; what a fan who was never called would have done is not, so it is
drawn from those who were.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.simulation.setting import Setting
from waiting_room.history.lines import gone, joins
from waiting_room.history.model import Sale, Turn
from waiting_room.history.replay import rules
from waiting_room.policy import BOOKED_GRACE_MS
from waiting_room.simulation.model import NEVER, Change, Crowd, Ms, Terms

NAME = "as it was"


class NothingRecorded(ValueError):
    """The log has no fan who joined."""


def setting(sale: Sale) -> Setting:
    begin_ms = _begin_ms(sale)
    changes = [Change(max(0, at_ms - begin_ms), limits) for at_ms, limits in rules(sale)]
    terms = Terms(changes=tuple(changes), accept_ms=sale.accept_ms, shop_ms=sale.shop_ms)
    return Setting(NAME, terms)


def crowd(sale: Sale, chance: Generator) -> Crowd:
    """Fans in place order; who went straight in stands where they came. Raises NothingRecorded."""
    begin_ms = _begin_ms(sale)
    turns = {turn.place: turn for turn in sale.turns if turn.place}
    left = {place: at_ms for at_ms, place in gone(sale)}
    fans: list[tuple[int, int, Turn | None]] = [
        (at_ms, left.get(place, NEVER), turns.get(place)) for at_ms, place in joins(sale)
    ]
    fans += [(turn.called_at_ms, NEVER, turn) for turn in sale.turns if not turn.place]
    if not fans:
        raise NothingRecorded("nobody joined in this log")
    fans.sort(key=lambda fan: fan[0])
    known = [_habits(turn) for turn in sale.turns] or [(NEVER // 2, 0, 0)]
    drawn = chance.integers(len(known), size=len(fans)).tolist()
    habits = [
        _habits(turn) if turn else known[n] for (_, _, turn), n in zip(fans, drawn, strict=True)
    ]
    return Crowd(
        arrives_ms=_ms([at_ms - begin_ms for at_ms, _, _ in fans]),
        leaves_ms=_ms([min(NEVER, at_ms - begin_ms) for _, at_ms, _ in fans]),
        answers_ms=_ms([answer for answer, _, _ in habits]),
        shops_ms=_ms([stay for _, stay, _ in habits]),
        wants=_ms([bought for _, _, bought in habits]),
    )


def _habits(turn: Turn) -> tuple[int, int, int]:
    """(ms from call to accept, ms from accept until the slot is free, bookings).

    A booking is recorded when it is made; its slot is free some minutes later, or at the end of
    shop_ms, which the simulation sees to.
    """
    if turn.accepted_at_ms is None:
        return NEVER // 2, 0, 0
    ends_ms, booked = turn.ends_at_ms or turn.accepted_at_ms, turn.reason == "booked"
    answer_ms = max(0, turn.accepted_at_ms - turn.called_at_ms)
    slot_ms = ends_ms - turn.accepted_at_ms + (BOOKED_GRACE_MS if booked else 0)
    return answer_ms, max(0, slot_ms), int(booked)


def _begin_ms(sale: Sale) -> int:
    times = [tick.at_ms for tick in sale.ticks] + [turn.called_at_ms for turn in sale.turns]
    if not times:
        raise NothingRecorded("nobody joined in this log")
    return min(times)


def _ms(values: list[int]) -> Ms:
    array: NDArray[np.int64] = np.array(values, np.int64)
    return array
