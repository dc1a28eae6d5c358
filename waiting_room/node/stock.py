"""Tells waiting fans when nothing is left to choose, and when something is again.

The room knows no seats: whoever builds it passes a callable that counts what is available. Each
node asks for the events that have fans waiting, once a second. An answer is told when it has held
for five seconds, since every change goes to everybody who waits, and baskets come and go.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from core.errors import AppError
from core.tasks import Repeated
from waiting_room.views import EventView

LOOK_EVERY_S = 1.0
STEADY_S = 5.0

Available = Callable[[str], Awaitable[int]]  # event id → seats that can be chosen now


@dataclass(frozen=True, slots=True)
class Seen:
    """`gone` as it is told, and since when the count has said otherwise."""

    gone: bool = False
    other_since_s: float | None = None


def looked(seen: Seen, *, gone: bool, now_s: float) -> Seen:
    """What is told after another look. Pure."""
    if gone == seen.gone:
        return Seen(gone)
    if seen.other_since_s is None:
        return Seen(seen.gone, now_s)
    return Seen(gone) if now_s - seen.other_since_s >= STEADY_S else seen


class Stock(Repeated):
    """`views`: the node's copies of events, on which the answer is noted."""

    def __init__(self, views: Callable[[], Mapping[str, EventView]], available: Available) -> None:
        super().__init__(self.look, every_s=LOOK_EVERY_S)
        self._views, self._available = views, available
        self._seen: dict[str, Seen] = {}

    async def look(self, now_s: float | None = None) -> None:
        """One look at every event that has fans waiting for an open sale. `now_s`: for tests."""
        now_s = asyncio.get_running_loop().time() if now_s is None else now_s
        waiting = {name: view for name, view in self._views().items() if _matters(view)}
        self._seen = {name: self._seen.get(name, Seen()) for name in waiting}
        for event_id, view in waiting.items():
            with contextlib.suppress(AppError):  # the map does not answer: what was said stays
                gone = await self._available(event_id) == 0
                self._seen[event_id] = looked(self._seen[event_id], gone=gone, now_s=now_s)
            view.all_gone = self._seen[event_id].gone


def _matters(view: EventView) -> bool:
    return view.counts.waiting > 0 and view.now_ms >= view.room.opens_at_ms
