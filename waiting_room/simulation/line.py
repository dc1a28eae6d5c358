"""Who waits, and who of them is there: what the queue and the bitmap of places are to tick.lua.

Fans stand in the order of their places; they come, go away, come back and leave when the crowd says
so. The lowest of those present are called. Who is away keeps the place and is passed over; who
comes back to a place that the head has passed is called before all others; who is away while the
head is more than `kept_behind` places past is gone, and nothing brings them back.
"""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np

from waiting_room.simulation.model import NEVER, Crowd, Ms

ABSENT, THERE, OUT = 0, 1, 2  # a fan: to come, or away; present; called, left or gone
BACK, AWAY, CLOSED, LEAVES = 0, 1, 2, 3  # in the order of one moment; CLOSED: away for good
MOVES = 4


class Line:
    """One run's: `move` it to each tick in turn, then `call`."""

    def __init__(self, crowd: Crowd, *, tick_ms: int, kept_behind: int) -> None:
        self.present = 0
        self.gone_ms: Ms = np.full(len(crowd), NEVER, np.int64)
        self._tick_ms, self._kept_behind = tick_ms, kept_behind
        self._fans = bytearray(len(crowd))  # quicker to search, and one by one, than an array
        self._arrivals, self._arrived = _arrivals(crowd, tick_ms), 0
        (self._moves_at, self._moves), self._moved = _moves(crowd, tick_ms), 0
        self._awaited: set[int] = set()  # away, and to come back
        self._behind: list[int] = []  # a heap: came back to a place that the head has passed
        self._head = 0  # whoever is before it was called, or not there
        self._kept_from = 0  # whoever is before it has no place: the present are called first

    @property
    def over(self) -> bool:
        """Nobody is present, nobody is still to come or to come back."""
        return not self.present and not self._awaited and self._arrived == len(self._fans)

    def move(self, tick: int) -> None:
        """Whoever came, went away, came back or left since the tick before."""
        arrived = self._arrivals[tick] if tick < len(self._arrivals) else len(self._fans)
        if arrived > self._arrived:
            self._fans[self._arrived : arrived] = bytes([THERE]) * (arrived - self._arrived)
            self.present += arrived - self._arrived
            self._arrived = arrived
        while self._moves_at[self._moved] <= tick:
            fan, what = divmod(self._moves[self._moved], MOVES)
            if self._fans[fan] != OUT:
                self._move(fan, what)
            self._moved += 1

    def call(self, count: int, now_ms: int) -> list[int]:
        """The lowest of those present, lowest first; `count` is 1 to as many as are present."""
        called = list[int]()
        while self._behind and len(called) < count:
            fan = heappop(self._behind)
            if self._fans[fan] == THERE:  # and neither away again nor in the heap twice
                self._fans[fan] = OUT
                called.append(fan)
        while len(called) < count:
            fan = self._fans.index(THERE, self._head)
            self._fans[fan], self._head = OUT, fan + 1
            called.append(fan)
        self.present -= count
        self._pass(called[-1] - self._kept_behind, now_ms)
        return called

    def _pass(self, end: int, now_ms: int) -> None:
        """The head is so far past `end` that whoever is before it and away is gone."""
        while (fan := self._fans.find(ABSENT, self._kept_from, max(0, end))) >= 0:
            self._fans[fan], self.gone_ms[fan] = OUT, now_ms
            self._awaited.discard(fan)
            self._kept_from = fan + 1
        self._kept_from = max(self._kept_from, end)

    def _move(self, fan: int, what: int) -> None:
        was_there = self._fans[fan] == THERE
        self._awaited.discard(fan)
        if what == BACK:
            self._fans[fan] = THERE
            self.present += not was_there
            if fan < self._head:
                heappush(self._behind, fan)
            return
        self.present -= was_there
        self._fans[fan] = OUT if what == LEAVES else ABSENT
        if what == AWAY:
            self._awaited.add(fan)


def _arrivals(crowd: Crowd, tick_ms: int) -> list[int]:
    """How many have arrived by each tick, up to the last arrival."""
    if not len(crowd):
        return []
    clock = np.arange(-(-int(crowd.arrives_ms[-1]) // tick_ms) + 1) * tick_ms
    counts: list[int] = np.searchsorted(crowd.arrives_ms, clock, side="right").tolist()
    return counts


def _moves(crowd: Crowd, tick_ms: int) -> tuple[memoryview[int], memoryview[int]]:
    """At which tick, and who does what: `fan * MOVES + what`. The last never comes."""
    away, leaving = crowd.absences, np.flatnonzero(crowd.leaves_ms < NEVER)
    beyond_grace = np.flatnonzero(away.away_ms < away.back_ms)
    closed = away.back_ms[beyond_grace] == NEVER
    coming_back = beyond_grace[~closed]
    at_ms = np.concatenate(
        [away.back_ms[coming_back], away.away_ms[beyond_grace], crowd.leaves_ms[leaving]]
    )
    what = np.repeat([BACK, AWAY, LEAVES], [len(coming_back), len(beyond_grace), len(leaving)])
    what[len(coming_back) : len(coming_back) + len(closed)][closed] = CLOSED
    fan = np.concatenate([away.fan[coming_back], away.fan[beyond_grace], leaving])
    order = np.lexsort((what, at_ms))
    ticks = np.append(-(-at_ms[order] // tick_ms), NEVER)
    return ticks.data, (fan * MOVES + what)[order].data
