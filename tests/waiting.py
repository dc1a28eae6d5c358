"""Waiting for what no event tells of: another process, a file, a node's next round."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable

LIMIT_S = 60
PAUSE_S = 0.02


async def until(
    ask: Callable[[], object],
    fits: Callable[..., object] = bool,
    *,
    what: str = "it",
    within_s: float = LIMIT_S,
    despite: type[Exception] | tuple[type[Exception], ...] = (),
):
    """What `ask` says, or what it is to be awaited for, as soon as it fits.

    `despite`: an answer like any other that does not fit yet, such as that Redis is under repair.
    """
    said: object = None
    try:
        async with asyncio.timeout(within_s):
            while True:
                try:
                    said = ask()
                    if inspect.isawaitable(said):
                        said = await said
                    if fits(said):
                        return said
                except despite as exc:
                    said = exc
                await asyncio.sleep(PAUSE_S)
    except TimeoutError as exc:
        raise AssertionError(f"not within {within_s} s: {what}; last: {said!r}") from exc


def wait_until(true: Callable[[], object], what: str = "it") -> None:
    """The same without an event loop."""
    deadline_s = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < deadline_s, f"not within {LIMIT_S} s: {what}"
        time.sleep(PAUSE_S)
