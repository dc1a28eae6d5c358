"""How a service runs and ends its tasks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from core.errors import AppError

log = logging.getLogger(__name__)

ASK_AGAIN_AFTER_S = 0.2


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended; an error one ended with is dropped.

    Asked again until it is done: `asyncio.wait_for` of Python 3.11, which redis-py writes
    through, loses a cancellation that comes in the moment its write completes
    (https://github.com/python/cpython/issues/86296), and a loop would go on for ever.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=ASK_AGAIN_AFTER_S)
    await asyncio.gather(*tasks, return_exceptions=True)


class Repeated:
    """Base of a service that does one thing again and again, with a pause after each time.

    What a store or another service refuses is tried again the next time. So is what a bug spoiled,
    with an entry in the log: better than a node without the duty for as long as it lives.
    """

    def __init__(self, duty: Callable[[], Awaitable[object]], *, every_s: float) -> None:
        self._duty, self._every_s = duty, every_s
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stopping twice is fine."""
        if self._task is not None:
            await end(self._task)
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                await self._duty()
            except AppError as exc:
                log.info("not done", extra={"duty": self._duty.__qualname__, "why": str(exc)})
            except Exception:
                log.exception("failed", extra={"duty": self._duty.__qualname__})
            await asyncio.sleep(self._every_s)
