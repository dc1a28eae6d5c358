"""A node's copy of one event's seats, and the frames that its viewers get.

The copy follows the change log only while somebody looks: every TICK_S while seats change,
slower when they do not, and at once at the end of the next hold (`rounds.py` does it for all
events together). A tick's worth of changes becomes one frame, the last state of each seat, encoded
once for all. A reader that asks for the snapshot makes the copy catch up first, at most once a
tick for all readers together.

After a repair the epoch is another and its versions do not compare. Positions of the channel
are our own and rise through repairs: viewers that were up to date get the difference of the old
copy and the new one as one more frame, and see no jump.
"""

from __future__ import annotations

import asyncio
import gzip
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from core.errors import Stale
from core.generations import Epoch, Generations
from core.live import sse
from core.live.channel import Channel
from core.live.connection import Connection
from seatmap.delta import Cursor, coalesce, difference, resume, shown
from seatmap.model import AVAILABLE, CLAIMED, HELD, OFF_SALE, SHOWN, SOLD, Counts
from seatmap.store import At, SeatStore, Snapshot

TICK_S = 0.05
QUIET_S = 0.2
IDLE_S = 1.0
HOT_FOR_S = 1.0  # after a change
QUIET_FOR_S = 10.0
RETRY_S = 0.5  # after an outage or during a repair
LINGER_S = 5.0  # followed on without viewers, so that a reload costs no snapshot
RING = 1_024  # frames: about a minute of the hottest sale
GZIP_LEVEL = 6

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class SnapshotBytes:
    """The reply of /seats at one cursor, made once for all who ask."""

    cursor: Cursor
    json: bytes
    gzip: bytes


