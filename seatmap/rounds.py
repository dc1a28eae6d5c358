"""Follows the change logs of all events that somebody looks at, from one loop a node.

A round brings the copies up to date that are due: those whose seats change once a tick, the others
once a second. They ask at one moment, so that one pipeline carries it for all (`core/pipeline.py`).
Each does it in a task of its own: none waits for one that has to be repaired.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from functools import partial

from core.errors import AppError
from core.tasks import end
from seatmap.follower import TICK_S, Follower

log = logging.getLogger(__name__)


class Rounds:
    """Let it `follow`; it rests by itself when nobody looks any more. Stopping twice is fine."""

    def __init__(self) -> None:
        self._following: set[Follower] = set()
        self._syncing: dict[Follower, asyncio.Task[None]] = {}
        self._loop: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()

    def follow(self, follower: Follower) -> None:
        """Keep a copy up to date as long as it has viewers."""
        self._following.add(follower)
        self.wake()
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Something has become due."""
        self._woken.set()

    async def stop(self) -> None:
        self._following.clear()
        await end(*self._syncing.values(), *([self._loop] if self._loop else []))
        self._loop = None

    async def _run(self) -> None:
        while self._following:
            self._woken.clear()
            now = time.monotonic()
            self._following = {follower for follower in self._following if follower.wanted}
            for follower in self._following - self._syncing.keys():
                if follower.due_at <= now:
                    self._begin(follower)
            await asyncio.sleep(TICK_S)
            resting = self._following - self._syncing.keys()
            next_at = min((follower.due_at for follower in resting), default=now)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, next_at - time.monotonic())):
                    await self._woken.wait()

    def _begin(self, follower: Follower) -> None:
        task = self._syncing[follower] = asyncio.create_task(_synced(follower))
        task.add_done_callback(partial(self._ended, follower))

    def _ended(self, follower: Follower, _: asyncio.Task[None]) -> None:
        del self._syncing[follower]
        self.wake()


async def _synced(follower: Follower) -> None:
    try:
        await follower.sync()
    except AppError as exc:
        log.warning("can't follow", extra={"event_id": follower.event_id, "why": str(exc)})
        follower.put_off()
    except Exception:  # the next try may do better, and other events go on
        log.exception("can't follow", extra={"event_id": follower.event_id})
        follower.put_off()
