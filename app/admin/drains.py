"""Ends drains: a draining room that nobody waits or shops in becomes a drained one.

Every node looks at its own copies once a second and writes the end; compare and set lets the
first one win. The end is in the audit log like any change, with the node as its author.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from core.errors import AppError
from core.tasks import end
from waiting_room.errors import Changed
from waiting_room.policy import is_drained
from waiting_room.service import WaitingRoom

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0

EndDrain = Callable[[str, int], Awaitable[None]]  # event id, version of the room that was seen


class Drains:
    def __init__(self, waiting_room: WaitingRoom, end_drain: EndDrain) -> None:
        self._waiting_room, self._end_drain = waiting_room, end_drain
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._run())]

    async def stop(self) -> None:
        """Stopping twice is fine."""
        await end(*self._tasks)
        self._tasks.clear()

    async def look(self) -> None:
        """One look at all rooms that this node follows."""
        for event_id, view in self._waiting_room.hub.views().items():
            if not is_drained(view.room, view.counts, now_ms=view.now_ms):
                continue
            try:
                await self._end_drain(event_id, view.room.version)
            except Changed:
                continue  # another node was faster, or an operator
            except AppError as exc:
                log.info("drain not ended yet", extra={"event_id": event_id, "why": str(exc)})

    async def _run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)