class Follower:
    """One event on one node. `viewer` while a stream is open; `fresh` for a single look."""

    def __init__(
        self,
        event_id: str,
        store: SeatStore,
        generations: Generations,
        *,
        on_nudge: Callable[[], None],
    ) -> None:
        """`on_nudge` is called when the copy has become due at once."""
        self.event_id, self._on_nudge = event_id, on_nudge
        self.channel = Channel(RING, snapshot=self._snapshot_frame, merge=self._merged)
        self._store, self._generations = store, generations
        self._cursor: Cursor | None = None
        self._states = b""
        self._marks: deque[tuple[Cursor, int]] = deque(maxlen=RING + 1)
        self._snapshot: SnapshotBytes | None = None
        self._busy = asyncio.Lock()
        self._asked_at = self._synced_at = self._changed_at = float("-inf")
        self._next_end_at = float("inf")
        self.viewed_at = self.due_at = float("-inf")  # due: for another `sync`, monotonic s

    def floor_in(self, epoch: Epoch) -> int:
        """The version that this node has seen: a server that knows less has lost something."""
        same = self._cursor is not None and self._cursor.epoch == epoch.text
        return self._cursor.version if same and self._cursor else 0

    async def in_epoch(self, call: Callable[[Epoch], Awaitable[Result]]) -> Result:
        """Run in the event's epoch; once more in the newer one when Redis has lost this one.

        To call again is safe: a script that answers Stale has changed nothing.
        """
        epoch = await self._generations.epoch(self.event_id)
        try:
            return await call(epoch)
        except Stale as exc:
            self._generations.forget(self.event_id, exc.epoch, behind=exc.behind)
        return await call(await self._generations.epoch(self.event_id))

    def nudge(self) -> None:
        """This node has just changed something: show it with the next round."""
        self.due_at = self._changed_at = time.monotonic()
        self._on_nudge()

    async def fresh(self) -> SnapshotBytes:
        """The snapshot, no older than a tick. Raises Stale, StoreUnavailable."""
        await self._catch_up()
        return self.snapshot()

    def snapshot(self) -> SnapshotBytes:
        """Of the copy as it is: what the channel's head stands for."""
        assert self._cursor is not None, "fresh() or subscribe() first"
        if self._snapshot is None or self._snapshot.cursor != self._cursor:
            self._snapshot = snapshot_of(self._cursor, self._states)
        return self._snapshot

    @property
    def available(self) -> int:
        """Seats that can be chosen, in the copy as it is."""
        return self._states.count(AVAILABLE)

    async def counts(self) -> Counts:
        await self._catch_up()
        count = {state: self._states.count(state) for state in b"01234"}
        return Counts(
            seats=len(self._states),
            available=count[AVAILABLE],
            held=count[HELD],
            claimed=count[CLAIMED],
            sold=count[SOLD],
            offSale=count[OFF_SALE],
        )

    async def position(self, at: Cursor | None) -> int | None:
        """Where in the channel a client at `at` stands; None: it needs a snapshot first.

        A node that is behind the client catches up first. Next: join the channel there, and
        call `left` when the client is gone.
        """
        await self._catch_up(at)
        self.viewed_at = time.monotonic()
        self.nudge()
        return resume(at, marks=self._marks)

    def left(self, _: Connection) -> None:
        """One viewer less."""
        self.viewed_at = time.monotonic()

    @property
    def wanted(self) -> bool:
        return self.channel.members > 0 or time.monotonic() - self.viewed_at < LINGER_S

    async def sync(self) -> None:
        """Apply what the log has. Raises Stale, StoreUnavailable."""
        async with self._busy:
            await self._sync()

    def put_off(self) -> None:
        """The last `sync` failed: the store did not answer, or is being repaired."""
        self.due_at = time.monotonic() + RETRY_S

    async def _catch_up(self, at: Cursor | None = None) -> None:
        came_at = time.monotonic()
        async with self._busy:
            behind = at is not None and self._cursor is not None and _is_behind(self._cursor, at)
            # Whoever waited here while another reader's sync ran has its result.
            old = self._asked_at < came_at if behind else self._synced_at < came_at - TICK_S
            if self._cursor is None or old:
                await self._sync()

    async def _sync(self) -> None:
        self._asked_at = time.monotonic()
        await self.in_epoch(self._read)
        self._synced_at = time.monotonic()
        self.due_at = self._synced_at + self._pause_s()

    async def _read(self, epoch: Epoch) -> None:
        known = self._cursor
        if known is None or known.epoch != epoch.text:
            self._replace(epoch, await self._store.snapshot(At(self.event_id, epoch, 0)))
            return
        at = At(self.event_id, epoch, known.version)
        news = await self._store.changes(at, after=known.version)
        if news is None:
            self._replace(epoch, await self._store.snapshot(at))
            return
        self._expect_end(news.next_end_ms)
        if news.version > known.version:
            changes = coalesce(news.changes)
            states = bytearray(self._states)
            for seat, state in changes.items():
                states[seat] = state
            self._move(Cursor(epoch.text, news.version), bytes(states), changes)

    def _replace(self, epoch: Epoch, new: Snapshot) -> None:
        cursor = Cursor(epoch.text, new.version)
        self._expect_end(new.next_end_ms)
        if self._cursor is not None and self._cursor.epoch == cursor.epoch:
            # A client may stand in the gap, where another node brought it, and have seen a seat
            # go that came back: the difference does not name it. Only our own readers get it.
            self._marks.clear()
        if len(self._states) == len(new.states):
            self._move(cursor, new.states, difference(self._states, new.states))
        else:
            self._cursor, self._states = cursor, new.states
            self.channel.reset()
            self._marks.clear()
            self._marks.append((cursor, self.channel.head))

    def _move(self, cursor: Cursor, states: bytes, changes: Mapping[int, int]) -> None:
        self._cursor, self._states = cursor, states
        position = self.channel.head + 1
        self.channel.publish(position, _frame(cursor, changes), (cursor, changes))
        self._marks.append((cursor, position))
        self._changed_at = time.monotonic()

    def _snapshot_frame(self) -> bytes:
        snapshot = self.snapshot()
        return sse.frame("snapshot", snapshot.json, str(snapshot.cursor))

    def _merged(self, parts: Sequence[Any]) -> bytes:
        """One frame of several: the last state of each seat, at the cursor of the last."""
        states: dict[int, int] = {}
        for _, changes in parts:
            states |= changes
        return _frame(parts[-1][0], states)

    def _expect_end(self, next_end_ms: int | None) -> None:
        ends_in_s = float("inf") if next_end_ms is None else next_end_ms / 1_000
        self._next_end_at = time.monotonic() + ends_in_s

    def _pause_s(self) -> float:
        now = time.monotonic()
        calm_s = now - self._changed_at
        rhythm_s = TICK_S if calm_s < HOT_FOR_S else QUIET_S if calm_s < QUIET_FOR_S else IDLE_S
        tick_s = max(TICK_S, self.channel.tick_s)
        return max(tick_s, min(rhythm_s, self._next_end_at - now))


def _is_behind(known: Cursor, at: Cursor) -> bool:
    return known.epoch != at.epoch or known.version < at.version


def _frame(cursor: Cursor, changes: Mapping[int, int]) -> bytes:
    return sse.frame("seats", orjson.dumps(shown(changes, SHOWN)), str(cursor))


def snapshot_of(cursor: Cursor, states: bytes) -> SnapshotBytes:
    body = orjson.dumps(
        {
            "epoch": cursor.epoch,
            "version": cursor.version,
            "states": states.translate(SHOWN).decode("ascii"),
        }
    )
    return SnapshotBytes(cursor, body, gzip.compress(body, GZIP_LEVEL, mtime=0))
