"""The last minutes of the numbers that the console draws, so that a chart is there at once.

Every node notes, each 5 s, the events that it follows and that something goes on in, or that an
operator looks at here. The first to note a moment is believed, but for the calls of the last
minute: a node that just came has not seen all of them, so the highest counts. A moment without a
note stays a gap: nothing is drawn through an outage.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final

from core.db import Db, load_queries
from core.errors import AppError
from core.tasks import Repeated

log = logging.getLogger(__name__)

EVERY_S: Final = 5
KEPT_S: Final = 15 * 60
SWEEP_EVERY_S: Final = 60
SHOWN: Final = ("waiting", "active", "calledLastMinute", "perMinute", "sold", "held", "refused")
GOES_ON: Final = ("lobby", "waiting", "called", "active")

Rooms = Callable[[], Mapping[str, Mapping[str, Any]]]  # event id → numbers, as this node has them
Seats = Callable[[str], Awaitable[Mapping[str, Any]]]
Refused = Callable[[str], Awaitable[Mapping[str, int]]]  # event id → counts by code, of all nodes


class Past(Repeated):
    """`rooms`: those this node follows. `looked_at`: those an operator looks at here."""

    def __init__(
        self,
        db: Db,
        rooms: Rooms,
        seats: Seats,
        refused: Refused,
        looked_at: Callable[[], Collection[str]],
    ) -> None:
        super().__init__(self.look, every_s=EVERY_S)
        self._db, self._looked_at = db, looked_at
        self._rooms, self._seats, self._refused = rooms, seats, refused
        self._sql = load_queries("app.admin")
        self._swept_at_s = float("-inf")

    async def of(self, event_id: str) -> list[dict[str, int]]:
        """The oldest first: `at` in Unix ms, and SHOWN. At most KEPT_S / EVERY_S of them."""
        rows = await self._db.fetch(self._sql["recent_numbers"], event_id, EVERY_S, KEPT_S)
        return [
            {"at": row["slot"] * EVERY_S * 1000, **dict(zip(SHOWN, row["shown"], strict=True))}
            for row in rows
        ]

    async def look(self) -> None:
        """Note what is so now. One event's trouble holds up no other. Raises StoreUnavailable."""
        looked_at, noted = self._looked_at(), []
        for event_id, queue in self._rooms().items():
            if not worth_noting(queue, looked_at=event_id in looked_at):
                continue
            try:
                values = {**queue, **await self._beside(event_id)}
            except AppError as exc:
                log.info("numbers not noted", extra={"event_id": event_id, "why": str(exc)})
                continue
            noted.append((event_id, *(values[name] for name in SHOWN)))
        if noted:
            columns = [list(column) for column in zip(*noted, strict=True)]
            await self._db.execute(self._sql["recent_numbers_note"], EVERY_S, *columns)
        await self._sweep()

    async def _beside(self, event_id: str) -> dict[str, int]:
        """What is not of the queue. Raises StoreUnavailable."""
        seats, refused = await self._seats(event_id), await self._refused(event_id)
        held = seats["held"] + seats["claimed"]
        return {"sold": seats["sold"], "held": held, "refused": sum(refused.values())}

    async def _sweep(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._swept_at_s >= SWEEP_EVERY_S:
            self._swept_at_s = now_s
            await self._db.execute(self._sql["recent_numbers_forget"], EVERY_S, KEPT_S)


def worth_noting(queue: Mapping[str, Any], *, looked_at: bool) -> bool:
    """Numbers that may be old are no truth about now; an event where nothing goes on costs none."""
    fresh = queue["binds"] != "store_down"
    return fresh and (looked_at or any(queue[name] for name in GOES_ON))
