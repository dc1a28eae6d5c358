"""How a service ends its tasks."""

from __future__ import annotations

import asyncio

ASK_AGAIN_AFTER_S = 0.2


async def end(*tasks: asyncio.Task[None]) -> None:
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
