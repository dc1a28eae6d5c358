"""What the fans of one node are shown, in columns: one look decides whom to tell.

A row is a fan who is connected here. The ranks of all of them are counted at once, and so is who
is told: at fifteen thousand fans a row-by-row look would take a tenth of the process's time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from core.live.connection import Socket
from waiting_room.model import Standing
from waiting_room.ranks.index import Places
from waiting_room.ranks.line import Line, off

UNASKED = Standing("none")  # of a fan who has just come: nobody has asked yet where they stand
PLACE, MARK, TOLD_AT = range(3)
FIRST_ROWS = 16


@dataclass(slots=True, eq=False)
class LocalFan:
    """A fan connected here."""

    subject: str
    row: int
    sockets: set[Socket] = field(default_factory=set)
    standing: Standing = UNASKED

    @property
    def place(self) -> int:
        return self.standing.number if self.standing.kind == "waiting" else 0


class Board:
    """The fans connected here, by subject, and in columns for those who wait."""

    def __init__(self) -> None:
        self.fans: dict[str, LocalFan] = {}
        self._by_row: list[LocalFan | None] = []
        self._free: list[int] = []
        self._columns = np.zeros((3, FIRST_ROWS), np.int64)

    def add(self, subject: str) -> LocalFan:
        """The fan's row, a new one if there is none."""
        known = self.fans.get(subject)
        if known is not None:
            return known
        fan = LocalFan(subject, self._free.pop() if self._free else len(self._by_row))
        if fan.row == len(self._by_row):
            self._by_row.append(None)
        if fan.row == self._columns.shape[1]:
            self._columns = np.hstack([self._columns, np.zeros_like(self._columns)])
        self._columns[:, fan.row] = 0
        self._by_row[fan.row] = self.fans[subject] = fan
        return fan

    def remove(self, fan: LocalFan) -> None:
        del self.fans[fan.subject]
        self._by_row[fan.row] = None
        self._columns[:, fan.row] = 0
        self._free.append(fan.row)

    def stands(self, fan: LocalFan, standing: Standing) -> None:
        fan.standing = standing
        self._columns[PLACE, fan.row] = fan.place

    def told(self, fan: LocalFan, mark: int, now_ms: int) -> None:
        self._columns[MARK, fan.row] = mark
        self._columns[TOLD_AT, fan.row] = now_ms

    def places(self) -> Places:
        """Of those who wait."""
        column = self._columns[PLACE]
        places: Places = column[column > 0]
        return places

    def due(self, ranks: Callable[[Places], Places], line: Line, now_ms: int) -> list[LocalFan]:
        """Those of whose rank the pages are wrong now, if they follow this line."""
        rows = np.flatnonzero(self._columns[PLACE])
        places, marks, told_at = self._columns[:, rows]
        shown, since_ms = line.rank_of(marks, now_ms), now_ms - told_at
        wrong = off(shown, ranks(places), per_minute=line.per_minute, since_ms=since_ms)
        return [fan for row in rows[wrong] if (fan := self._by_row[row]) is not None]
