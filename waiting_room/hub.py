"""One node's part of the waiting room: ticks, its copy of each event, and its fans' sockets.

One loop a node, one round a quarter of a second. For each event that has fans here or a queue,
a round polls the log once (not once a fan), applies it to the copy, runs the admission tick, and
tells those fans whose state changed. The tick is safe to run on every node at once: the script
decides. Calls go into PostgreSQL before they are announced, so when PostgreSQL is down a called
fan stays unannounced, nobody new is called, and the pages say why.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, cast

import orjson

from core.errors import NotFound, Stale, StoreUnavailable
from core.ids import new_id
from core.live import websocket
from core.live.connection import Connection, Socket
from core.tasks import end
from waiting_room import views
from waiting_room.local import LocalEvent, LocalFan
from waiting_room.policy import worth_telling
from waiting_room.views import EventView

if TYPE_CHECKING:
    from waiting_room.service import WaitingRoom

log = logging.getLogger(__name__)

ROUND_S = 0.25
IDLE_ROUND_S = 1.0  # for events without fans here, so that a queue never waits for its fans' node
RENEW_EVERY_S = 20.0  # presence of the fans connected here
RENEW_BATCH = 500
CALLS_PER_TICK = 200


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
        await end(*self._tasks)
        self._tasks.clear()

    def floor(self, event_id: str) -> int:
        event = self._events.get(event_id)
        return event.version if event else 0

    def lost(self, event_id: str, *, behind: bool) -> None:
        """A script answered STALE: the next round adopts or repairs, and starts from a snapshot."""
        self._room.generations.forget(event_id, behind=behind)
        self._events.setdefault(event_id, LocalEvent()).lost()

    def look_again(self, event_id: str) -> None:
        """This node changed the room itself: whoever asks next is not told from before."""
        if event := self._events.get(event_id):
            event.polled_at = 0.0

    def views(self) -> dict[str, EventView]:
        """The copies this node has now, for metrics."""
        return {name: event.view for name, event in self._events.items() if event.view}

    async def view(self, event_id: str) -> EventView:
        """The node's copy, read now if there is none yet or it is a round old."""
        event = self._events.setdefault(event_id, LocalEvent())
        async with event.polling:
            if event.view is not None and _age_s(event) <= ROUND_S:
                return event.view
            return await self._poll(event_id, event)

    async def numbers(self, event_id: str) -> dict[str, Any]:
        numbers = views.numbers(await self.view(event_id))
        return numbers | {"calledLastMinute": self._events[event_id].called_lately}

    # -- fans ---------------------------------------------------------------------------------

    async def connect(self, event_id: str, subject: str, socket: Socket) -> None:
        """The fan is here: present from now on, told the state at once and on every change."""
        event = self._events.setdefault(event_id, LocalEvent())
        fan = event.fans.setdefault(subject, LocalFan(subject))
        fan.sockets.add(socket)
        await self._see(event_id, [subject])
        await self._tell(event_id, fan)

    def disconnect(self, event_id: str, subject: str, socket: Connection) -> None:
        """The last socket of a fan leaves the grace behind, with the next round."""
        event = self._events.get(event_id)
        fan = event.fans.get(subject) if event else None
        if event is None or fan is None:
            return
        fan.sockets.discard(cast("Socket", socket))
        if not fan.sockets:
            del event.fans[subject]
            event.left.add(subject)

    def sockets_of(self, event_id: str, subject: str) -> int:
        event = self._events.get(event_id)
        fan = event.fans.get(subject) if event else None
        return len(fan.sockets) if fan else 0

    async def push(self, event_id: str, subject: str) -> None:
        """Something about this fan changed here: all of the fan's tabs are told."""
        event = self._events.get(event_id)
        fan = event.fans.get(subject) if event else None
        if event is not None and fan is not None:
            await self._tell(event_id, fan)

    # -- rounds -------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            for event_id in list(self._events):
                await self._round_guarded(event_id)
            await asyncio.sleep(ROUND_S)

    async def _round_guarded(self, event_id: str) -> None:
        try:
            await self._round(event_id, self._events[event_id])
        except Stale as exc:
            self.lost(event_id, behind="version" in str(exc))
        except NotFound:
            self._events.pop(event_id, None)
        except StoreUnavailable as exc:
            log.warning("waiting room stands still", extra={"event_id": event_id, "why": str(exc)})
        except Exception:  # one event's trouble must not stop the queues of all others
            log.exception("waiting room: a round failed", extra={"event_id": event_id})

    async def _round(self, event_id: str, event: LocalEvent) -> None:
        quiet = not (event.fans or event.left) and (
            event.view is None or event.view.counts.waiting == 0
        )
        if quiet and _age_s(event) < IDLE_ROUND_S:
            return
        if event.returning:
            await self._bring_back(event_id, event)
        async with event.polling:
            view = await self._poll(event_id, event)
        await self._tick(event_id, view)
        await self._tell_news(event_id, event, view)
        if event.fans and view.now_ms - event.renewed_at_ms > RENEW_EVERY_S * 1000:
            event.renewed_at_ms = view.now_ms
            await self._see(event_id, list(event.fans))
        if event.left:
            left, event.left = event.left, set()
            await self._see(event_id, [subject for subject in left if subject not in event.fans])
        if event.lapsed:
            told = len(event.lapsed)
            await self._room.rooms.lapsed(event_id, event.lapsed[:told])
            del event.lapsed[:told]

    async def _poll(self, event_id: str, event: LocalEvent) -> EventView:
        """Under `event.polling`, so that no older answer is applied over a newer one."""
        room = self._room
        epoch, floor = await room.at(event_id)
        changes = await room.store.changes(event_id, epoch, floor)
        bitmap = None
        if changes.gap or event.view is None:
            bitmap = await room.store.snapshot(event_id, epoch, floor)
        event.polled_at = asyncio.get_running_loop().time()
        return event.apply(changes, bitmap)

    async def _tick(self, event_id: str, view: EventView) -> None:
        counts, room = view.counts, self._room
        if not (counts.waiting or counts.calling or counts.called or counts.ended):
            return
        epoch, floor = await room.at(event_id)
        ids = [new_id("ad") for _ in range(CALLS_PER_TICK)]
        calls = await room.store.tick(event_id, epoch, floor, call_ids=ids)
        if not calls:
            return
        try:
            await room.rooms.insert_calls(event_id, calls)
        except StoreUnavailable as exc:
            view.postgres_down = True
            log.warning("calling stands still", extra={"event_id": event_id, "why": str(exc)})
            return
        view.postgres_down = False
        await room.store.announce(event_id, epoch, floor, [call.subject for call in calls])

    async def _tell_news(self, event_id: str, event: LocalEvent, view: EventView) -> None:
        """Ask Redis only about fans who moved; the rest is told from memory."""
        if event.all_moved:
            event.moved.update(event.fans)
            event.all_moved = False
        everybody, event.terms = view.terms != event.terms, view.terms
        if everybody and view.room.mode == "off" and not view.room.stopped:
            event.moved.update(fan.subject for fan in event.fans.values() if fan.place)
        while event.moved:
            subject = event.moved.pop()
            try:
                await self.push(event_id, subject)
            except StoreUnavailable:
                event.moved.add(subject)
                raise
        for fan in event.fans.values():
            if everybody or (fan.place and self._rank_moved(view, fan)):
                body = self._room.described_from(view, event_id, fan.subject, fan.standing)
                self._send(view, fan, body)

    async def _see(self, event_id: str, subjects: list[str]) -> None:
        for begin in range(0, len(subjects), RENEW_BATCH):
            epoch, floor = await self._room.at(event_id)
            batch = subjects[begin : begin + RENEW_BATCH]
            await self._room.store.see(event_id, epoch, floor, batch)

    async def _bring_back(self, event_id: str, event: LocalEvent) -> None:
        """After a repair: fans connected here get the places back that they had."""
        places = {fan.subject: fan.place for fan in event.fans.values() if fan.place}
        called = await self._room.rooms.places_called(event_id, list(places.values()))
        for subject, place in places.items():
            await self._room.enter(event_id, subject, None if place in called else place)
        event.returning = False

    # -- telling ------------------------------------------------------------------------------

    async def _tell(self, event_id: str, fan: LocalFan) -> None:
        """Ask Redis where this fan stands and say so. For a fan whose state changed."""
        fan.standing = await self._room.standing(event_id, fan.subject)
        view = await self.view(event_id)
        body = self._room.described_from(view, event_id, fan.subject, fan.standing)
        self._send(view, fan, body)

    def _rank_moved(self, view: EventView, fan: LocalFan) -> bool:
        rank = view.ranks.rank(fan.place)
        return worth_telling(fan.shown_rank, rank, since_ms=view.now_ms - fan.shown_at_ms)

    def _send(self, view: EventView, fan: LocalFan, body: dict[str, Any]) -> None:
        fan.shown_rank, fan.shown_at_ms = body.get("rank", 0), view.now_ms
        frame = websocket.text(orjson.dumps(body))
        for socket in fan.sockets:
            socket.send(frame)


def _age_s(event: LocalEvent) -> float:
    return asyncio.get_running_loop().time() - event.polled_at
