"""Queues of slots that have no worker: workers of other slots accept from them meanwhile.

Each worker inherits the sockets of all slots. The supervisor deals out those that nobody serves
(policy.dealt) and tells each worker its share, always all of it in one line of numbers; an empty
line gives all back. What waited in a queue already is answered, too, which no kernel's choice
between living sockets would do: it is made when a connection comes, and never again.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Collection, Sequence

from app.serve.sockets import BACKLOG
from core.tasks import end

Protocol = Callable[[], asyncio.Protocol]


def share_line(queues: Collection[int]) -> bytes:
    """What tells a worker its share."""
    return " ".join(map(str, queues)).encode() + b"\n"


class Orphans:
    """A worker's part. `queues`: of all slots, in the order of their numbers; `told`: where the
    lines come from. Both are closed by `stop`."""

    def __init__(self, queues: Sequence[socket.socket], told: socket.socket) -> None:
        self._queues, self._told = queues, told
        self._taken: dict[int, asyncio.Server] = {}
        self._following: asyncio.Task[None] | None = None

    @property
    def taken(self) -> set[int]:
        return set(self._taken)

    def start(self, protocol: Protocol) -> None:
        """`protocol`: what speaks with a client."""
        self._following = asyncio.create_task(self._follow(protocol))

    async def stop(self) -> None:
        """Accept nothing more. Stopping twice is fine."""
        if self._following is not None:
            await end(self._following)
            self._following = None
        self._give_back(self.taken)
        for queue in self._queues:
            queue.close()
        self._told.close()

    async def _follow(self, protocol: Protocol) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=self._told)
        with contextlib.closing(writer):
            while line := await reader.readline():
                wanted = set(map(int, line.split()))
                self._give_back(self.taken - wanted)
                for queue in wanted - self.taken:
                    self._taken[queue] = await asyncio.get_running_loop().create_server(
                        protocol, sock=self._queues[queue].dup(), backlog=BACKLOG
                    )

    def _give_back(self, queues: Collection[int]) -> None:
        for queue in queues:
            self._taken.pop(queue).close()
