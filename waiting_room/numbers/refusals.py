"""How often fans were refused, by event and error code.

Counting is a line in memory, so that a flood of refusals costs nothing but itself. Every few
seconds a node adds what is new to Redis, where an event's counts of all nodes come together; they
begin anew when Redis lost them. Only events that this node follows and codes of the protocol are
counted, so memory is bounded whatever addresses are tried.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from core.errors import AppError
from core.tasks import Repeated

if TYPE_CHECKING:
    from waiting_room.service import WaitingRoom

log = logging.getLogger(__name__)

SHARE_EVERY_S: Final = 2.0


class Refusals(Repeated):
    def __init__(self, room: WaitingRoom) -> None:
        super().__init__(self.share_all, every_s=SHARE_EVERY_S)
        self._room = room
        self._here: dict[str, Counter[str]] = {}  # since this node began, for /metrics
        self._new: dict[str, Counter[str]] = {}  # not in Redis yet

    def count(self, event_id: str, code: str) -> None:
        if self._room.hub.follows(event_id):
            for counts in (self._here, self._new):
                counts.setdefault(event_id, Counter())[code] += 1

    def here(self) -> dict[str, Counter[str]]:
        """Of this node alone."""
        return self._here

    async def share(self, event_id: str) -> dict[str, int]:
        """Add what is new here; the event's counts of all nodes. Raises StoreUnavailable."""
        new = self._new.pop(event_id, Counter())
        epoch, floor = await self._room.at(event_id)
        try:
            adds = self._room.store.add_refusals(event_id, epoch, floor, new)
            return await self._room.guarded(event_id, adds)
        except AppError:  # counted twice, should the answer alone be lost: no more than a number
            self._new.setdefault(event_id, Counter()).update(new)
            raise

    async def share_all(self) -> None:
        """What is new of all events. One event's trouble holds up no other."""
        for event_id in list(self._new):
            try:
                await self.share(event_id)
            except AppError as exc:
                log.info("refusals not shared yet", extra={"event_id": event_id, "why": str(exc)})
