"""A recorded sale as a crowd and a setting, so that other settings can be tried on it. Pure.

What a fan did is in the log: when they came, went away and came back, what they made of their call.
What a fan who was never called would have done is not, so it is drawn from those who were. Nor is
why a place was not present any more: who left, and who was revoked, is away for good here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.simulation.setting import Setting
from waiting_room.history.away import Away, times_away
from waiting_room.history.lines import gone, joins
from waiting_room.history.model import Sale, Turn
from waiting_room.history.replay import rules
from waiting_room.policy import BOOKED_GRACE_MS
from waiting_room.simulation.model import NEVER, Absences, Change, Crowd, Ms, Terms

NAME = "as it was"


class NothingRecorded(ValueError):
    """The log has no fan who joined."""


def settings(sale: Sale) -> list[Setting]:
    """As the sale had it; none where all went straight in: then the log has no rules."""
    begin_ms = _begin_ms(sale)
    changes = [Change(max(0, at_ms - begin_ms), limits) for at_ms, limits in rules(sale)]
    terms = Terms(changes=tuple(changes), accept_ms=sale.accept_ms, shop_ms=sale.shop_ms)
    return [Setting(NAME, terms)] if changes else []


def crowd(sale: Sale, chance: Generator) -> Crowd:
    """Fans in place order; who went straight in stands where they came. Raises NothingRecorded."""
    begin_ms, away = _begin_ms(sale), times_away(sale)
    fans = _fans(sale)
    if not fans:
        raise NothingRecorded("nobody joined in this log")
    known_away = {time.place for time in away}  # of others, nobody knew who was there
    left = {place: at_ms for at_ms, place in gone(sale) if place not in known_away}
    known = [_habits(turn) for turn in sale.turns] or [(NEVER // 2, 0, 0)]
    drawn = chance.integers(len(known), size=len(fans)).tolist()
    habits = [
        _habits(fan.turn) if fan.turn else known[n] for fan, n in zip(fans, drawn, strict=True)
    ]
    return Crowd(
        arrives_ms=_ms([fan.at_ms - begin_ms for fan in fans]),
        leaves_ms=_ms([min(NEVER, left.get(fan.place, NEVER) - begin_ms) for fan in fans]),
        answers_ms=_ms([answer for answer, _, _ in habits]),
        shops_ms=_ms([stay for _, stay, _ in habits]),
        wants=_ms([bought for _, _, bought in habits]),
        absences=_absences(away, {fan.place: n for n, fan in enumerate(fans)}, begin_ms),
    )


@dataclass(frozen=True, slots=True)
class _Fan:
    at_ms: int
    place: int  # 0: straight in
    turn: Turn | None


def _fans(sale: Sale) -> list[_Fan]:
    turns = {turn.place: turn for turn in sale.turns if turn.place}
    in_line = [_Fan(at_ms, place, turns.get(place)) for at_ms, place in joins(sale)]
    straight_in = [_Fan(turn.called_at_ms, 0, turn) for turn in sale.turns if not turn.place]
    return sorted(in_line + straight_in, key=lambda fan: fan.at_ms)


def _absences(away: list[Away], numbers: dict[int, int], begin_ms: int) -> Absences:
    """When a fan's connection was lost is not in the log, only when the grace was over."""
    known = [time for time in away if time.place in numbers]
    away_ms = _ms([time.from_ms - begin_ms for time in known])
    back_ms = _ms([NEVER if time.to_ms is None else time.to_ms - begin_ms for time in known])
    fan = _ms([numbers[time.place] for time in known])
    return Absences.of(fan, since_ms=away_ms, away_ms=away_ms, back_ms=back_ms)


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
