"""The draw of a room, from the closing of its lobby to the last place.

    close (one script fixes N) → list and root into PostgreSQL → beacon, if one was named →
    order into PostgreSQL, seed public → places into the queue, chunk by chunk → done

Each step reads what the one before it left in a store and is safe to repeat, so any node may take
over anywhere. One node works at a time, by an advisory lock that goes with it; were there two,
`draw_lay.lua` compares `drawn_up_to` and the transactions store only once. The order follows from
what is published, so whoever computes it finds the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from redis.asyncio import Redis

from core.db import Db
from core.errors import NotFound, Stale, StoreUnavailable
from core.generations import Epoch
from core.signing import Keys
from core.tasks import end
from waiting_room.draw.model import (
    Draw,
    StoredList,
    entry_ids,
    entry_of,
    parts_of,
    root_of_part,
    subject_of,
)
from waiting_room.draw.policy import (
    LAY_CHUNK,
    Numbers,
    drawn_from,
    order,
    places_of,
    sorted_once,
)
from waiting_room.draw.receipts import Receipts
from waiting_room.draw.rows import DrawRows
from waiting_room.draw.store import MAX_SUBJECTS, Closed, DrawStore

if TYPE_CHECKING:
    from waiting_room.service import WaitingRoom
    from waiting_room.views import EventView

log = logging.getLogger(__name__)

TRY_EVERY_S = 1.0


class Draws:
    """`wake` it with every look at an event; it does the rest."""

    def __init__(self, room: WaitingRoom, redis: Redis, db: Db, keys: Keys) -> None:
        self._room = room
        self.store, self.rows = DrawStore(redis), DrawRows(db)
        self.receipts = Receipts(keys)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._tried_at: dict[str, float] = {}

    async def stop(self) -> None:
        await end(*self._tasks.values())
        self._tasks.clear()

    def wake(self, event_id: str, view: EventView) -> None:
        """Begin or go on with the draw, if it is time and nobody here is at it. Never waits."""
        if not view.draw_due:
            return
        task, now = self._tasks.get(event_id), asyncio.get_running_loop().time()
        busy = task is not None and not task.done()
        if busy or now - self._tried_at.get(event_id, -TRY_EVERY_S) < TRY_EVERY_S:
            return
        self._tried_at[event_id] = now
        self._tasks[event_id] = asyncio.create_task(self._run_guarded(event_id))

    async def _run_guarded(self, event_id: str) -> None:
        try:
            await self.run(event_id)
        except Stale as exc:
            self._room.hub.lost(event_id, exc.epoch, behind=exc.behind)
        except (StoreUnavailable, NotFound) as exc:
            log.warning("the draw stands still", extra={"event_id": event_id, "why": str(exc)})
        except Exception:  # tried again in a second, and the queues of all others go on
            log.exception("a draw failed", extra={"event_id": event_id})

    async def run(self, event_id: str) -> None:
        """As far as it goes now. Raises Stale or StoreUnavailable; call again then."""
        async with self.rows.alone(event_id) as mine:
            epoch, floor = await self._room.at(event_id)
            closed = await self.store.close(event_id, epoch, floor) if mine else None
            if closed is None:
                return
            listed = await self._fix(event_id, closed)
            draw = await self.rows.get(event_id)
            if draw.entries != closed.entries or draw.base != closed.base:
                raise _behind(event_id, epoch, "Redis has another version of the list")
            if draw.waits_for_beacon:
                return
            drawn = await self._ordered(event_id, draw, listed)
            await self._lay(event_id, closed, listed.lines, drawn)
            await self.rows.laid(event_id)
            epoch, floor = await self._room.at(event_id)
            await self.store.done(event_id, epoch, floor)

    async def _fix(self, event_id: str, closed: Closed) -> StoredList:
        """The list, which is stored if it was not yet."""
        if (await self.rows.get(event_id)).root is not None:
            return await self.rows.stored_list(event_id)
        epoch, floor = await self._room.at(event_id)
        unsorted = await self.store.lines(event_id, epoch, floor)
        lines, roots = await asyncio.to_thread(_listed, unsorted)
        if len(lines) != closed.entries:
            raise _behind(event_id, epoch, "the lobby is not the one that closed")
        await self.rows.fix(event_id, epoch, closed.base, lines, roots)
        return StoredList(lines=lines, places=None)

    async def _ordered(self, event_id: str, draw: Draw, listed: StoredList) -> Numbers:
        """Indexes into the list, the first drawn first; the places are stored if they were not."""
        if listed.places is not None and draw.ordered:
            return drawn_from(listed.places)
        assert draw.root is not None
        drawn = await asyncio.to_thread(_drawn, draw.seed, draw.beacon, draw.root, listed)
        await self.rows.order(event_id, places_of(drawn))
        return drawn

    async def _lay(
        self, event_id: str, closed: Closed, lines: Sequence[bytes], drawn: Numbers
    ) -> None:
        up_to = closed.drawn_up_to
        while up_to < closed.ends:
            begin = up_to - closed.base
            epoch, floor = await self._room.at(event_id)
            chunk = [subject_of(lines[at]) for at in drawn[begin : begin + LAY_CHUNK].tolist()]
            reached = await self.store.lay(event_id, epoch, floor, up_to + 1, chunk)
            if reached <= up_to:
                raise _behind(event_id, epoch, "the queue went back")
            up_to = reached

    # -- for a repair -------------------------------------------------------------------------

    async def state_after_loss(self, event_id: str) -> dict[str, int]:
        """What a repair lays for the draw; {} lets the lobby go on, or begin anew.

        Places below the highest one that was called are not laid again: who has not had a turn
        there was away, and would only be called in vain.
        """
        draw = await self.rows.get(event_id)
        if draw.entries is None or draw.base is None:
            return {}
        last = draw.base + draw.entries
        _, frontier = await self.rows.called(event_id, draw.base + 1, last)
        state = {"draw_entries": draw.entries, "draw_base": draw.base}
        if not draw.entries:
            state["drawn"] = 1
        return state | {"drawn_up_to": max(draw.base, frontier)}

    async def refill(self, event_id: str) -> None:
        """After `restore`: who has not had a turn is drawn again, to the same place."""
        draw = await self.rows.get(event_id)
        if not draw.entries or draw.base is None:
            return
        stored = await self.rows.stored_list(event_id)
        first, last = draw.base + 1, draw.base + draw.entries
        gone, frontier = await self.rows.called(event_id, first, last)
        over, left = await self.rows.all_left(event_id)
        gone, lines = gone | left, stored.lines
        if stored.places is not None:
            drawn = drawn_from(stored.places)
            places = await self.rows.places_left(event_id, first, last)
            over |= {entry_of(lines[drawn[place - first]]).entry_id for place in places}
            lines = [lines[index] for index in drawn[max(0, frontier - draw.base) :]]
        fans = [
            (subject, None if subject.decode() in gone or entry.entry_id in over else entry)
            for subject, entry in zip(map(subject_of, lines), map(entry_of, lines), strict=True)
        ]
        for begin in range(0, len(fans), MAX_SUBJECTS):
            await self.store.refill(event_id, fans[begin : begin + MAX_SUBJECTS])


def _behind(event_id: str, epoch: Epoch, why: str) -> Stale:
    return Stale(f"draw {event_id}: {why}", epoch=epoch.text, behind=True)


def _listed(unsorted: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
    """(the lines of the list, sorted; the roots of its parts)."""
    lines = sorted_once(unsorted, at=len("en_"))
    return lines, [root_of_part(part) for part in parts_of(lines)]


def _drawn(seed: bytes, beacon: bytes, root: bytes, listed: StoredList) -> Numbers:
    return order(seed, beacon, root, entry_ids(listed.lines))
