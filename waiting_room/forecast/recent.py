"""What the last minutes tell of a room: how many calls lapse, how long shoppers stay. Pure.

A node reads the counters of an event every few seconds anyway; nothing here is counted fan by fan.
Early in a sale the plain averages lie: who has not ended yet is missing from the mean stay, and a
call lapses minutes after others were accepted. So an estimate uses the ages of what is still open,
and a prior that some dozens of fans outweigh.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from math import exp, log
from typing import Literal

READ_EVERY_MS = 5_000
WINDOW_MS = 15 * 60_000
COHORT_READINGS = 4  # readings taken together where ages count
PRIOR_CALLS = 20.0  # as if so many calls had been seen
PRIOR_NO_SHOWS = 0.1  # … this share of them lapsed
PRIOR_ENDS = 3.0  # … and so many admissions had ended
PRIOR_STAY = 0.4  # … after this share of the time they may last
PRIOR_SPREAD = 0.5  # how sure of that, as the deviation of its logarithm
ANSWER_SHARE = 0.125  # of the accept window that an answer takes, until it is known
STAY_STEP = 1.12  # candidates for the mean stay are so far apart
STAY_STEPS = range(-12, 9)
LEAST_ANSWER_MS = 1_000.0
BEGINNING = 0.1  # the window still shows the sale's beginning: so little was active at its start
MORE_WAITING_MS = 1e7  # prior of the share that gives up: none in so many ms of waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The counters of a room at one moment."""

    at_ms: int
    calls: int  # so far: fresh and replacements
    accepted: int  # so far, with those let straight through
    lapsed: int  # so far
    thinned: int  # places that ended uncalled so far, less those that came back
    owed: int  # replacements that the pace does not bound
    called: int  # now, not answered yet
    active: int  # now
    waiting: int  # now, present


Counter = Literal["calls", "accepted", "lapsed", "thinned", "active"]


def stages(age_ms: float, stay_ms: float) -> tuple[float, float, float]:
    """Chances that who came so long ago is in the first, second, third third of the stay.

    Shopping takes three steps of equal mean, each memoryless (Erlang's distribution): few are done
    at once, few take very long. What is missing to 1 has ended.
    """
    x = 3 * age_ms / stay_ms
    first = exp(-x)
    return first, first * x, first * x * x / 2


@dataclass(slots=True)
class Recent:
    readings: deque[Reading] = field(default_factory=deque)

    def add(self, now: Reading) -> bool:
        """Take a reading in, unless the last is too young. Whether it was taken.

        Counters that fell belong to another generation of the room: what was before is forgotten.
        """
        if self.readings:
            last = self.readings[-1]
            if now.calls < last.calls or now.at_ms < last.at_ms:
                self.readings.clear()
            elif now.at_ms - last.at_ms < READ_EVERY_MS:
                return False
        self.readings.append(now)
        while self.readings[0].at_ms < now.at_ms - WINDOW_MS:
            self.readings.popleft()
        return True

    def no_show_share(self, accept_ms: int) -> float:
        """Of calls whose window is over; before there are enough, of those due to be answered."""
        first, last = self.readings[0], self.readings[-1]
        decided = next(
            (r.calls for r in reversed(self.readings) if r.at_ms <= last.at_ms - accept_ms), 0
        )
        began = next((r for r in self.readings if r.at_ms >= first.at_ms + accept_ms), last)
        if decided - first.calls > PRIOR_CALLS:
            before = began.lapsed if first.calls else first.lapsed
            lapsed = last.lapsed - before + PRIOR_CALLS * PRIOR_NO_SHOWS
            return min(0.95, lapsed / (decided - first.calls + PRIOR_CALLS))
        answer_ms = accept_ms * ANSWER_SHARE
        due = sum(count * (1 - exp(-age / answer_ms)) for count, age in self._cohorts("calls"))
        came = self._rise("accepted") + PRIOR_CALLS * (1 - PRIOR_NO_SHOWS)
        return min(0.95, max(0.0, 1 - came / (due + PRIOR_CALLS)))

    def stay_ms(self, shop_ms: int) -> float:
        """Mean time from accept to end."""
        ends = self._rise("accepted") - self._rise("active")
        if self.readings[0].active > BEGINNING * self.readings[-1].active:  # Little's law
            prior_ms = PRIOR_ENDS * PRIOR_STAY * shop_ms
            return min(shop_ms, (self._spent("active") + prior_ms) / (ends + PRIOR_ENDS))
        cohorts = self._cohorts("accepted")
        candidates = [float(PRIOR_STAY * shop_ms * STAY_STEP**step) for step in STAY_STEPS]
        oddness = [self._unlikely(stay, shop_ms, ends, cohorts) for stay in candidates]
        return min(shop_ms, candidates[oddness.index(min(oddness))])

    def answer_ms(self, accept_ms: int) -> float:
        """Mean time from call to accept."""
        spent = self._spent("called") - self._rise("lapsed") * accept_ms
        return min(accept_ms, max(LEAST_ANSWER_MS, spent / (self._rise("accepted") + 1)))

    def thinning(self) -> float:
        """Share of the waiting that gives up, in each ms."""
        return max(0, self._rise("thinned")) / (self._spent("waiting") + MORE_WAITING_MS)

    def stages(self, stay_ms: float) -> tuple[float, float, float]:
        """How many active are in each third of their stay; adds up to those active now."""
        sums = [1e-9, 1e-9, 1e-9]
        for count, age in self._cohorts("accepted"):
            sums = [s + count * x for s, x in zip(sums, stages(age, stay_ms), strict=True)]
        scale = self.readings[-1].active / sum(sums)
        return sums[0] * scale, sums[1] * scale, sums[2] * scale

    def _rise(self, name: Counter) -> int:
        return int(getattr(self.readings[-1], name) - getattr(self.readings[0], name))

    def _spent(self, name: Literal["active", "called", "waiting"]) -> float:
        """Fan-milliseconds spent so over the window."""
        counts = [(reading.at_ms, int(getattr(reading, name))) for reading in self.readings]
        return sum((b - a) * (before + after) / 2 for (a, before), (b, after) in pairwise(counts))

    def _cohorts(self, name: Literal["calls", "accepted"]) -> list[tuple[int, float]]:
        """(how many, how long ago) over the window, some seconds' taken together."""
        now_ms = self.readings[-1].at_ms
        marks = list(self.readings)[::-1][::COHORT_READINGS]
        return [
            (getattr(b, name) - getattr(a, name), now_ms - (a.at_ms + b.at_ms) / 2)
            for b, a in pairwise(marks)
        ]

    @staticmethod
    def _unlikely(
        stay_ms: float, shop_ms: int, ends: int, cohorts: list[tuple[int, float]]
    ) -> float:
        """How badly a mean stay explains the number of ends, and how odd it is in itself."""
        expected = sum(count * (1 - sum(stages(age, stay_ms))) for count, age in cohorts)
        surprise = log(stay_ms / (PRIOR_STAY * shop_ms)) / PRIOR_SPREAD
        return (expected - ends) ** 2 / (expected + 1) + surprise**2
