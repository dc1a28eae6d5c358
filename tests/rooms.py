"""Waiting rooms of nodes as tests meet them.

maker_for()   make_sale, and each of the rooms has the event's live state
Tab           a fan's open page, as its frames tell it
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import orjson
from websockets.frames import Opcode

from core.errors import Stale
from core.live.hub import Hub
from tests.live_clients import Pulled
from tests.waiting import LIMIT_S, until
from waiting_room.service import WaitingRoom


def maker_for(
    rooms: Sequence[WaitingRoom], make_sale: Callable[..., Awaitable[str]]
) -> Callable[..., Awaitable[str]]:
    """Whoever looks at a new event first repairs it, and the others are refused meanwhile."""

    async def make(**room: object) -> str:
        event_id = await make_sale(**room)
        for each in rooms:
            await until(lambda each=each: each.generations.epoch(event_id), despite=Stale)
        return event_id

    return make


class Tab:
    """The frames that reach it, the latest in place of what was not read."""

    def __init__(self, room: WaitingRoom, event_id: str, fan: str) -> None:
        self.room, self.event_id, self.fan = room, event_id, fan
        self.state: dict[str, object] = {}
        self.frames: list[dict[str, object]] = []

    async def open(self, live: Hub) -> Tab:
        self.pulled = Pulled.socket(live)
        await self.room.hub.connect(self.event_id, self.fan, self.pulled.connection)
        return self

    def close(self) -> None:
        self.room.hub.disconnect(self.event_id, self.fan, self.pulled.connection)

    async def told(self, **wanted: object) -> dict[str, object]:
        """The first state that says all of it."""
        async with asyncio.timeout(LIMIT_S):
            found = None
            while found is None:
                texts = [f for f in await self.pulled.frames() if f.opcode is Opcode.TEXT]
                for frame in texts:  # a ping now and then is none
                    said = orjson.loads(frame.data)
                    self.frames.append(said)
                    self.state = said if "state" in said else self.state | said
                    if found is None and wanted.items() <= self.state.items():
                        found = self.state
            return found
