"""What a change would do, before it is made: the simulation's answer for now and for then.

The present numbers come from the node's copy of the queue, and from the calls in PostgreSQL: when
each shopper's admission ends, how long shoppers stayed lately, how many calls nobody accepted. Both
answers are about the same fans, so that their difference is the change's doing. Both are reckoned
as if nobody joined from now on. Who is in the lobby is drawn at the opening, and comes then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from waiting_room.model import RoomSettings
from waiting_room.policy import Limits
from waiting_room.service import WaitingRoom
from waiting_room.simulation.preview import Preview, RoomNow, at_once, preview

AT_ONCE: Final = 1  # a node: each takes tens of milliseconds of a processor


class Previews:
    def __init__(self, waiting_room: WaitingRoom) -> None:
        self._waiting_room = waiting_room
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def compare(
        self, event_id: str, changes: Mapping[str, Any]
    ) -> tuple[dict[str, object], dict[str, object]]:
        """(as things are, with the changes). Raises NotFound, StoreUnavailable."""
        settings = await self._waiting_room.settings(event_id)
        view = await self._waiting_room.hub.view(event_id)
        habits = await self._waiting_room.rooms.habits(event_id)
        counts = view.counts
        now = RoomNow(
            waiting=view.ranks.present,
            lobby=view.to_be_drawn,
            called=counts.calling + counts.called,
            active_ends_ms=habits.active_ends_ms,
            no_show_share=habits.no_show_share,
            shopping_ms=habits.shopping_ms,
        )
        async with self._slots:
            return await asyncio.to_thread(_both, now, settings, changes, view.now_ms)


def _both(
    now: RoomNow, settings: RoomSettings, changes: Mapping[str, Any], now_ms: int
) -> tuple[dict[str, object], dict[str, object]]:
    then = replace(settings, **changes)
    return _outlook(now, settings, now_ms), _outlook(now, then, now_ms)


def _outlook(now: RoomNow, room: RoomSettings, now_ms: int) -> dict[str, object]:
    open_in_ms = max(0, room.opens_at_ms - now_ms, room.resume_at_ms - now_ms)
    answer = _of(now, room, open_in_ms)
    return {
        "waitP50Ms": answer.p50_wait_ms,
        "waitP90Ms": answer.p90_wait_ms,
        "emptyMs": answer.empty_ms,
        "peakActive": answer.peak_active,
        "openInMs": open_in_ms,
        "lobby": now.lobby,
        "lobbyWaitP50Ms": answer.lobby_p50_ms,
        "lobbyWaitP90Ms": answer.lobby_p90_ms,
    }


def _of(now: RoomNow, room: RoomSettings, open_in_ms: int) -> Preview:
    if room.mode == "off" and not room.stopped:
        return at_once(now, open_in_ms=open_in_ms)
    return preview(
        now,
        Limits(
            per_minute=room.per_minute,
            max_active=room.max_active,
            open=not (room.paused or room.stopped),
        ),
        accept_ms=room.accept_ms,
        shop_ms=room.shop_ms,
        open_in_ms=open_in_ms,
    )
