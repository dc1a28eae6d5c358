"""The waiting room on a virtual clock: pure, exact, a million fans in seconds.

The rules are not written again here. Each tick asks `policy.plan_calls`, as the specification of
tick.lua does, and does around it what the script does: free the slots whose time is over, count
lapses, call the next of those present (line.py). What a fan will do is drawn before, so that two
settings meet the same crowd. A call is announced in the tick that makes it.

Only counts live in the loop. Everything about a single fan is an array, filled a tick at a time,
so the cost is some microseconds a tick and half of one a fan.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from waiting_room.policy import CALLS_PER_TICK, KEPT_BEHIND, Limits, Pace, plan_calls
from waiting_room.simulation.line import Line
from waiting_room.simulation.model import NEVER, Busy, Change, Crowd, Ms, Outcome, Terms

TICK_MS = 250  # as the nodes'
DAY_MS = 86_400_000
EVERYBODY = slice(None)


def simulate(
    crowd: Crowd,
    terms: Terms,
    *,
    seats: int | None = None,
    busy: Busy | None = None,
    tick_ms: int = TICK_MS,
    until_ms: int = 7 * DAY_MS,
    kept_behind: int = KEPT_BEHIND,
) -> Outcome:
    """Run a sale to its end: everybody served or away for good, everything sold, or `until_ms`.

    Args:
        seats: Tickets there are; None for more than anybody wants. A basket counts when its fan
            is done. When they are sold, calling ends.
        busy: Who shops already.
        tick_ms: A longer tick is quicker and as exact in pace, up to the bucket's three seconds.
    """
    line = Line(crowd, tick_ms=tick_ms, kept_behind=kept_behind)
    return _Sale(crowd, line, terms, seats, busy or Busy(), tick_ms).run(until_ms)


class _Sale:
    """One run. Ticks are numbered from 0; `frees[k]` is how many slots tick k finds free again."""

    def __init__(
        self,
        crowd: Crowd,
        line: Line,
        terms: Terms,
        seats: int | None,
        busy: Busy,
        tick_ms: int,
    ) -> None:
        self._crowd, self._line, self._terms, self._tick_ms = crowd, line, terms, tick_ms
        self._seats = NEVER if seats is None else seats
        self._room = CALLS_PER_TICK * math.ceil(tick_ms / TICK_MS)
        self._answers_ms = crowd.answers_ms.copy()
        self._no_show = np.empty(len(crowd), np.bool_)
        self._stay_ms = np.empty(len(crowd), np.int64)
        self._settle(EVERYBODY)
        self._called_ms = np.full(len(crowd), NEVER, np.int64)
        self._frees = Counter(self._tick_of(ms) for ms in (*busy.ends_ms, *busy.lapses_ms))
        self._lapses = Counter(map(self._tick_of, busy.lapses_ms))
        self._sales: Counter[int] = Counter()
        self._pace: Pace = busy.pace
        self._busy = self._peak = self._frees.total()
        self._sold = 0

    def run(self, until_ms: int) -> Outcome:
        ticks, sold_out_ms, tick = until_ms // self._tick_ms, None, 0
        changes = _by_tick(self._terms.changes, self._tick_ms)
        limits, line = self._terms.changes[0].limits, self._line
        for tick in range(ticks + 1):
            if tick in changes:
                self._plan(tick * self._tick_ms, limits, 0)  # at the old pace
                limits = changes[tick]
            self._sweep(tick)
            if self._sold >= self._seats:
                sold_out_ms = tick * self._tick_ms
                break
            line.move(tick)
            if line.present or self._pace.binds:
                if limits.open and self._busy < limits.max_active:  # else tokens just add up
                    self._call(tick, limits)
            elif line.over and not self._busy:
                break
        return self._outcome(tick * self._tick_ms, sold_out_ms)

    def _sweep(self, tick: int) -> None:
        freed = self._frees.pop(tick, 0)
        if not freed:
            return
        self._busy -= freed
        self._sold = min(self._seats, self._sold + self._sales.pop(tick, 0))
        if lapsed := self._lapses.pop(tick, 0):
            self._pace = _lapsed(self._pace, lapsed)

    def _call(self, tick: int, limits: Limits) -> None:
        now_ms = tick * self._tick_ms
        count = self._plan(now_ms, limits, self._line.present)
        if not count:
            return
        fans = np.array(self._line.call(count, now_ms), np.intp)
        self._answer_when_back(fans, now_ms)
        self._called_ms[fans] = now_ms
        self._busy += count
        self._peak = max(self._peak, self._busy)
        ends = np.maximum(tick + 1, -(-(now_ms + self._stay_ms[fans]) // self._tick_ms))
        wants, lapsing = self._crowd.wants[fans].tolist(), self._no_show[fans].tolist()
        for end, tickets, lapses in zip(ends.tolist(), wants, lapsing, strict=True):
            self._frees[end] += 1
            if lapses:
                self._lapses[end] += 1
            else:
                self._sales[end] += tickets

    def _plan(self, now_ms: int, limits: Limits, present: int) -> int:
        fresh, replacements, self._pace = plan_calls(
            self._pace, limits, now_ms=now_ms, busy=self._busy, present=present, room=self._room
        )
        return fresh + replacements

    def _answer_when_back(self, fans: NDArray[np.intp], now_ms: int) -> None:
        """Who is called within the grace learns it when they are back; that may be too late."""
        if len(self._crowd.absences):
            left_ms = self._crowd.absences.left_ms(fans, now_ms)
            if left_ms.any():
                self._answers_ms[fans] += left_ms
                self._settle(fans)

    def _settle(self, fans: NDArray[np.intp] | slice) -> None:
        """What comes of their calls, by the time that they take to answer."""
        answers_ms, terms = self._answers_ms[fans], self._terms
        shopping = answers_ms + np.minimum(self._crowd.shops_ms[fans], terms.shop_ms)
        no_show = answers_ms >= terms.accept_ms
        self._no_show[fans] = no_show
        self._stay_ms[fans] = np.where(no_show, terms.accept_ms, shopping)

    def _tick_of(self, ms: int) -> int:
        """The first tick that finds this time past."""
        return -(-ms // self._tick_ms)

    def _outcome(self, ended_ms: int, sold_out_ms: int | None) -> Outcome:
        called = self._called_ms < NEVER
        ends: Ms = np.where(called, self._called_ms + self._stay_ms, NEVER)
        return Outcome(
            called_ms=self._called_ms,
            ends_ms=ends,
            gone_ms=self._line.gone_ms,
            accepted=called & ~self._no_show,
            fresh=self._pace.fresh,
            replacements=self._pace.replaced,
            peak_busy=self._peak,
            sold=self._sold,
            sold_out_ms=sold_out_ms,
            ended_ms=ended_ms,
        )


def _by_tick(changes: tuple[Change, ...], tick_ms: int) -> dict[int, Limits]:
    return {-(-change.at_ms // tick_ms): change.limits for change in changes}


def _lapsed(pace: Pace, count: int) -> Pace:
    return replace(pace, lapsed=pace.lapsed + count)
