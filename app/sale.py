"""What those who look at an event's map are told of its sale, down the stream of its seats.

One loop a node. It compares the node's copies of room and seats, which are there anyway, with
what was told last, and asks no store for that. What concerns everybody is one frame, made once and
handed to each stream; each says the whole of it, so a slow client skips some and is never wrong.

What concerns one fan is a revocation. The room counts those; when the count has moved, and for
streams that are new, one command asks for a thousand fans at once whether it was theirs. Such a
stream ends with the reason: from then on the gate refuses another.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

import orjson

from core.errors import AppError
from core.ids import Subject
from core.live import sse
from core.live.connection import Connection
from core.live.websocket import COME_BACK
from core.tasks import Repeated
from seatmap.service import SeatMap
from waiting_room.node.stock import Seen, looked
from waiting_room.service import WaitingRoom
from waiting_room.views import EventView

LOOK_EVERY_S = 0.25
ASK_AT_ONCE = 1_000  # fans whose standing one command asks for


@dataclass(slots=True)
class _Audience:
    """Those who look at one event's map on this node; None: we do not know who it is."""

    viewers: dict[Connection, Subject | None] = field(default_factory=dict)
    unasked: list[Connection] = field(default_factory=list)  # opened since the last question
    told: bytes = b""
    revoked: int = 0  # the room's count at the last look
    stock: Seen | None = None


class Sale(Repeated):
    """Start it, and let the map's streams be `opened`."""

    def __init__(self, room: WaitingRoom, seat_map: SeatMap) -> None:
        super().__init__(self.look, every_s=LOOK_EVERY_S)
        self._room, self._seat_map = room, seat_map
        self._audiences: dict[str, _Audience] = {}

    def opened(self, event_id: str, viewer: Connection, subject: Subject | None) -> None:
        """A stream that is the hub's already. The first of an event waits for the next look."""
        audience = self._audiences.setdefault(event_id, _Audience())
        audience.viewers[viewer] = subject
        audience.unasked.append(viewer)
        if audience.told:
            viewer.send(audience.told)

    async def look(self) -> None:
        """One look at every event whose map is looked at here."""
        now_s = asyncio.get_running_loop().time()
        for event_id, audience in list(self._audiences.items()):
            if len(audience.viewers) != self._seat_map.viewers(event_id):  # somebody has left
                audience.viewers = {v: who for v, who in audience.viewers.items() if not v.leaving}
            if not audience.viewers:
                del self._audiences[event_id]
            elif view := self._room.hub.keep(event_id):
                gone = self._seat_map.available(event_id) == 0
                audience.stock = looked(audience.stock or Seen(gone), gone=gone, now_s=now_s)
                facts = _facts(view, all_gone=audience.stock.gone)
                _tell_all(audience, facts)
                with contextlib.suppress(AppError):  # asked again with the next look
                    await self._tell_revoked(event_id, audience, view, facts)

    async def _tell_revoked(
        self, event_id: str, audience: _Audience, view: EventView, facts: dict[str, Any]
    ) -> None:
        revoked, unasked = view.state.get("revoked", 0), len(audience.unasked)
        asked = audience.unasked if revoked == audience.revoked else [*audience.viewers]
        fans = [(viewer, who) for viewer in asked if (who := audience.viewers.get(viewer))]
        for begin in range(0, len(fans), ASK_AT_ONCE):
            some = fans[begin : begin + ASK_AT_ONCE]
            standings = await self._room.standings(event_id, [who for _, who in some])
            for (viewer, _), standing in zip(some, standings, strict=True):
                if standing.kind == "none" and standing.revoked:
                    viewer.send(_frame(facts | {"revokedReason": standing.revoked}))
                    viewer.close(COME_BACK)
        audience.revoked = revoked
        del audience.unasked[:unasked]


def _tell_all(audience: _Audience, facts: dict[str, Any]) -> None:
    if (frame := _frame(facts)) != audience.told:
        audience.told = frame
        for viewer in audience.viewers:
            viewer.send(frame)


def _facts(view: EventView, *, all_gone: bool) -> dict[str, Any]:
    """Named as in the queue state, which tells the same to those who wait."""
    return {
        "allGone": all_gone,
        "paused": view.paused,
        "pauseReason": view.pause_reason,
        "stopped": view.room.stopped,
        "message": view.room.message,
        "putOffTo": view.put_off_to,
    }


def _frame(facts: dict[str, Any]) -> bytes:
    return sse.frame("sale", orjson.dumps(facts))
