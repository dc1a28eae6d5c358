"""The publisher inside a server under test: one stamped message to all, again and again.

SIGUSR1 starts it and SIGUSR2 stops it, so that one process can be measured idle and at work.
A message begins with its stamp, which the load clients look for: c/clock.h says the same.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

MARK, STAMP_DIGITS = b"~", 19


def message(size: int) -> bytes:
    """`size` bytes of text without a line break, published now."""
    return (b"%c%0*d" % (MARK[0], STAMP_DIGITS, time.monotonic_ns())).ljust(size, b".")


class Publisher:
    """Calls `publish` with a fresh message every `every_ms`, on a fixed beat, in the loop."""

    def __init__(self, publish: Callable[[bytes], None], *, every_ms: int, size: int) -> None:
        self._publish, self._every_s, self._size = publish, every_ms / 1000, size
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._loop.add_signal_handler(signal.SIGUSR1, self._start)
        self._loop.add_signal_handler(signal.SIGUSR2, self._stop)

    def _start(self) -> None:
        self._stop()
        self._due = self._loop.time()
        self._tick()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        """A beat that was missed is left out: a server that is behind is not asked for more."""
        self._publish(message(self._size))
        self._due = max(self._due + self._every_s, self._loop.time())
        self._timer = self._loop.call_at(self._due, self._tick)
