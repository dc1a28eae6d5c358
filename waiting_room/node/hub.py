"""One node's part of the waiting room: ticks, its copy of each event, and its fans' sockets.

One loop a node, one round a quarter of a second, for the events that concern this node: those
with fans here, those somebody asked for here, and those whose queue it looks after. A round polls
the log once (not once a fan) and applies it to the copy; then it ticks if it is this node's turn,
tells those fans whose state changed, and reports who is here: at most five commands, however many
wait. Rounds of all events run at once and share round trips (core.pipeline): one to look, one to
act, and one more to announce calls. Events that do not concern this node are let go and cost
nothing; one command a second asks for those that have a queue.

The tick is safe to run on every node at once: the script decides. Calls go into PostgreSQL before
they are announced, so when PostgreSQL is down a called fan stays unannounced, nobody new is
called, and every node sees it by the age of the oldest such call, and says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, cast

from core.errors import NotFound, Stale, StoreUnavailable
from core.generations import Epoch
from core.ids import new_id
from core.live.connection import Connection, Socket
from core.tasks import end
from waiting_room import views
from waiting_room.model import Slip, Standing
from waiting_room.node.local import LocalEvent
from waiting_room.node.nodes import Nodes
from waiting_room.node.teller import Teller
from waiting_room.numbers.waits import JoinTimes
from waiting_room.policy import CALLS_PER_TICK
from waiting_room.views import EventView

if TYPE_CHECKING:
    from waiting_room.service import WaitingRoom

log = logging.getLogger(__name__)

ROUND_S = 0.25
MUSTER_EVERY_S = 1.0
WANTED_S = 10.0  # an event that somebody asked for here is followed so long, without fans here
STEP_IN_MS = 300  # without a tick for so long, a node with fans ticks though another should
ROUNDS_AT_ONCE = 250  # events


class Hub:
    def __init__(self, room: WaitingRoom, nodes: Nodes) -> None:
        self._room, self._nodes = room, nodes
        self._teller = Teller(room)
        self._events: dict[str, LocalEvent] = {}
        self._seen: dict[str, tuple[Epoch, int]] = {}  # epoch, version: of those let go
        self._idle: set[str] = set()  # found so since the last muster
        self._tasks: list[asyncio.Task[None]] = []
        self._mustered_at = float("-inf")

    async def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._run()),
            asyncio.create_task(self._room.generations.watch()),
        ]

    async def stop(self) -> None:
        await end(*self._tasks)
        if self._tasks:
            with contextlib.suppress(StoreUnavailable):  # others notice by the lease, too
                await self._nodes.muster((), lease_ms=0)
        self._tasks.clear()

    def floor(self, event_id: str, epoch: Epoch) -> int:
        """The highest version of the log that this node has seen in this epoch."""
        event = self._events.get(event_id)
        seen = (event.epoch, event.version) if event else self._seen.get(event_id)
        return seen[1] if seen and seen[0] == epoch else 0

    def lost(self, event_id: str, epoch: str = "", *, behind: bool) -> None:
        """A script answered STALE: the next round adopts or repairs, and starts from a snapshot.

        `epoch`, `behind`: as `Generations.forget` takes them.
        """
        if self._room.generations.forget(event_id, epoch, behind=behind):
            self._event(event_id).lost()

    def follows(self, event_id: str) -> bool:
        """Whether this node has a copy of the event: it is there, and not just a made-up id."""
        event = self._events.get(event_id)
        return event is not None and event.view is not None

    def given_at(self, event_id: str) -> JoinTimes:
        """When places were given out, as far as this node has watched."""
        event = self._events.get(event_id)
        return event.given_at if event else JoinTimes()

    def called_lately(self, event_id: str) -> int:
        """Fresh calls of the last minute, as far as this node has watched."""
        event = self._events.get(event_id)
        return event.called_lately if event else 0

    def look_again(self, event_id: str) -> None:
        """The room was changed: whoever asks next is not told from before, and rounds see it."""
        if event := self._events.get(event_id):
            event.doubted_at = event.wanted_at = _now_s()

    def views(self) -> dict[str, EventView]:
        """The copies this node has now, for metrics."""
        return {name: event.view for name, event in self._events.items() if event.view}

    def keep(self, event_id: str) -> EventView | None:
        """The copy as it is; rounds keep it up to date for a while. None: it is to be read yet."""
        event = self._event(event_id)
        event.wanted_at = _now_s()
        return event.view

    async def view(self, event_id: str) -> EventView:
        """The node's copy, read now if there is none yet or it is a round old."""
        event = self._event(event_id)
        event.wanted_at = _now_s()
        if fresh := event.younger_than(ROUND_S):
            return fresh
        async with event.polling:
            return event.younger_than(ROUND_S) or await self._poll(event_id, event)

    async def numbers(self, event_id: str) -> dict[str, Any]:
        return self.numbers_of(event_id, await self.view(event_id))

    def all_numbers(self) -> dict[str, dict[str, Any]]:
        """Of every event that this node has a copy of, as it is."""
        return {
            event_id: self.numbers_of(event_id, view) for event_id, view in self.views().items()
        }

    def numbers_of(self, event_id: str, view: EventView) -> dict[str, Any]:
        """From the node's copy as it is."""
        event = self._events[event_id]
        numbers = views.numbers(view) | {"calledLastMinute": event.called_lately}
        return numbers | ({"binds": "store_down"} if event.out_of_touch else {})

    # -- fans ---------------------------------------------------------------------------------

    async def connect(self, event_id: str, subject: str, socket: Socket) -> None:
        """The fan is here: present from now on, told the state at once and on every change."""
        fan = self._event(event_id).board.add(subject)
        fan.sockets.add(socket)
        standing = await self._room.standing(event_id, subject)
        await self.push(event_id, subject, standing)
        if socket in fan.sockets:
            self._event(event_id).word.join(socket)

    def disconnect(self, event_id: str, subject: str, socket: Connection) -> None:
        """The last socket of a fan leaves the grace behind. Safe to repeat."""
        event = self._events.get(event_id)
        fan = event.board.fans.get(subject) if event else None
        if event is None or fan is None:
            return
        fan.sockets.discard(cast("Socket", socket))
        event.word.leave(socket)
        if not fan.sockets:
            event.board.remove(fan)
            if fan.place:
                event.sees(fan.place)

    def sees(self, event_id: str, standing: Standing) -> None:
        """A fan who stands there was here just now, with or without a socket."""
        if standing.kind == "waiting":
            self._event(event_id).sees(standing.number)

    def sockets_of(self, event_id: str, subject: str) -> int:
        event = self._events.get(event_id)
        fan = event.board.fans.get(subject) if event else None
        return len(fan.sockets) if fan else 0

    async def push(self, event_id: str, subject: str, standing: Standing) -> None:
        """This is where the fan stands now: all of the fan's tabs here are told."""
        event = self._events.get(event_id)
        fan = event.board.fans.get(subject) if event else None
        if event is None or fan is None:
            return
        event.board.stands(fan, standing)
        view = await self.view(event_id)
        if fan.sockets:
            self._teller.tell(event_id, event, view, fan)

    # -- rounds -------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            if _now_s() - self._mustered_at >= MUSTER_EVERY_S:
                await self._muster()
            due = [event_id for event_id in self._events if self._concerns_us(event_id)]
            for begin in range(0, len(due), ROUNDS_AT_ONCE):
                some = due[begin : begin + ROUNDS_AT_ONCE]
                await asyncio.gather(*(self._round_guarded(event_id) for event_id in some))
            await self._let_go()
            await asyncio.sleep(ROUND_S)

    async def _let_go(self) -> None:
        """Forget what no longer concerns this node, but how far it has seen the log."""
        over = [name for name in self._events if not self._concerns_us(name)]
        await asyncio.gather(*(self._let_go_of(event_id) for event_id in over))

    async def _let_go_of(self, event_id: str) -> None:
        """Whom this node saw since its last report is reported first: nobody else saw them."""
        event = self._events[event_id]
        try:
            if event.view is not None and event.seen:
                await self._report(event_id, event, event.view, set(event.seen))
        except Stale:  # the state is another now: who was here comes back with a slip
            log.info("last fans not reported", extra={"event_id": event_id})
        except StoreUnavailable:
            return  # with the next rounds
        except Exception:  # one event's trouble must not stop the queues of all others
            log.exception("last fans not reported", extra={"event_id": event_id})
        if self._concerns_us(event_id):
            return  # somebody came meanwhile
        del self._events[event_id]
        if event.epoch is not None:
            self._seen[event_id] = event.epoch, event.version

    async def _muster(self) -> None:
        self._mustered_at = _now_s()
        with contextlib.suppress(StoreUnavailable):  # the rounds say so
            followed = {name for name, view in self.views().items() if _followed(view)}
            await self._nodes.muster(followed, self._idle | self.views().keys() - followed)
            self._idle.clear()
        for event_id in self._nodes.watched:
            self._event(event_id)

    def _concerns_us(self, event_id: str) -> bool:
        event = self._events[event_id]
        if event.board.fans or event.returning or _now_s() - event.wanted_at < WANTED_S:
            return True
        return event_id in self._nodes.watched

    async def _round_guarded(self, event_id: str) -> None:
        try:
            await self._round(event_id, self._events[event_id])
        except Stale as exc:
            self.lost(event_id, exc.epoch, behind=exc.behind)
        except NotFound:
            del self._events[event_id]
            self._idle.add(event_id)
        except StoreUnavailable as exc:
            self._events[event_id].out_of_touch = True
            log.warning("waiting room stands still", extra={"event_id": event_id, "why": str(exc)})
        except Exception:  # one event's trouble must not stop the queues of all others
            log.exception("waiting room: a round failed", extra={"event_id": event_id})

    async def _round(self, event_id: str, event: LocalEvent) -> None:
        if event.returning:
            await self._bring_back(event_id, event)
        async with event.polling:
            view = await self._poll(event_id, event)
        self._room.draws.wake(event_id, view)
        steps = [self._teller.tell_news(event_id, event, view)]
        if _work(view) and self._our_turn(event_id, view):
            steps.append(self._tick(event_id, view))
        if places := event.to_report(view):
            steps.append(self._report(event_id, event, view, places))
        else:
            event.reported(view, ())
        if event.lapsed or event.ticks:
            steps.append(self._keep(event_id, event))
        for failed in await asyncio.gather(*steps, return_exceptions=True):
            if isinstance(failed, BaseException):
                raise failed

    def _our_turn(self, event_id: str, view: EventView) -> bool:
        late = view.now_ms - view.state.get("ticked_at_ms", 0) > STEP_IN_MS
        return late or self._nodes.prefers_me(event_id)

    async def _poll(self, event_id: str, event: LocalEvent) -> EventView:
        """Under `event.polling`, so that no older answer is applied over a newer one."""
        epoch, floor = await self._room.at(event_id)
        if event.epoch not in {None, epoch}:
            event.lost()  # repaired since, by whichever node
        whole, asked_at = event.view is None, _now_s()
        changes = await self._room.together.changes(event_id, epoch, floor, whole=whole)
        if event.view is None and not whole:  # lost while the answer was on its way
            return await self._poll(event_id, event)
        event.polled_at, event.out_of_touch, event.epoch = asked_at, False, epoch
        return event.apply(changes)

    async def _tick(self, event_id: str, view: EventView) -> None:
        """In a round that turns the page of presence nobody is called; the next makes up for it."""
        room, store = self._room, self._room.together
        epoch, floor = await room.at(event_id)
        if view.now_ms >= view.state.get("page_ends_ms", 0):
            await store.age(event_id, epoch, floor)
            return
        counts, cap = view.counts, view.room.max_active
        free = cap - counts.calling - counts.called - counts.active
        most = min(CALLS_PER_TICK, view.ranks.present, max(0, free))
        ids = [new_id("ad") for _ in range(most)]
        calls = await store.tick(event_id, epoch, floor, call_ids=ids)
        if not calls:
            return
        try:
            await room.rooms.insert_calls(event_id, epoch, calls)
        except Stale:
            raise
        except StoreUnavailable as exc:
            log.warning("calling stands still", extra={"event_id": event_id, "why": str(exc)})
            return
        await store.announce(event_id, epoch, floor, [call.subject for call in calls])

    async def _report(
        self, event_id: str, event: LocalEvent, view: EventView, places: Collection[int]
    ) -> None:
        """Who is here: everybody once a page, and at once those whom the ranks don't count."""
        epoch, floor = await self._room.at(event_id)
        await self._room.together.see(event_id, epoch, floor, places)
        event.reported(view, places)

    async def _keep(self, event_id: str, event: LocalEvent) -> None:
        """What the log told goes into PostgreSQL."""
        if lapsed := tuple(event.lapsed):
            await self._room.rooms.lapsed(event_id, lapsed)
            del event.lapsed[: len(lapsed)]
        if noted := tuple(event.ticks):
            epoch, _ = await self._room.at(event_id)
            await self._room.history.note(event_id, epoch.generation, noted)
            for _ in noted:
                event.ticks.popleft()

    async def _bring_back(self, event_id: str, event: LocalEvent) -> None:
        """After a repair: fans connected here get the places back that they had."""
        fans = [fan for fan in event.board.fans.values() if fan.place]
        over = await self._room.rooms.places_over(event_id, [fan.place for fan in fans])
        joins = [
            self._room.enter(
                event_id,
                fan.subject,
                Slip(fan.place, fan.standing.generation, over=fan.place in over),
            )
            for fan in fans
        ]
        left, _ = await self._room.draws.rows.all_left(event_id)
        joins += [
            self._room.enter(event_id, fan.subject, None, entry)
            for fan in event.gathered()
            if (entry := fan.standing.entry) and entry.entry_id not in left
        ]
        for refused in await asyncio.gather(*joins, return_exceptions=True):
            if isinstance(refused, BaseException):
                raise refused
        event.returning = False

    # -- inside -------------------------------------------------------------------------------

    def _event(self, event_id: str) -> LocalEvent:
        event = self._events.get(event_id)
        if event is None:
            event = self._events[event_id] = LocalEvent()
            event.epoch, event.version = self._seen.pop(event_id, (None, 0))
        return event


def _work(view: EventView) -> bool:
    """Whether there is something to look after."""
    counts = view.counts
    draining = view.room.intake == "draining"  # its end must be seen
    return bool(view.ranks.present or counts.calling or counts.called or counts.ended or draining)


def _followed(view: EventView) -> bool:
    """Whether a node keeps an eye on it even if nobody asks: also to draw what is in the lobby."""
    shopping = view.counts.active > 0  # their ends are put off while the sale stands still
    return _work(view) or shopping or view.counts.lobby > 0 or view.draw_due


def _now_s() -> float:
    return asyncio.get_running_loop().time()
