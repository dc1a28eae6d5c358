"""uvicorn's server, which wakes when there is something to do.

uvicorn itself looks ten times a second whether it shall end. A process that has only idle
connections spends nine tenths of its time on that (docs/performance.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from types import FrameType

import uvicorn

from app.serve.collector import spare_the_collector

DATE_S = 1.0  # the Date header has seconds


class QuietServer(uvicorn.Server):
    """Ended by a signal, or by `should_exit`, which is seen within DATE_S."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ends = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        spare_the_collector()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        asyncio.get_running_loop().call_soon_threadsafe(self._ends.set)

    async def main_loop(self) -> None:
        while not await self.on_tick(0):  # 0: the headers are made anew
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DATE_S):
                    await self._ends.wait()
