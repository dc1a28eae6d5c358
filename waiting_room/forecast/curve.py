"""How far the queue will have moved, over time: the present going on, as fluid. Pure.

Small steps follow pace, cap, replacements and the ends of admissions, as tick.lua does with whole
fans; when the room has settled, long steps go on at the last rate. Fans ahead who give up are in
the curve too, so a fan's wait is where it reaches the rank: one look-up, for one fan or a million.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from math import exp

from waiting_room.forecast.recent import Recent
from waiting_room.policy import REPLACEMENTS_PER_FRESH

FIRST_STEP_MS = 2_000.0
STEP_GROWS = 1.02
LONGEST_STEP_MS = 10_000.0
STEPS = 250
LONG_STEP_GROWS = 1.1
LONG_STEPS = 80
MOST_THINNING = 20.0  # exponent
MORE_FANS = 200  # looked ahead for, beside those who wait: they come before the next look


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the operator has set."""

    per_minute: int
    max_active: int
    accept_ms: int
    shop_ms: int


@dataclass(frozen=True, slots=True)
class Curve:
    """`reach[i]` fans stand no longer before a fan after `at_ms[i]`."""

    at_ms: list[float]
    reach: list[float]
    cap_binds: bool  # of late

    def wait_ms(self, rank: int) -> float | None:
        """None: never, as things stand. Beyond the curve it goes on straight."""
        i = min(bisect_left(self.reach, rank), len(self.reach) - 1)
        if i == 0:
            return 0.0
        if self.reach[i] <= self.reach[i - 1]:
            return None
        part = (rank - self.reach[i - 1]) / (self.reach[i] - self.reach[i - 1])
        return self.at_ms[i - 1] + part * (self.at_ms[i] - self.at_ms[i - 1])


@dataclass(slots=True)
class _Flow:
    """Fans, as fractions, on their way through called and active."""

    no_shows: float  # share
    answer_ms: float
    stay_ms: float
    idle: float  # called, will lapse
    coming: float  # called, will accept
    active: tuple[float, float, float]  # by third of the stay
    owed: float

    @property
    def busy(self) -> float:
        return self.idle + self.coming + sum(self.active)

    def step(self, rules: Rules, dt_ms: float) -> float:
        """The calls of the next `dt_ms`."""
        lapsed = self.idle * min(1.0, dt_ms / rules.accept_ms)
        came = self.coming * min(1.0, dt_ms / self.answer_ms)
        on = min(1.0, 3 * dt_ms / self.stay_ms)
        one, two, three = self.active
        self.active = (one + came - one * on, two + (one - two) * on, three + (two - three) * on)
        self.idle -= lapsed
        self.coming -= came
        free = max(0.0, rules.max_active - self.busy)
        fresh = min(free, rules.per_minute * dt_ms / 60_000)
        again = min(free - fresh, self.owed + lapsed, REPLACEMENTS_PER_FRESH * fresh)
        self.owed += lapsed - again
        self.idle += (fresh + again) * self.no_shows
        self.coming += (fresh + again) * (1 - self.no_shows)
        return fresh + again


def curve(recent: Recent, rules: Rules) -> Curve:
    """From now until everybody who waits has been called, or as far as it makes sense to look."""
    now, thinning = recent.readings[-1], recent.thinning()
    flow = _begin(recent, rules)
    at_ms, reach = [0.0], [0.0]
    cap_binds = flow.busy > 0.95 * rules.max_active
    dt_ms, calls = FIRST_STEP_MS, 0.0
    for step in range(STEPS + LONG_STEPS):
        if step < STEPS:
            dt_ms = min(LONGEST_STEP_MS, dt_ms * STEP_GROWS)
            calls = flow.step(rules, dt_ms)
        else:
            dt_ms, calls = dt_ms * LONG_STEP_GROWS, calls * LONG_STEP_GROWS
        at_ms.append(at_ms[-1] + dt_ms)
        fewer = exp(min(MOST_THINNING, thinning * (at_ms[-1] - dt_ms / 2)))
        reach.append(reach[-1] + calls * fewer)
        if reach[-1] > now.waiting + MORE_FANS:
            break
    return Curve(at_ms, reach, cap_binds)


def _begin(recent: Recent, rules: Rules) -> _Flow:
    now, share = recent.readings[-1], recent.no_show_share(rules.accept_ms)
    stay_ms, answer_ms = recent.stay_ms(rules.shop_ms), recent.answer_ms(rules.accept_ms)
    lapsing = share * rules.accept_ms
    idle = now.called * lapsing / (lapsing + (1 - share) * answer_ms)
    return _Flow(
        no_shows=share,
        answer_ms=answer_ms,
        stay_ms=stay_ms,
        idle=idle,
        coming=now.called - idle,
        active=recent.stages(stay_ms),
        owed=now.owed,
    )
