"""Makes up for copies of settings that did not reach Redis.

A change is committed in PostgreSQL and then copied to Redis, where the scripts read it. Should
the second step fail, or its node die in between, the room would go on as before although the
operator was told otherwise. So every node looks once a second for rooms that changed lately and
copies them again; the script takes a copy only if it is newer. What Redis did not take stays owed,
however long the outage; a node that has just started looks further back, for those that died owing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from core.errors import AppError, NotFound
from core.tasks import Repeated

if TYPE_CHECKING:
    from waiting_room.service import WaitingRoom

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
LOOK_BACK_S = 60.0
FIRST_LOOK_BACK_S = 86_400.0


class Copies(Repeated):
    def __init__(self, room: WaitingRoom) -> None:
        super().__init__(self.look, every_s=LOOK_EVERY_S)
        self._room = room
        self._copied: dict[str, int] = {}  # event id → version, of rooms that changed lately
        self._owed: dict[str, int] = {}  # likewise, of those that Redis has not taken yet
        self._back_s = FIRST_LOOK_BACK_S

    async def look(self) -> None:
        """One look: copies each version once. One room's trouble holds up no other."""
        changed = await self._room.rooms.changed_lately(self._back_s)
        self._back_s = LOOK_BACK_S
        self._copied = {name: self._copied.get(name, 0) for name in changed}
        self._owed |= {name: v for name, v in changed.items() if self._copied[name] < v}
        for event_id, version in list(self._owed.items()):
            try:
                await self._room.copy_settings(event_id)
                self._copied[event_id] = self._owed.pop(event_id, version)
            except NotFound:
                del self._owed[event_id]
            except AppError as exc:
                log.info("settings not copied", extra={"event_id": event_id, "why": str(exc)})
