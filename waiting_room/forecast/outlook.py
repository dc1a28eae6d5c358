"""What a fan is told of the wait: an interval, and why it moved. Pure.

The curve is the present going on. The future is not: operators change the pace, pause, raise the
cap. How far waits stray from the curve, by how long they are, was measured over simulated sales
(`make bench ARGS=eta`); the bounds are the tenth and the ninetieth percentile of that.

One `Forecaster` an event looks ahead each few seconds; a fan costs a look-up.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from math import exp, hypot, log, sqrt
from typing import Literal

from waiting_room.forecast.curve import Curve, Rules, curve
from waiting_room.forecast.recent import Reading, Recent

Reason = Literal["pace", "paused", "cap", "no_shows", "returns", "repair"]
Standstill = Literal["", "paused", "repair"]

# How far the tenth percentile lies below the curve and the ninetieth above, as logarithms, for
# waits of so many minutes; between them by interpolation.
SPREAD = (
    (0.5, 0.11, 0.08),
    (2, 0.07, 0.055),
    (8, 0.08, 0.175),
    (32, 0.105, 0.27),
    (128, 0.30, 0.44),
)
CAP_NOISE = 0.65  # more, by the square root of the rank, where each call waits for an end
GRAIN_MS = 4_000  # readings are so old
EXPLAIN_MS = 120_000  # a move is explained for so long
WORTH_EXPLAINING = 0.05  # of the wait
NO_SHOWS_CHANGED = 0.04
RETURNED = 0.01  # of those waiting
TABLE_SPLITS = 20  # of the step between two rows, where it bends: down to a single rank
TABLE_BEND, TABLE_GRAIN_MS = 0.03, 1_000  # of the wait, and more: then it bends


@dataclass(frozen=True, slots=True)
class Outlook:
    """One look ahead for a whole event. Ask it for any rank."""

    curve: Curve | None = None  # None: nobody is called, and nobody knows for how long
    reason: Reason | None = None
    open_in_ms: int = 0

    def interval_ms(self, rank: int) -> tuple[int, int] | None:
        """(p10, p90) of the wait, counted from when the outlook was made; None when unknown."""
        wait_ms = self.curve.wait_ms(rank) if self.curve else None
        if self.curve is None or wait_ms is None:
            return None
        down, up = _spread(wait_ms)
        noise = CAP_NOISE / sqrt(max(1, rank)) if self.curve.cap_binds else 0.0
        low = (wait_ms + GRAIN_MS) * exp(-hypot(down, noise)) - GRAIN_MS
        high = (wait_ms + GRAIN_MS) * exp(hypot(up, noise)) - GRAIN_MS
        return max(0, int(low)) + self.open_in_ms, int(high) + self.open_in_ms

    def table(self, up_to: int) -> list[tuple[int, int | None, int | None]]:
        """(rank, p10, p90) for ranks from 1 to `up_to`; a last row of None: unknown from there.

        Between two rows a wait is about on the straight line: rows are closer where it bends.
        """
        rows = {rank: self.interval_ms(rank) for rank in _doubled(up_to)}
        for _ in range(TABLE_SPLITS):
            for low, high in pairwise(sorted(rows)):
                between = {low + (high - low) * n // 4: n / 4 for n in (1, 2, 3)}
                waits = {rank: self.interval_ms(rank) for rank in between}
                if any(
                    _bends(rows[low], waits[rank], rows[high], share)
                    for rank, share in between.items()
                ):
                    middle = (low + high) // 2
                    rows[middle] = waits[middle]
        known = [(rank, *bounds) for rank, bounds in sorted(rows.items()) if bounds]
        unknown = min((rank for rank, bounds in rows.items() if bounds is None), default=None)
        return [*known, *([(unknown, None, None)] if unknown else [])]


@dataclass(frozen=True, slots=True)
class _Look:
    reading: Reading
    rules: Rules
    standstill: Standstill
    no_shows: float
    curve: Curve | None


@dataclass(slots=True)
class Forecaster:
    """Keeps what looks ahead need of an event: some minutes of readings."""

    outlook: Outlook = field(default_factory=Outlook)
    _recent: Recent = field(default_factory=Recent)
    _looks: deque[_Look] = field(default_factory=deque)

    def look(
        self, reading: Reading, rules: Rules, *, standstill: Standstill = "", open_in_ms: int = 0
    ) -> Outlook:
        """Look ahead, if there is anything new: a reading old enough, other rules, a standstill.

        Args:
            standstill: `paused`: nobody is called until somebody decides otherwise. `repair`:
                until `open_in_ms`.
            open_in_ms: Calling begins only then.
        """
        if not (reading.waiting or reading.called or reading.active):
            return self.outlook  # idle rooms cost nothing
        taken = self._recent.add(reading)
        last = self._looks[-1] if self._looks else None
        if last and not taken and (last.rules, last.standstill) == (rules, standstill):
            return self.outlook
        ahead = None if standstill == "paused" else curve(self._recent, rules)
        no_shows = self._recent.no_show_share(rules.accept_ms)
        now = _Look(reading, rules, standstill, no_shows, ahead)
        if last and reading.calls < last.reading.calls:
            self._looks.clear()  # another generation of the room
        self._looks.append(now)
        while self._looks[0].reading.at_ms < reading.at_ms - EXPLAIN_MS:
            self._looks.popleft()
        self.outlook = Outlook(ahead, self._reason(now), open_in_ms)
        return self.outlook

    def _reason(self, now: _Look) -> Reason | None:
        if now.standstill:
            return now.standstill
        before = self._looks[0]
        stood_still = next((look.standstill for look in self._looks if look.standstill), None)
        if stood_still:
            return stood_still
        return _cause(before, now) if _moved(before, now) else None


def _moved(before: _Look, now: _Look) -> bool:
    """Whether the turn of who was last in line then comes noticeably sooner or later now."""
    ahead = (now.reading.calls - before.reading.calls) + (
        now.reading.thinned - before.reading.thinned
    )
    rank = before.reading.waiting - ahead
    if before.curve is None or now.curve is None or rank < 1:
        return False
    expected_ms = before.curve.wait_ms(before.reading.waiting)
    wait_ms = now.curve.wait_ms(rank)
    if expected_ms is None or wait_ms is None:
        return expected_ms is not wait_ms
    elapsed_ms = now.reading.at_ms - before.reading.at_ms
    return abs(elapsed_ms + wait_ms - expected_ms) > WORTH_EXPLAINING * expected_ms


def _cause(before: _Look, now: _Look) -> Reason | None:
    """The likeliest: what the operator did comes before what fans did."""
    assert before.curve is not None
    assert now.curve is not None
    if before.rules.per_minute != now.rules.per_minute:
        return "pace"
    if before.rules.max_active != now.rules.max_active:
        return "cap"
    if before.reading.thinned - now.reading.thinned > RETURNED * before.reading.waiting:
        return "returns"
    if abs(before.no_shows - now.no_shows) > NO_SHOWS_CHANGED:
        return "no_shows"
    return "cap" if now.curve.cap_binds or before.curve.cap_binds else None


def _doubled(up_to: int) -> list[int]:
    return [1 << n for n in range(max(1, up_to - 1).bit_length() + 1)]


def _bends(
    before: tuple[int, int] | None,
    here: tuple[int, int] | None,
    after: tuple[int, int] | None,
    share: float,
) -> bool:
    """Whether the wait is off the straight line, `share` of the way along it."""
    if before is None or here is None or after is None:
        return not (before is here is after)
    straight = before[1] + share * (after[1] - before[1])
    return abs(straight - here[1]) > TABLE_BEND * here[1] + TABLE_GRAIN_MS


def _spread(wait_ms: float) -> tuple[float, float]:
    minutes = wait_ms / 60_000
    first, last = SPREAD[0], SPREAD[-1]
    if minutes <= first[0]:
        return first[1], first[2]
    for (a, down_a, up_a), (b, down_b, up_b) in pairwise(SPREAD):
        if minutes < b:
            part = log(minutes / a) / log(b / a)
            return down_a + part * (down_b - down_a), up_a + part * (up_b - up_a)
    return last[1], last[2]
