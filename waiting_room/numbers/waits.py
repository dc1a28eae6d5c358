"""How long those called lately had waited: pure, but for what is kept in memory.

Nobody stores when a fan joined: it would cost every waiting fan memory for a number that only
operators look at. Places rise with time, so a node that notes now and then how far they have come
knows when any place was given out, as exactly as it looks. Places from before the node began are
not known and not counted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

MAX_MARKS = 4_096  # then every second one goes: old joins are known less exactly, not less long


class JoinTimes:
    """`note` how far places have come, then ask when one was `given_at`."""

    def __init__(self) -> None:
        self._places: list[int] = []
        self._at_ms: list[int] = []

    def note(self, last_place: int, now_ms: int) -> None:
        """Places only rise; a lower one means that Redis' state was lost, and so is this."""
        if self._places and last_place < self._places[-1]:
            self._places.clear()
            self._at_ms.clear()
        if self._places and last_place == self._places[-1]:
            return
        self._places.append(last_place)
        self._at_ms.append(now_ms)
        if len(self._places) > MAX_MARKS:
            # The first stays: what lies below it is not known. The last stays: it is the newest.
            del self._places[1:-1:2]
            del self._at_ms[1:-1:2]

    def given_at(self, place: int) -> int | None:
        """The first time this node saw that the place was out; None when it was out before."""
        if not self._places or place <= self._places[0]:
            return None
        mark = bisect_left(self._places, place)
        return self._at_ms[mark] if mark < len(self._places) else None


def waits_ms(times: JoinTimes, calls: Iterable[tuple[int, int]]) -> list[int]:
    """Sorted waits of `calls`, (place, called at), as far as they are known."""
    known = ((times.given_at(place), called_ms) for place, called_ms in calls)
    return sorted(max(0, called_ms - at_ms) for at_ms, called_ms in known if at_ms is not None)


def percentile(ordered: list[int], percent: int) -> int | None:
    """The smallest value that at least `percent` of them do not exceed; None of nothing."""
    nth = -(-percent * len(ordered) // 100)
    return ordered[max(1, nth) - 1] if ordered else None
