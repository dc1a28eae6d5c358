"""One node's part of the waiting room: ticks, its copy of each event, and its fans' sockets.

One loop a node, one round a quarter of a second. For each event that has fans here or a queue,
a round polls the log once (not once a fan), applies it to the copy, runs the admission tick, and
tells those fans whose state changed. The tick is safe to run on every node at once: the script
decides. Calls go into PostgreSQL before they are announced, so when PostgreSQL is down a called
fan stays unannounced, nobody new is called, and the pages say why.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from core.errors import NotFound, Stale, StoreUnavailable
from core.ids import new_id
from core.live.sockets import LiveSocket
from waiting_room import views
from waiting_room.model import Standing
from waiting_room.policy import worth_telling
from waiting_room.store import Changes
from waiting_room.views import EventView

if TYPE_CHECKING:
    from waiting_room.service import WaitingRoom

log = logging.getLogger(__name__)

ROUND_S = 0.25
IDLE_ROUND_S = 1.0  # for events without fans here, so that a queue never waits for its fans' node
RENEW_EVERY_S = 20.0  # presence of the fans connected here
RENEW_BATCH = 500
CALLS_PER_TICK = 200
RECENT_MS = 60_000  # how far back `calledLastMinute` looks


@dataclass(slots=True, eq=False)
class LocalFan:
    """A fan connected here. `place` is 0 while they do not wait."""

    subject: str
    sockets: set[LiveSocket] = field(default_factory=set)
    place: int = 0
    shown_rank: int = 0
    shown_at_ms: int = 0


@dataclass(slots=True, eq=False)
class LocalEvent:
    view: EventView | None = None
    version: int = 0
    fans: dict[str, LocalFan] = field(default_factory=dict)
    fresh: deque[tuple[int, int]] = field(default_factory=deque)  # (ms, fresh calls so far)
    renewed_at_ms: int = 0
    polled_at: float = 0.0
    returning: bool = False  # after a repair: fans here are presented again


class Hub:
    def __init__(self, room: WaitingRoom) -> None:
        self._room = room
        self._events: dict[str, LocalEvent] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Also for events that nobody is connected to here: their queues move on."""
        for event_id in await self._room.rooms.all():
            self._events.setdefault(event_id, LocalEvent())
        self._tasks = [
            asyncio.create_task(self._run()),
            asyncio.create_task(self._room.generations.watch()),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def floor(self, event_id: str) -> int:
        event = self._events.get(event_id)
        return event.version if event else 0

    def lost(self, event_id: str, *, behind: bool) -> None:
        """A script answered STALE: the next round adopts or repairs, and starts from a snapshot."""
        self._room.generations.forget(event_id, behind=behind)
        event = self._events.setdefault(event_id, LocalEvent())
        event.version, event.view, event.returning = 0, None, True

    async def view(self, event_id: str) -> EventView:
        """The node's copy, read now if there is none yet or it is a round old."""
        event = self._events.setdefault(event_id, LocalEvent())
        loop = asyncio.get_running_loop()
        if event.view is None or loop.time() - event.polled_at > ROUND_S:
            await self._poll(event_id, event)
        assert event.view is not None
        return event.view

    async def numbers(self, event_id: str) -> dict[str, Any]:
        view = await self.view(event_id)
        event = self._events[event_id]
        fresh = view.state.get("fresh", 0)
        before = event.fresh[0][1] if event.fresh else fresh
        return views.numbers(view) | {"calledLastMinute": fresh - before}

    # -- fans ---------------------------------------------------------------------------------

    async def connect(self, event_id: str, subject: str, socket: LiveSocket) -> None:
        """The fan is here: present from now on, told the state at once and on every change."""
        event = self._events.setdefault(event_id, LocalEvent())
        fan = event.fans.setdefault(subject, LocalFan(subject))
        fan.sockets.add(socket)
        await self._see(event_id, [subject])
        await self._tell(event_id, event, fan)

    async def disconnect(self, event_id: str, subject: str, socket: LiveSocket) -> None:
        """The last socket of a fan leaves the grace behind."""
        event = self._events[event_id]
        fan = event.fans.get(subject)
        if fan is None:
            return
        fan.sockets.discard(socket)
        if not fan.sockets:
            del event.fans[subject]
            with contextlib.suppress(StoreUnavailable):
                await self._see(event_id, [subject])

    def sockets_of(self, event_id: str, subject: str) -> int:
        event = self._events.get(event_id)
        fan = event.fans.get(subject) if event else None
        return len(fan.sockets) if fan else 0

    async def push(self, event_id: str, subject: str) -> None:
        """Something about this fan changed here: all of the fan's tabs are told."""
        event = self._events.get(event_id)
        fan = event.fans.get(subject) if event else None
        if event is not None and fan is not None:
            await self._tell(event_id, event, fan)

    # -- rounds -------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            for event_id in list(self._events):
                await self._round_guarded(event_id)
            await asyncio.sleep(ROUND_S)

    async def _round_guarded(self, event_id: str) -> None:
        try:
            await self._round(event_id)
        except Stale as exc:
            self.lost(event_id, behind="version" in str(exc))
        except NotFound:
            self._events.pop(event_id, None)
        except StoreUnavailable as exc:
            log.warning("waiting room stands still", extra={"event_id": event_id, "why": str(exc)})

    async def _round(self, event_id: str) -> None:
        event = self._events[event_id]
        quiet = not event.fans and (event.view is None or event.view.counts.waiting == 0)
        age_s = asyncio.get_running_loop().time() - event.polled_at
        if quiet and age_s < IDLE_ROUND_S:
            return
        if event.returning:
            await self._bring_back(event_id, event)
        changes = await self._poll(event_id, event)
        await self._tick(event_id, event)
        await self._after_changes(event_id, event, changes)

    async def _poll(self, event_id: str, event: LocalEvent) -> Changes:
        room = self._room
        epoch, floor = await room.at(event_id)
        changes = await room.store.changes(event_id, epoch, floor)
        if event.view is None:
            event.view = EventView(changes.settings, changes.now_ms)
            changes.gap = True
        view = event.view
        view.room, view.now_ms = changes.settings, changes.now_ms
        view.counts, view.state = changes.counts, changes.state
        if changes.gap:
            event.version, bitmap = await room.store.snapshot(event_id, epoch, floor)
            view.ranks.load(bitmap)
        else:
            for _, field_name, value in changes.entries:
                if field_name in "+-":
                    view.ranks.set(int(value), field_name == "+")
            event.version = changes.version
        event.polled_at = asyncio.get_running_loop().time()
        event.fresh.append((view.now_ms, view.state.get("fresh", 0)))
        while event.fresh[0][0] < view.now_ms - RECENT_MS:
            event.fresh.popleft()
        return changes

    async def _tick(self, event_id: str, event: LocalEvent) -> None:
        view = event.view
        assert view is not None
        if not (view.counts.waiting or view.counts.calling or view.counts.called):
            return
        room = self._room
        epoch, floor = await room.at(event_id)
        ids = [new_id("ad") for _ in range(CALLS_PER_TICK)]
        calls = await room.store.tick(event_id, epoch, floor, call_ids=ids)
        if not calls:
            return
        try:
            await room.rooms.insert_calls(event_id, calls)
        except StoreUnavailable:
            view.postgres_down = True
            raise
        view.postgres_down = False
        await room.store.announce(event_id, epoch, floor, [call.subject for call in calls])

    async def _after_changes(self, event_id: str, event: LocalEvent, changes: Changes) -> None:
        view = event.view
        assert view is not None
        lapsed = [value for _, name, value in changes.entries if name == "lapsed"]
        if lapsed:
            await self._room.rooms.lapsed(event_id, lapsed)
        moved = {value for _, name, value in changes.entries if name in {"call", "lapsed"}}
        for fan in list(event.fans.values()):
            if changes.gap or fan.subject in moved:
                await self._tell(event_id, event, fan)
            elif fan.place:
                self._tell_rank(event_id, event, fan)
        if event.fans and view.now_ms - event.renewed_at_ms > RENEW_EVERY_S * 1000:
            event.renewed_at_ms = view.now_ms
            await self._see(event_id, list(event.fans))

    async def _see(self, event_id: str, subjects: list[str]) -> None:
        for begin in range(0, len(subjects), RENEW_BATCH):
            epoch, floor = await self._room.at(event_id)
            batch = subjects[begin : begin + RENEW_BATCH]
            await self._room.store.see(event_id, epoch, floor, batch)

    async def _bring_back(self, event_id: str, event: LocalEvent) -> None:
        """After a repair: fans connected here get the places back that they had."""
        for fan in list(event.fans.values()):
            if fan.place and not await self._room.rooms.place_called(event_id, fan.place):
                await self._room.enter(event_id, fan.subject, fan.place)
        event.returning = False

    # -- telling ------------------------------------------------------------------------------

    async def _tell(self, event_id: str, event: LocalEvent, fan: LocalFan) -> None:
        """Ask Redis where this fan stands and say so. For a fan whose state changed."""
        standing = await self._room.where(event_id, fan.subject)
        fan.place = standing.number if standing.kind == "waiting" else 0
        body = await self._room.described(event_id, fan.subject, standing)
        self._send(event, fan, body)

    def _tell_rank(self, event_id: str, event: LocalEvent, fan: LocalFan) -> None:
        """From memory, for a fan who merely moved up."""
        view = event.view
        assert view is not None
        rank = view.ranks.rank(fan.place)
        if worth_telling(fan.shown_rank, rank, since_ms=view.now_ms - fan.shown_at_ms):
            standing = Standing("waiting", fan.place)
            body = self._room.described_from(view, event_id, fan.subject, standing)
            self._send(event, fan, body)

    def _send(self, event: LocalEvent, fan: LocalFan, body: dict[str, Any]) -> None:
        view = event.view
        fan.shown_rank = body.get("rank", 0)
        fan.shown_at_ms = view.now_ms if view else 0
        frame = orjson.dumps(body)
        for socket in fan.sockets:
            socket.send(frame)
