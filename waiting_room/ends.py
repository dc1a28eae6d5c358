"""Ends of admissions and accept windows while a sale stands still: put off, and kept.

The scripts put them off in Redis, step by step, since PostgreSQL may be what is away. Its rows
follow once it is back, with what Redis has: a repair lays ends from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from waiting_room.store import Ends as Which

if TYPE_CHECKING:
    from waiting_room.service import WaitingRoom

WINDOWS: Final[Which] = "calls"
ADMISSIONS: Final[Which] = "active"


class Ends:
    def __init__(self, room: WaitingRoom) -> None:
        self._room = room

    async def put_off(self, event_id: str, since_ms: int, until_ms: int) -> int:
        """Make good the standstill from `since_ms` on; how many ends this call put off.

        Safe to repeat and on every node at once. Admissions come last: pages are told when they
        are done, and then ask anew.
        """
        return await self._all(event_id, WINDOWS, since_ms, until_ms) + await self._all(
            event_id, ADMISSIONS, since_ms, until_ms
        )

    async def keep(self, event_id: str) -> None:
        """Bring PostgreSQL's rows up to the ends in Redis. Safe to repeat."""
        room, after_ms = self._room, 0
        while True:
            epoch, floor = await room.at(event_id)
            read = room.store.live(event_id, epoch, floor, after_ms)
            live = await room.guarded(event_id, read)
            if not live:
                return
            await room.rooms.keep_admissions(event_id, live)
            after_ms = live[-1][1]

    async def _all(self, event_id: str, which: Which, since_ms: int, until_ms: int) -> int:
        room, moved, left = self._room, 0, True
        while left:
            epoch, floor = await room.at(event_id)
            step = room.store.put_off(
                event_id, epoch, floor, which, since_ms=since_ms, until_ms=until_ms
            )
            some, left = await room.guarded(event_id, step)
            moved += some
        return moved
