"""The waiting room: steps that cross Redis, PostgreSQL and the fans' sockets.

    join → wait (rank, live) → called → accept → shop (pass) → end

Redis decides, in scripts. PostgreSQL keeps what must outlive Redis: calls are inserted before
they are announced, ends when they change. Every node runs the same tasks (`node/`): there is no
leader.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from redis.asyncio import Redis

from core.batch import EventBatchers
from core.db import Db
from core.errors import AppError, NotAdmitted, Stale, StoreUnavailable
from core.generations import FIRST, Epoch, Generations
from core.ids import Subject, new_id
from core.pipeline import ScriptPipeline
from core.redis import now_ms as redis_now_ms
from core.signing import Keys
from waiting_room.draw.service import Draws
from waiting_room.ends import Ends
from waiting_room.errors import (
    NotCalled,
    NotOpen,
    PassUsed,
    QueueClosed,
    SaleStopped,
    SlipExpired,
    SlipUsed,
)
from waiting_room.history.store import History
from waiting_room.interventions import Interventions
from waiting_room.keys import epoch_key
from waiting_room.model import CLOSED, Call, Entry, Join, RoomSettings, Slip, Standing
from waiting_room.node.copies import Copies
from waiting_room.node.hub import Hub
from waiting_room.node.nodes import Nodes
from waiting_room.numbers.recent_waits import RecentWaits
from waiting_room.numbers.refusals import Refusals
from waiting_room.passes.signed import Passes
from waiting_room.policy import BOOKED_GRACE_MS, RESTORE_MS
from waiting_room.rooms import Record, Rooms
from waiting_room.store import QueueStore
from waiting_room.views import EventView, queue_state

T = TypeVar("T")
OnLeft = Callable[[str, Subject], Awaitable[None]]  # event id, who has left
JOINS_AT_ONCE = 200  # one script: some 4 ms of Redis' time

log = logging.getLogger(__name__)


class WaitingRoom:
    def __init__(self, redis: Redis, db: Db, keys: Keys, *, restore_ms: int = RESTORE_MS) -> None:
        """`restore_ms`: for so long nobody is called after a repair."""
        self._redis, self._restore_ms = redis, restore_ms
        self.rooms = Rooms(db)
        self.history = History(db)
        self._pipeline = ScriptPipeline(redis)
        self.store, self.together = QueueStore(redis), QueueStore(self._pipeline)
        self.passes = Passes(keys)
        self.generations = Generations(redis, db, "wr", epoch_key, self._repair)
        self.draws = Draws(self, redis, db, keys)
        self.nodes = Nodes(redis)
        self.hub, self.ends = Hub(self, self.nodes), Ends(self)
        self.on_left: OnLeft | None = None  # where there are seats to let go of
        self._joins = EventBatchers(self._join_all, JOINS_AT_ONCE)
        self._looks = EventBatchers(self.standings, JOINS_AT_ONCE)
        self._let_in = EventBatchers(self._keep_let_in, JOINS_AT_ONCE)
        self._copies = Copies(self)
        self.interventions = Interventions(self)
        self.refusals = Refusals(self)
        self.waits = RecentWaits(self)

    @classmethod
    def build(
        cls, redis: Redis, db: Db, keys: Keys, *, restore_ms: int = RESTORE_MS
    ) -> WaitingRoom:
        return cls(redis, db, keys, restore_ms=restore_ms)

    async def start(self) -> None:
        await self.hub.start()
        await self._copies.start()
        await self.refusals.start()
        await self.waits.start()

    async def stop(self) -> None:
        await self.waits.stop()
        await self.refusals.stop()
        await self._copies.stop()
        await self.hub.stop()
        await self.generations.stop()
        await self.draws.stop()
        for batchers in (self._joins, self._looks, self._let_in):
            await batchers.stop()
        await self._pipeline.stop()

    # -- what fans do -------------------------------------------------------------------------

    async def join(
        self, event_id: str, subject: str, slip: str | None = None, receipt: str | None = None
    ) -> dict[str, Any]:
        """Idempotent. The queue state. Raises NotOpen, QueueClosed, a …Slip… error, BadReceipt.

        Slip and receipt give a place or an entry of the lobby back when Redis lost it. They do
        no harm while their fan stands here. A slip of a place that is over is refused, a receipt
        of an entry that is over counts as none.
        """
        given = await self._slip(event_id, subject, slip) if slip else None
        entry = await self._entry(event_id, subject, receipt) if receipt else None
        standing = await self.enter(event_id, subject, given, entry)
        if standing.kind == "spent":
            assert given is not None
            over = f"place {given.place} is over"
            raise SlipUsed(over) if given.over else SlipExpired(over)
        if standing.kind == "early":
            raise NotOpen(standing.number)
        if standing.kind in CLOSED:
            raise QueueClosed(standing.kind)
        return await self._state(event_id, subject, standing)

    async def enter(
        self, event_id: str, subject: str, slip: Slip | None, entry: Entry | None = None
    ) -> Standing:
        """Join, together with all who join this event at this moment."""
        await self.generations.epoch(event_id)  # nothing is kept for events that are not there
        join = Join(subject, new_id("ad"), slip, entry)
        standing = await self._joins(event_id, join)
        held = standing.admission
        if standing.kind == "admitted" and held is not None and held.kind == "direct":
            # Not only when it is new: PostgreSQL may have refused the row, and the fan tries again.
            await self._let_in(event_id, (Call(subject, held), standing.number))
        self.hub.sees(event_id, standing)
        return standing

    async def _join_all(self, event_id: str, joins: Sequence[Join]) -> list[Standing]:
        """The join script, with the ceiling raised for those who meet it."""
        standings: dict[str, Standing] = {}
        left = list(joins)
        while left:
            epoch, floor = await self.at(event_id)
            replies = await self.guarded(event_id, self.store.join(event_id, epoch, floor, left))
            for join, reply in zip(left, replies, strict=True):
                if isinstance(reply, Standing):
                    standings[join.call_id] = reply
            left = [join for join in left if join.call_id not in standings]
            if left:
                too_low = max(reply for reply in replies if isinstance(reply, int))
                await self.rooms.raise_ceiling(event_id, too_low)
                await self.copy_settings(event_id)
        return [standings[join.call_id] for join in joins]

    async def state(self, event_id: str, subject: str) -> dict[str, Any]:
        """The queue state, the same by poll and by socket; while admitted, with a fresh pass."""
        return await self.described(event_id, subject, await self.standing(event_id, subject))

    async def standing(self, event_id: str, subject: str) -> Standing:
        """Where a fan stands who is here, asked together with all who ask at this moment."""
        await self.generations.epoch(event_id)
        standing = await self._looks(event_id, subject)
        self.hub.sees(event_id, standing)
        return standing

    async def standings(self, event_id: str, subjects: Sequence[str]) -> list[Standing]:
        """Where fans stand. Who still waits when the room is switched off goes straight in."""
        epoch, floor = await self.at(event_id)
        look = self.together.where(event_id, epoch, floor, subjects)
        found = await self.guarded(event_id, look)
        kinds = {"waiting", "drawing"}
        waiting = [who for who, s in zip(subjects, found, strict=True) if s.kind in kinds]
        if not waiting or not await self.straight_in(event_id):
            return found
        entered = await asyncio.gather(*(self.enter(event_id, who, None) for who in waiting))
        now = dict(zip(waiting, entered, strict=True))
        return [now.get(who, standing) for who, standing in zip(subjects, found, strict=True)]

    async def where(self, event_id: str, subject: str) -> Standing:
        epoch, floor = await self.at(event_id)
        found = self.store.where(event_id, epoch, floor, [subject])
        return (await self.guarded(event_id, found))[0]

    async def accept(self, event_id: str, subject: str) -> dict[str, Any]:
        """Idempotent while the admission lives. Raises NotCalled."""
        epoch, floor = await self.at(event_id)
        standing = await self.guarded(event_id, self.store.accept(event_id, epoch, floor, subject))
        if standing is None:
            raise NotCalled
        assert standing.admission is not None
        await self.rooms.accepted(event_id, standing.admission.call_id, standing.number)
        return await self._state(event_id, subject, standing)

    async def leave(self, event_id: str, subject: str) -> dict[str, Any]:
        """PostgreSQL first: a place or an entry given up comes back by no repair and no slip."""
        before = await self.where(event_id, subject)
        if before.entry is not None:
            await self.draws.rows.left(event_id, subject, before.entry.entry_id)
        if before.kind == "waiting":
            await self.rooms.given_up(event_id, before.number)
        epoch, floor = await self.at(event_id)
        ended = await self.guarded(event_id, self.store.leave(event_id, epoch, floor, subject))
        if ended is not None:
            await self.rooms.over(event_id, Call(subject, ended), "left")
            if self.on_left is not None:
                with contextlib.suppress(AppError):  # a hold ends by its own time, too
                    await self.on_left(event_id, Subject(subject))
        return await self._state(event_id, subject, Standing("none"))

    # -- the gate -----------------------------------------------------------------------------

    async def require_admission(self, event_id: str, subject: str, pass_text: str) -> None:
        """Returns only for a good pass and a live admission.

        Raises NotAdmitted, a Pass… error, or StoreUnavailable: never "go on" when unsure.
        """
        if not pass_text:
            raise NotAdmitted("no pass")
        now_ms = await redis_now_ms(self._redis)
        call_id = self.passes.verify(pass_text, event_id, subject, now_ms=now_ms)
        await self.require_live(event_id, subject, call_id)

    async def require_live(self, event_id: str, subject: str, call_id: str) -> Standing:
        """This very admission, not a later one of the fan's. Raises PassUsed."""
        standing = await self.admission(event_id, subject)
        held = standing.admission if standing else None
        if standing is None or held is None or held.call_id != call_id:
            raise PassUsed(f"{call_id} has ended")
        return standing

    async def admission(self, event_id: str, subject: str) -> Standing | None:
        """Where a fan stands who may shop; None for all others.

        An admission from before the opening is none: whoever got in while the room was tried out,
        or before the opening was put off, would be in the shop before everybody else.
        """
        standing = await self.where(event_id, subject)
        if standing.kind != "admitted" or standing.admission is None:
            return None
        opens_at_ms = (await self.copied(event_id)).opens_at_ms
        return standing if standing.admission.called_at_ms >= opens_at_ms else None

    async def require_running(self, event_id: str) -> None:
        """Before seats are taken or paid for. Raises SaleStopped, StoreUnavailable."""
        if (await self.hub.view(event_id)).room.stopped:
            raise SaleStopped(event_id)

    async def extended(self, event_id: str, subject: str, ends_at_ms: int) -> None:
        """A hold or pin put the end off (in Redis, by its own script): PostgreSQL follows."""
        await self.rooms.end_moved(event_id, subject, ends_at_ms)

    async def ended(self, event_id: str, subject: str, reason: str) -> None:
        """`booked` leaves five minutes to look at the tickets; anything else ends it now."""
        standing = await self.where(event_id, subject)
        if standing.kind == "admitted" and standing.admission is not None:
            await self.end_call(event_id, subject, standing.admission.call_id, reason)

    async def end_call(self, event_id: str, subject: str, call_id: str, reason: str) -> bool:
        """As `ended`, of this very admission and no later one; False when it is over already."""
        epoch, floor = await self.at(event_id)
        after_ms = BOOKED_GRACE_MS if reason == "booked" else 0
        ends = self.store.end(event_id, epoch, floor, subject, call_id, after_ms=after_ms)
        if await self.guarded(event_id, ends) is None:
            return False
        await self.rooms.ended(event_id, call_id, reason)
        return True

    # -- what operators do --------------------------------------------------------------------

    async def settings(self, event_id: str) -> RoomSettings:
        room, _ = await self.rooms.get(event_id)
        return room

    async def mode(self, event_id: str) -> str:
        return (await self.copied(event_id)).mode

    async def copied(self, event_id: str) -> RoomSettings:
        """The settings in the node's copy: at most a round old, and no query."""
        return (await self.hub.view(event_id)).room

    async def has_draw(self, event_id: str) -> bool:
        """Whether fans gather for a draw, or were drawn."""
        view = await self.hub.view(event_id)
        return view.lobby_open or view.state.get("draw_entries", 0) > 0

    async def straight_in(self, event_id: str) -> bool:
        return (await self.hub.view(event_id)).straight_in

    async def change_settings(
        self,
        event_id: str,
        expected_version: int,
        *,
        record: Record | None = None,
        **changes: Any,
    ) -> RoomSettings:
        """PostgreSQL first, with what `record` writes, then the copy that the scripts read.

        Raises NotFound, Changed, or StoreUnavailable when PostgreSQL has not taken it. Once it
        has, the change is made: a copy that fails now is made up for by every node (`node.copies`).
        """
        room = await self.rooms.change(event_id, expected_version, changes, record)
        try:
            await self.copy_settings(event_id)
        except StoreUnavailable as exc:
            log.warning("settings not copied yet", extra={"event_id": event_id, "why": str(exc)})
        return room

    async def copy_settings(self, event_id: str) -> None:
        """Bring Redis' copy up to the row. Safe to repeat, and on every node at once."""
        room, ceiling = await self.rooms.get(event_id)
        epoch, floor = await self.at(event_id)
        copied = self.store.copy_settings(event_id, epoch, floor, room, ceiling)
        await self.guarded(event_id, copied)
        self.hub.look_again(event_id)

    async def numbers(self, event_id: str) -> dict[str, Any]:
        return await self.hub.numbers(event_id)

    async def calls(self, event_id: str, after: int = -1) -> list[dict[str, Any]]:
        return await self.rooms.calls(event_id, after)

    # -- inside -------------------------------------------------------------------------------

    async def at(self, event_id: str) -> tuple[Epoch, int]:
        """(epoch, floor) for the next script."""
        epoch = await self.generations.epoch(event_id)
        return epoch, self.hub.floor(event_id, epoch)

    async def guarded(self, event_id: str, call: Awaitable[T]) -> T:
        try:
            return await call
        except Stale as exc:
            self.hub.lost(event_id, exc.epoch, behind=exc.behind)
            raise

    async def _state(self, event_id: str, subject: str, standing: Standing) -> dict[str, Any]:
        body = await self.described(event_id, subject, standing)
        await self.hub.push(event_id, subject, standing)
        return body

    async def described(self, event_id: str, subject: str, standing: Standing) -> dict[str, Any]:
        """The queue state of a fan who stands there."""
        view = await self.hub.view(event_id)
        return self.described_from(view, event_id, subject, standing)

    def described_from(
        self, view: EventView, event_id: str, subject: str, standing: Standing
    ) -> dict[str, Any]:
        body = queue_state(view, self.passes, event_id, subject, standing)
        if standing.entry is not None:
            body["receipt"] = self.draws.receipts.issue(event_id, subject, standing.entry)
        return body

    async def _slip(self, event_id: str, subject: str, text: str) -> Slip:
        """What the slip says, and PostgreSQL of its place."""
        slip = self.passes.read_slip(text, event_id, subject)
        return replace(slip, over=bool(await self.rooms.places_over(event_id, [slip.place])))

    async def _entry(self, event_id: str, subject: str, text: str) -> Entry | None:
        """What the receipt gives back to a fan who has nothing here: None once it is over."""
        entry = self.draws.receipts.read(text, event_id, subject)
        standing = await self.where(event_id, subject)
        if standing.kind != "none":
            return entry
        over = await self.draws.rows.has_left(event_id, subject, entry.entry_id)
        return None if over else entry

    async def _keep_let_in(
        self, event_id: str, let_in: Sequence[tuple[Call, int]]
    ) -> Sequence[None]:
        """Those whom the join script let straight in, now or before, with the ends they have."""
        await self.rooms.keep_admissions(event_id, let_in)
        return [None] * len(let_in)

    async def _somebody_waited(self, event_id: str) -> bool:
        """Whether anybody can have lost a place here, or an entry that is not drawn yet."""
        _, ceiling = await self.rooms.get(event_id)
        return ceiling > 0 or (await self.draws.rows.get(event_id)).entries != 0

    async def _repair(self, event_id: str, epoch: Epoch) -> None:
        if epoch.generation > FIRST and await self._somebody_waited(event_id):
            now_ms = await redis_now_ms(self._redis)
            await self.rooms.stand_still(event_id, now_ms + self._restore_ms)
        room, ceiling = await self.rooms.get(event_id)
        calls = await self.rooms.open_calls(event_id)
        async for over in self.rooms.all_over(event_id):
            await self.store.forget(event_id, over)
        draw = await self.draws.state_after_loss(event_id)
        await self.store.restore(event_id, room, ceiling, calls, draw)
        await self.draws.refill(event_id)
