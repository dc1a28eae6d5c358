"""Nobody loses time while the sale stands still: PostgreSQL is away, or the sale is stopped.

All ends are put off while it lasts, some seconds ahead of now, by every node that follows the
event. The scripts keep up to when they did so, hence nothing is put off twice, whoever comes how
often; the step that comes after a gap makes good the whole of it. Seats first, admissions last:
that is what pages are told of, and then ask for both. PostgreSQL's rows follow once it is there.

That PostgreSQL is away is known by Redis' clock: each node that reaches it says so once a second,
and where one does not, it asks how long ago any other did. A node must know an event's epochs by
then, so it learns them beforehand for every event in which somebody shops (decision 0016).
"""

from __future__ import annotations

import logging

from core.db import Db
from core.errors import AppError
from core.tasks import Repeated
from seatmap.service import SeatMap
from waiting_room.policy import away_since, made_good_until, still_since
from waiting_room.service import WaitingRoom
from waiting_room.views import EventView

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0


class Standstill(Repeated):
    def __init__(self, db: Db, room: WaitingRoom, seat_map: SeatMap) -> None:
        super().__init__(self.look, every_s=LOOK_EVERY_S)
        self._db, self._room, self._seat_map = db, room, seat_map
        self._kept: dict[str, int] = {}  # event → up to when its rows follow what was put off

    async def look(self) -> None:
        """One look at all events that this node follows. One event's trouble holds up no other."""
        now_ms, reached_ms = await self._room.nodes.reached(here=not self._db.away)
        away_ms = away_since(now_ms, reached_ms) if self._db.away else None
        views = self._room.hub.views()
        self._kept = {name: self._kept.get(name, 0) for name in views}
        for event_id, view in views.items():
            try:
                await self._put_off(event_id, view, now_ms, away_ms)
                if not self._db.away:
                    await self._keep(event_id, view)
            except AppError as exc:
                log.info("ends not put off", extra={"event_id": event_id, "why": str(exc)})
            except Exception:  # the next look may do better
                log.exception("ends not put off", extra={"event_id": event_id})

    async def _put_off(
        self, event_id: str, view: EventView, now_ms: int, away_ms: int | None
    ) -> None:
        since_ms = still_since(view.room, view.state.get("stopped_at_ms", now_ms), away_ms)
        until_ms = made_good_until(now_ms)
        if since_ms is None or view.put_off_to >= until_ms:
            return
        holds = await self._seat_map.put_off(event_id, since_ms, until_ms)
        ends = await self._room.ends.put_off(event_id, since_ms, until_ms)
        if holds or ends:
            facts = {"since_ms": since_ms, "until_ms": until_ms, "holds": holds, "turns": ends}
            log.info("ends put off", extra={"event_id": event_id, **facts})

    async def _keep(self, event_id: str, view: EventView) -> None:
        if view.counts.active:
            await self._seat_map.know(event_id)
        if view.put_off_to > self._kept[event_id]:
            await self._room.ends.keep(event_id)
            self._kept[event_id] = view.put_off_to
