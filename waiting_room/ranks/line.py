"""How ranks count down between two frames. Pure.

Who is called leaves the head of the queue, so all ranks behind fall alike. How many have passed is
therefore told to everybody at once, as a *line*: so many by then, and so many a minute from there
on. What differs between fans is a number that stands still while only calls happen, the *mark*. At
any moment a page shows

    max(1, mark - passed),   passed = line.passed + line.per_minute x ms since line.at / 60,000

(whole numbers, rounded down; no further than LINE_HOLDS_MS). A node does the same sum for each fan
and tells a new mark only to those whom it has gone wrong for: others before them left or came back.
The page's sum is in static/js/queue.js, in words in docs/protocol.md.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from waiting_room.policy import Binding

MINUTE_MS = 60_000
LINE_HOLDS_MS = 75_000  # a page that hears nothing for so long stands still
LINE_EVERY_MS = 60_000  # a line is told at least so often
MEASURED_MS = 20_000  # the speed is that of so long
MIN_MEASURED_MS, MIN_MEASURED_CALLS = 2_000, 30  # less says nothing of a speed

OFF_SHARE = 0.01  # a rank may be wrong by this share, or by one second's calls, or by one
EXACT_UP_TO, EXACT_EVERY_MS = 100, 5_000  # near the head even one is put right, so often
REDRAW_SHARE = 0.25  # of the fans: are more of them shown a wrong rank, all are told the line


@dataclass(frozen=True, slots=True)
class Line:
    at_ms: int = 0
    passed: int = 0  # fans called from the queue
    per_minute: int = 0

    def passed_by(self, now_ms: int) -> int:
        ahead_ms = min(max(0, now_ms - self.at_ms), LINE_HOLDS_MS)
        return self.passed + ahead_ms * self.per_minute // MINUTE_MS

    def rank_of(self, mark: Any, now_ms: int) -> Any:
        """What a page shows. A number, or a column of them."""
        return np.maximum(1, mark - self.passed_by(now_ms))

    def old(self, now_ms: int) -> bool:
        return now_ms - self.at_ms >= LINE_EVERY_MS


def off(shown: Any, rank: Any, *, per_minute: int, since_ms: Any) -> Any:
    """Whether a rank as shown is too far from the truth, `since_ms` after it was told.

    Where nobody is called it is exact within the share. Numbers, or columns of them.
    """
    wrong = abs(rank - shown)
    allowed = np.maximum(rank * OFF_SHARE, per_minute / 60)
    if per_minute:
        allowed = np.maximum(allowed, 1)
    near = (rank <= EXACT_UP_TO) & (since_ms >= EXACT_EVERY_MS)
    return (wrong > allowed) | ((wrong >= 1) & near)


class Speed:
    """How fast calls came lately, from how many had passed when."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int]] = deque()  # (ms, passed)

    def note(self, now_ms: int, passed: int) -> None:
        if self._seen and passed < self._seen[-1][1]:
            self._seen.clear()  # Redis' state was lost
        self._seen.append((now_ms, passed))
        while self._seen[0][0] < now_ms - MEASURED_MS:
            self._seen.popleft()

    def forget(self) -> None:
        """What was measured is over: other terms."""
        self._seen.clear()

    def per_minute(self, binds: Binding, pace: int) -> int:
        """How fast the line goes from here, by what binds: 0 where nobody is called.

        Where the pace binds and little was seen yet, it is the pace.
        """
        if binds not in {"pace", "cap"}:
            return 0
        elapsed_ms = self._seen[-1][0] - self._seen[0][0] if self._seen else 0
        calls = self._seen[-1][1] - self._seen[0][1] if self._seen else 0
        enough = binds == "cap" or calls >= MIN_MEASURED_CALLS
        if elapsed_ms < MIN_MEASURED_MS or not enough:
            return pace if binds == "pace" else 0
        return calls * MINUTE_MS // elapsed_ms
