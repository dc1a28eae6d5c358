"""How long those called lately had waited, for operators and metrics: read now and then."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from core.errors import AppError
from core.tasks import Repeated
from waiting_room.numbers.waits import waits_ms

if TYPE_CHECKING:
    from waiting_room.service import WaitingRoom

log = logging.getLogger(__name__)

READ_EVERY_S: Final = 5.0
LOOK_BACK_S: Final = 300.0
MAX_CALLS: Final = 1_000


class RecentWaits(Repeated):
    """Read from PostgreSQL's calls, every few seconds and only where fans are being called."""

    def __init__(self, room: WaitingRoom) -> None:
        super().__init__(self.look, every_s=READ_EVERY_S)
        self._room = room
        self._known: dict[str, tuple[float, list[int]]] = {}  # read at, s; waits, sorted

    def known(self, event_id: str) -> list[int]:
        """Sorted ms, as last read."""
        return self._known.get(event_id, (0.0, []))[1]

    async def of(self, event_id: str) -> list[int]:
        """Sorted ms, a few seconds old at most. Raises StoreUnavailable."""
        now_s = asyncio.get_running_loop().time()
        read_at_s, waits = self._known.get(event_id, (float("-inf"), []))
        if now_s - read_at_s > READ_EVERY_S:
            calls = await self._room.rooms.calls_lately(event_id, LOOK_BACK_S, MAX_CALLS)
            waits = waits_ms(self._room.hub.given_at(event_id), calls)
            self._known[event_id] = (now_s, waits)
        return waits

    async def look(self) -> None:
        """One look at all events. One event's trouble holds up no other."""
        for event_id in self._room.hub.views():
            if not (self._room.hub.called_lately(event_id) or self.known(event_id)):
                continue
            try:
                await self.of(event_id)
            except AppError as exc:
                log.info("waits not read", extra={"event_id": event_id, "why": str(exc)})
