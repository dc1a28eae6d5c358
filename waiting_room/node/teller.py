"""What fans who are connected here are told, and when: to all at once where it is the same for all.

A change of terms, and how the ranks go on falling (`ranks/line.py`), is one frame for everybody,
encoded once. A fan is told alone where they stand: a call, an end, a place, a rank that others
moved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import orjson

from core.live import websocket
from waiting_room.draw.store import MAX_SUBJECTS
from waiting_room.model import Standing
from waiting_room.node.local import LocalEvent
from waiting_room.ranks.board import UNASKED, LocalFan
from waiting_room.views import EventView, word_to_all

if TYPE_CHECKING:
    from waiting_room.service import WaitingRoom

ASK_AT_ONCE = 1_000  # fans whose standing one command asks for
TELL_AT_ONCE = 250  # fans told before others have their turn in the process


class Teller:
    def __init__(self, room: WaitingRoom) -> None:
        self._room = room

    async def tell_news(self, event_id: str, event: LocalEvent, view: EventView) -> None:
        """All that came of the last look: Redis is asked only about fans who moved."""
        await self._tell_drawn(event_id, event, view)
        entered, event.phase = view.phase != event.phase, view.phase
        await self._tell_moved(event_id, event, view, all_in=entered and view.straight_in)
        to_all, due = event.news(view)
        if entered:
            due = [*event.board.fans.values()]
        if to_all:
            event.word.say(websocket.text(orjson.dumps(word_to_all(view))))
        await self._tell_all(event_id, event, view, due)

    def tell(self, event_id: str, event: LocalEvent, view: EventView, fan: LocalFan) -> None:
        """From memory: no store is asked. Who has just come is told with the answer to that."""
        if fan.standing is UNASKED:
            return
        body = self._room.described_from(view, event_id, fan.subject, fan.standing)
        event.board.told(fan, body.get("mark", 0), view.now_ms)
        frame = websocket.text(orjson.dumps(body))
        for socket in fan.sockets:
            socket.send(frame)

    async def _tell_drawn(self, event_id: str, event: LocalEvent, view: EventView) -> None:
        """While places are laid: one question for many fans, and an answer for those laid."""
        asked = event.ask_for(view, MAX_SUBJECTS)
        if not asked:
            return
        epoch, floor = await self._room.at(event_id)
        places = await self._room.draws.store.places(event_id, epoch, floor, asked)
        told = []
        for subject, place in zip(asked, places, strict=True):
            fan = event.board.fans.get(subject)
            if fan is not None and place and fan.standing.entry is not None:
                standing = Standing("waiting", place, generation=epoch.generation)
                event.board.stands(fan, standing)
                told.append(fan)
        await self._tell_all(event_id, event, view, told)

    async def _tell_moved(
        self, event_id: str, event: LocalEvent, view: EventView, *, all_in: bool
    ) -> None:
        """`all_in`: the room was switched off, and who waits may go in."""
        if event.all_moved:
            event.moved.update(event.board.fans)
            event.all_moved = False
        if all_in:
            waiting = (f for f in event.board.fans.values() if f.place or f.standing.entry)
            event.moved.update(fan.subject for fan in waiting)
        moved = list(event.moved)
        for begin in range(0, len(moved), ASK_AT_ONCE):
            some = moved[begin : begin + ASK_AT_ONCE]
            standings = await self._room.standings(event_id, some)
            event.moved.difference_update(some)
            for subject, standing in zip(some, standings, strict=True):
                if fan := event.board.fans.get(subject):
                    event.board.stands(fan, standing)
                    self.tell(event_id, event, view, fan)

    async def _tell_all(
        self, event_id: str, event: LocalEvent, view: EventView, fans: Sequence[LocalFan]
    ) -> None:
        for number, fan in enumerate(fans, 1):
            if fan.sockets:
                self.tell(event_id, event, view, fan)
            if number % TELL_AT_ONCE == 0:
                await asyncio.sleep(0)
