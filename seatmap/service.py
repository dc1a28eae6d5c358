"""The seat map of a node: seats are taken and freed through it, and shown from its copies."""

from __future__ import annotations

import asyncio
import gzip
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from redis.asyncio import Redis

from core.db import Db, load_queries
from core.errors import NotFound
from core.generations import Epoch, Generations
from core.ids import HoldId, Subject
from core.pipeline import ScriptPipeline
from core.tasks import end
from seatmap.errors import NoHold
from seatmap.follower import Follower
from seatmap.keys import epoch_key
from seatmap.model import AVAILABLE, CLAIMED, OFF_SALE, SOLD, Alternative, Counts, Fate, Hold
from seatmap.rounds import Rounds
from seatmap.store import MAX_FATES, At, SeatStore

MAX_KEPT_PLANS = 8  # gzip, about 0.5 MB for the largest
FATE_STATE = {"available": AVAILABLE, "claimed": CLAIMED, "sold": SOLD}

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """A plan as it goes out. Immutable: `sha256` names it for ever."""

    plan_id: str
    sha256: str
    packed: bytes  # JSON, gzip

    def json(self) -> bytes:
        return gzip.decompress(self.packed)


class SeatMap:
    """Everything raises Stale (503, a repair is under way) and StoreUnavailable."""

    def __init__(self, redis: Redis, db: Db) -> None:
        self._db = db
        self._sql = load_queries("seatmap")
        self._pipeline = ScriptPipeline(redis)
        self._store, self._together = SeatStore(redis), SeatStore(self._pipeline)
        self._generations = Generations(redis, db, "sm", epoch_key, self.repair)
        self._followers: dict[str, Follower] = {}
        self._rounds = Rounds()
        self._plans: OrderedDict[str, PlanDocument] = OrderedDict()
        self._watch: asyncio.Task[None] | None = None

    @classmethod
    def build(cls, redis: Redis, db: Db) -> SeatMap:
        return cls(redis, db)

    async def start(self) -> None:
        self._watch = asyncio.create_task(self._generations.watch())

    async def stop(self) -> None:
        """Stopping twice is fine."""
        await self._rounds.stop()
        await self._pipeline.stop()
        if self._watch is not None:
            await end(self._watch)
            self._watch = None
        await self._generations.stop()

    async def hold(
        self,
        event_id: str,
        *,
        hold_id: HoldId,
        subject: Subject,
        alternatives: Sequence[Alternative],
        max_tickets: int,
        booked: int,
        hold_ms: int,
        admission_key: str,
    ) -> Hold:
        """Lock the first wholly free alternative. Safe to repeat with the same hold id.

        Replaces the fan's earlier hold, all or nothing, unless a booking is taking that.
        `booked`: how many tickets of the event the fan has already. The caller must not send
        seats that the event does not sell.

        Raises NotAdmitted, SeatsTaken, TooManyTickets; NoHold when the id is another fan's.
        """
        return await self._change(
            event_id,
            lambda at: self._store.hold(
                at,
                hold_id=hold_id,
                subject=subject,
                alternatives=alternatives,
                max_tickets=max_tickets,
                booked=booked,
                hold_ms=hold_ms,
                admission_key=admission_key,
            ),
        )

    async def release(self, event_id: str, *, hold_id: HoldId, subject: Subject) -> bool:
        """False when there was nothing to release. Raises HoldEnded: a booking is taking it."""
        return await self._change(
            event_id, lambda at: self._store.release(at, hold_id=hold_id, subject=subject)
        )

    async def pin(
        self,
        event_id: str,
        *,
        hold_id: HoldId,
        subject: Subject,
        fence: str,
        pin_ms: int,
        admission_key: str,
    ) -> Hold:
        """Make the hold outlive a claim that is made within `pin_ms`. Raises HoldEnded.

        Next: claim in PostgreSQL, or `unpin`.
        """
        return await self._change(
            event_id,
            lambda at: self._store.pin(
                at,
                hold_id=hold_id,
                subject=subject,
                fence=fence,
                pin_ms=pin_ms,
                admission_key=admission_key,
            ),
        )

    async def unpin(self, event_id: str, *, hold_id: HoldId, fence: str) -> bool:
        """The claim was not made. False when there is no such pin any more."""
        return await self._change(
            event_id, lambda at: self._store.unpin(at, hold_id=hold_id, fence=fence)
        )

    async def apply(self, event_id: str, *, hold_id: str, state: str, fates: Sequence[Fate]) -> int:
        """Lay what PostgreSQL says: 'claimed', 'sold' or 'available'. How many were news.

        For the relay and the reconciler. Safe to repeat and to send in any order.
        """
        news = 0
        for first in range(0, len(fates), MAX_FATES):
            chunk = fates[first : first + MAX_FATES]
            news += await self._apply(event_id, hold_id, FATE_STATE[state], chunk)
        return news

    async def mine(self, event_id: str, subject: Subject) -> Hold:
        """The fan's live hold. Raises NoHold."""
        found = await self._change(
            event_id, lambda at: self._store.mine(at, subject=subject), changes=False
        )
        if found is None:
            raise NoHold(subject)
        return found

    async def know(self, event_id: str) -> None:
        """Read what `put_off` needs of PostgreSQL, for when that is away. Cheap to repeat."""
        await self.follower(event_id)
        await self._generations.epoch(event_id)

    async def put_off(self, event_id: str, since_ms: int, until_ms: int) -> int:
        """Give all holds the time of a standstill, once; how many this call put off.

        Safe to repeat and on every node at once. While PostgreSQL is away, only of events that
        this node knows.
        """
        moved, left = 0, True
        while left:
            some, left = await self._change(
                event_id,
                lambda at: self._store.put_off(at, since_ms=since_ms, until_ms=until_ms),
                changes=False,
            )
            moved += some
        return moved

    async def counts(self, event_id: str) -> Counts:
        return await (await self.follower(event_id)).counts()

    def available(self, event_id: str) -> int:
        """How many seats can be chosen, in the copy of an event that has a follower here."""
        return self._followers[event_id].available

    def viewers(self, event_id: str) -> int:
        """How many streams of its map are open here."""
        follower = self._followers.get(event_id)
        return follower.channel.members if follower else 0

    async def plan(self, event_id: str) -> PlanDocument:
        """Raises NotFound."""
        row = await self._plan_row(event_id)
        kept = self._plans.get(row["plan_id"])
        if kept is None:
            document = await self._db.fetchval(self._sql["plan_document"], row["plan_id"])
            kept = PlanDocument(row["plan_id"], row["sha256"], document)
            self._plans[kept.plan_id] = kept
            if len(self._plans) > MAX_KEPT_PLANS:
                self._plans.popitem(last=False)
        return kept

    async def follower(self, event_id: str) -> Follower:
        """This node's copy. Raises NotFound."""
        if event_id not in self._followers:
            await self._plan_row(event_id)  # so that made-up ids leave nothing behind
            store, generations, wake = self._together, self._generations, self._rounds.wake
            made = Follower(event_id, store, generations, on_nudge=wake)
            self._followers.setdefault(event_id, made)
        return self._followers[event_id]

    def follow(self, follower: Follower) -> None:
        """Keep a copy up to date as long as it has viewers."""
        self._rounds.follow(follower)

    async def repair(self, event_id: str, epoch: Epoch) -> None:
        """Lay PostgreSQL's truth over what Redis has left; surviving locks stay.

        `Generations` calls it while the epoch key is gone, so that nothing else writes.
        """
        row = await self._plan_row(event_id)
        states = bytearray([OFF_SALE]) * row["seats"]
        revs = bytearray(4 * row["seats"])
        for ticket in await self._db.fetch(self._sql["seat_truth"], event_id):
            seat = ticket["seat_index"]
            states[seat] = FATE_STATE[ticket["state"] or "available"]
            revs[seat * 4 : seat * 4 + 4] = ticket["rev"].to_bytes(4, "big")
        await self._store.lay(event_id, epoch, bytes(states), bytes(revs))

    async def _plan_row(self, event_id: str) -> Any:
        row = await self._db.fetchrow(self._sql["plan_of_event"], event_id)
        if row is None:
            raise NotFound(event_id)
        return row

    async def _apply(self, event_id: str, hold_id: str, state: int, fates: Sequence[Fate]) -> int:
        return await self._change(
            event_id,
            lambda at: self._store.apply(at, hold_id=hold_id, state=state, fates=fates),
        )

    async def _change(
        self,
        event_id: str,
        call: Callable[[At], Awaitable[tuple[int, Result]]],
        *,
        changes: bool = True,
    ) -> Result:
        follower = await self.follower(event_id)
        _, result = await follower.in_epoch(
            lambda epoch: call(At(event_id, epoch, follower.floor_in(epoch)))
        )
        if changes:
            follower.nudge()
        return result
