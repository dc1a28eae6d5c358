"""When fans with a place were not there, as the log of a sale says it. Pure.

Exact to the ticks that were noted, like all of the log. A place that was called is not present
either: that is no absence, and ends one. While nobody knew who was there, nothing changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from waiting_room.history.lines import joins
from waiting_room.history.model import Sale, Tick
from waiting_room.ranks.index import places_of


@dataclass(frozen=True, slots=True)
class Away:
    place: int
    from_ms: int
    to_ms: int | None  # None: not back by the end of the log: left, revoked, or away for good


def times_away(sale: Sale) -> list[Away]:
    """A place may be away several times, in order."""
    seen = _Seen(sale)
    for tick in sale.ticks:
        seen.take(tick)
    return [*seen.ended, *seen.still_away()]


class _Seen:
    def __init__(self, sale: Sale) -> None:
        self.ended: list[Away] = []
        self._joins = deque(joins(sale))
        self._called = {turn.place: turn.called_at_ms for turn in sale.turns}
        self._given: set[int] = set()
        self._away: dict[int, int] = {}  # place → since when

    def take(self, tick: Tick) -> None:
        while self._joins and self._joins[0][0] <= tick.at_ms:
            self._given.add(self._joins.popleft()[1])
        if tick.presence is None:
            return
        here: Collection[int] = places_of(tick.presence.here)
        away: Iterable[int] = places_of(tick.presence.away)
        if tick.presence.whole:
            away = self._given.difference(here)
        for place in self._away.keys() & here:
            self.ended.append(Away(place, self._away.pop(place), tick.at_ms))
        for place in away:
            if self._called.get(place, tick.at_ms + 1) > tick.at_ms:
                self._away.setdefault(place, tick.at_ms)

    def still_away(self) -> Iterable[Away]:
        """Who was called later was back by then."""
        for place, from_ms in self._away.items():
            yield Away(place, from_ms, self._called.get(place))
