"""Ends drains: a draining room that nobody waits or shops in becomes a drained one.

Every node looks once a second at the rooms that PostgreSQL calls draining; compare and set lets the
first one win. The end is in the audit log like any change, with the node as its author.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from core.errors import AppError
from core.tasks import Repeated
from waiting_room.errors import Changed
from waiting_room.policy import is_drained
from waiting_room.service import WaitingRoom

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0

EndDrain = Callable[[str, int], Awaitable[None]]  # event id, version of the room that was seen


class Drains(Repeated):
    def __init__(self, waiting_room: WaitingRoom, end_drain: EndDrain) -> None:
        super().__init__(self.look, every_s=LOOK_EVERY_S)
        self._waiting_room, self._end_drain = waiting_room, end_drain

    async def look(self) -> None:
        """One look at all draining rooms. One room's trouble holds up no other."""
        for event_id in await self._waiting_room.rooms.draining():
            try:
                view = await self._waiting_room.hub.view(event_id)
                if is_drained(view.room, view.counts, now_ms=view.now_ms):
                    await self._end_drain(event_id, view.room.version)
            except Changed:
                continue  # another node was faster, or an operator
            except AppError as exc:
                log.info("drain not ended yet", extra={"event_id": event_id, "why": str(exc)})
