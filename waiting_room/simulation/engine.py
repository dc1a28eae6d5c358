"""The waiting room on a virtual clock: pure, exact, a million fans in seconds.

The rules are not written again here. Each tick asks `policy.plan_calls`, as the specification of
tick.lua does, and does around it what the script does: free the slots whose time is over, count
lapses, pass over those who left, call the next. What a fan will do is drawn before, so that two
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

from waiting_room.policy import CALLS_PER_TICK, Limits, Pace, plan_calls
from waiting_room.simulation.model import NEVER, Busy, Change, Crowd, Ms, Outcome, Terms

TICK_MS = 250  # as the nodes'
DAY_MS = 86_400_000
LOOK = 64  # fans looked at beside those wanted, when some have left


def simulate(
    crowd: Crowd,
    terms: Terms,
    *,
    seats: int | None = None,
    busy: Busy | None = None,
    tick_ms: int = TICK_MS,
    until_ms: int = 7 * DAY_MS,
) -> Outcome:
    """Run a sale to its end: everybody served or gone, everything sold, or `until_ms`.

    Args:
        seats: Tickets there are; None for more than anybody wants. A basket counts when its fan
            is done. When they are sold, calling ends.
        busy: Who shops already.
        tick_ms: A longer tick is quicker and as exact in pace, up to the bucket's three seconds.
    """
    return _Sale(crowd, terms, seats, busy or Busy(), tick_ms).run(until_ms)


class _Sale:
    """One run. Ticks are numbered from 0; `frees[k]` is how many slots tick k finds free again."""

    def __init__(
        self, crowd: Crowd, terms: Terms, seats: int | None, busy: Busy, tick_ms: int
    ) -> None:
        self._crowd, self._terms, self._tick_ms = crowd, terms, tick_ms
        self._seats = NEVER if seats is None else seats
        self._room = CALLS_PER_TICK * math.ceil(tick_ms / TICK_MS)
        self._anybody_leaves = bool((crowd.leaves_ms < NEVER).any())
        self._no_show = crowd.answers_ms >= terms.accept_ms
        shopping = crowd.answers_ms + np.minimum(crowd.shops_ms, terms.shop_ms)
        self._stay_ms = np.where(self._no_show, terms.accept_ms, shopping)
        self._buys = np.where(self._no_show, 0, crowd.wants)
        self._called_ms = np.full(len(crowd), NEVER, np.int64)
        self._frees = Counter(self._tick_of(ms) for ms in (*busy.ends_ms, *busy.lapses_ms))
        self._lapses = Counter(map(self._tick_of, busy.lapses_ms))
        self._sales: Counter[int] = Counter()
        self._pace: Pace = busy.pace
        self._busy = self._peak = self._frees.total()
        self._head = self._sold = 0

    def run(self, until_ms: int) -> Outcome:
        ticks, sold_out_ms, tick = until_ms // self._tick_ms, None, 0
        arrived = self._arrivals()
        changes = _by_tick(self._terms.changes, self._tick_ms)
        limits = self._terms.changes[0].limits
        for tick in range(ticks + 1):
            if tick in changes:
                _, self._pace = self._plan(tick * self._tick_ms, limits, 0)  # at the old pace
                limits = changes[tick]
            self._sweep(tick)
            if self._sold >= self._seats:
                sold_out_ms = tick * self._tick_ms
                break
            waiting_to = arrived[tick] if tick < len(arrived) else len(self._crowd)
            if self._head < waiting_to:
                if limits.open and self._busy < limits.max_active:  # else tokens just add up
                    self._call(tick, waiting_to, limits)
            elif self._head == len(self._crowd) and not self._busy:
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

    def _call(self, tick: int, waiting_to: int, limits: Limits) -> None:
        now_ms, waiting = tick * self._tick_ms, waiting_to - self._head
        wanted, after = self._plan(now_ms, limits, waiting)
        if self._anybody_leaves:
            fans = self._present(wanted, waiting_to, now_ms)
            more = self._skip_gone(waiting_to, now_ms)  # who else waits says whether the pace binds
            if len(fans) < wanted or not more:
                _, after = self._plan(now_ms, limits, len(fans) + more)
        else:
            fans = np.arange(self._head, self._head + wanted)
            self._head += wanted
        self._pace = after
        if not len(fans):
            return
        self._called_ms[fans] = now_ms
        self._busy += len(fans)
        self._peak = max(self._peak, self._busy)
        ends = np.maximum(tick + 1, -(-(now_ms + self._stay_ms[fans]) // self._tick_ms))
        bought, lapsing = self._buys[fans].tolist(), self._no_show[fans].tolist()
        for end, buys, lapses in zip(ends.tolist(), bought, lapsing, strict=True):
            self._frees[end] += 1
            self._sales[end] += buys
            if lapses:
                self._lapses[end] += 1

    def _plan(self, now_ms: int, limits: Limits, present: int) -> tuple[int, Pace]:
        fresh, replacements, after = plan_calls(
            self._pace, limits, now_ms=now_ms, busy=self._busy, present=present, room=self._room
        )
        return fresh + replacements, after

    def _present(self, wanted: int, waiting_to: int, now_ms: int) -> NDArray[np.intp]:
        """The next `wanted` who are there; whoever is passed over has no place any more."""
        found: list[NDArray[np.intp]] = []
        while wanted and self._head < waiting_to:
            end = min(waiting_to, self._head + wanted + LOOK)
            here = np.flatnonzero(self._crowd.leaves_ms[self._head : end] > now_ms)[:wanted]
            wanted -= len(here)
            found.append(here + self._head)
            self._head = end if wanted else int(found[-1][-1]) + 1
        return np.concatenate(found) if found else np.empty(0, np.intp)

    def _skip_gone(self, waiting_to: int, now_ms: int) -> bool:
        """Whether anybody present waits behind those called."""
        while self._head < waiting_to and self._crowd.leaves_ms[self._head] <= now_ms:
            self._head += 1
        return self._head < waiting_to

    def _arrivals(self) -> list[int]:
        """How many have arrived by each tick, up to the last arrival."""
        if not len(self._crowd):
            return []
        last = self._tick_of(int(self._crowd.arrives_ms[-1]))
        clock = np.arange(last + 1) * self._tick_ms
        counts: list[int] = np.searchsorted(self._crowd.arrives_ms, clock, side="right").tolist()
        return counts

    def _tick_of(self, ms: int) -> int:
        """The first tick that finds this time past."""
        return -(-ms // self._tick_ms)

    def _outcome(self, ended_ms: int, sold_out_ms: int | None) -> Outcome:
        called = self._called_ms < NEVER
        ends: Ms = np.where(called, self._called_ms + self._stay_ms, NEVER)
        return Outcome(
            called_ms=self._called_ms,
            ends_ms=ends,
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
