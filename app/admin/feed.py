"""The live numbers of an event, each second, for all operators who look at it.

One task an event while anybody looks, and one frame for all of them. When a store does not answer,
the last numbers go on being sent and say so in `binds`: a screen that stands still in silence would
look like a calm evening.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import orjson

from core.errors import AppError, StoreUnavailable
from core.live import sse
from core.live.channel import Channel
from core.tasks import end

log = logging.getLogger(__name__)

EVERY_S = 1.0
LINGER_S = 5.0  # after the last operator has gone, or before the first one has come

Numbers = Callable[[str], Awaitable[Mapping[str, object]]]


class Feed:
    """One event's numbers, kept up while somebody looks."""

    def __init__(self, event_id: str, numbers: Numbers) -> None:
        self.event_id = event_id
        self.channel = Channel(1, snapshot=lambda: self._frame)
        self._numbers = numbers
        self._last: Mapping[str, object] = {}
        self._frame = b""
        self._looked_at = asyncio.get_running_loop().time()

    async def look(self) -> None:
        """Read the numbers and publish them. Raises NotFound, StoreUnavailable."""
        self._last = await self._numbers(self.event_id)
        self._publish(self._last)

    async def run(self) -> None:
        """Until nobody looks any more."""
        while self._wanted():
            await asyncio.sleep(EVERY_S)
            try:
                await self.look()
            except StoreUnavailable:
                self._publish({**self._last, "binds": "store_down"})
            except AppError as exc:
                log.info("numbers end", extra={"event_id": self.event_id, "why": str(exc)})
                return

    def _publish(self, numbers: Mapping[str, object]) -> None:
        self._frame = sse.frame("numbers", orjson.dumps(numbers))
        self.channel.publish(self.channel.head + 1, self._frame)

    def _wanted(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        if self.channel.members:
            self._looked_at = now_s
        return now_s - self._looked_at < LINGER_S


class Feeds:
    """The feeds of all events that operators look at on this node."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._running: dict[str, tuple[Feed, asyncio.Task[None]]] = {}

    async def channel(self, event_id: str) -> Channel:
        """To be joined at once, with a snapshot first. Raises NotFound, StoreUnavailable."""
        running = self._running.get(event_id)
        if running is not None and not running[1].done():
            return running[0].channel
        feed = Feed(event_id, self._numbers)
        await feed.look()
        running = self._running.get(event_id)  # another operator may have been faster
        if running is not None and not running[1].done():
            return running[0].channel
        task = asyncio.create_task(feed.run())
        self._running[event_id] = (feed, task)
        task.add_done_callback(lambda done: self._forget(event_id, done))
        return feed.channel

    def looked_at(self) -> set[str]:
        return set(self._running)

    async def stop(self) -> None:
        """Stopping twice is fine."""
        await end(*(task for _, task in self._running.values()))
        self._running.clear()

    def _forget(self, event_id: str, task: asyncio.Task[None]) -> None:
        if event_id in self._running and self._running[event_id][1] is task:
            del self._running[event_id]
