"""Which nodes live, and which of them ticks an event.

A tick is safe on every node at once, so this only saves work: every node hashes (node, event)
for all that live and the highest value ticks (rendezvous hashing, Thaler and Ravishankar 1998):
when a node comes or goes, only its own events move. Nobody is elected and nobody holds a lock.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b

from redis.asyncio import Redis

from core.ids import new_id
from core.lua import LuaScript
from waiting_room.keys import key

LEASE_MS = 3_000
BUSY_MS = 5_000  # longer than a lease: the next node knows of the event when it takes over
HOUSE = "nodes"  # in place of an event id: these keys belong to no event


class Nodes:
    def __init__(self, redis: Redis) -> None:
        self._script = LuaScript("waiting_room", "muster").bind(redis)
        self.me = new_id("nd")
        self.live: frozenset[str] = frozenset({self.me})
        self.busy: frozenset[str] = frozenset()

    async def muster(
        self, busy: Collection[str], *, lease_ms: int = LEASE_MS, now_ms: int | None = None
    ) -> None:
        """Say that this node lives and which events have a queue; learn the same of the others.

        Once a second. With `lease_ms` 0 it says goodbye. Raises StoreUnavailable.
        """
        live, events = await self._script(
            live=key(HOUSE, "live"),
            busy=key(HOUSE, "busy"),
            now_ms="" if now_ms is None else now_ms,
            node=self.me,
            lease_ms=lease_ms,
            busy_ms=BUSY_MS,
            events=sorted(busy),
        )
        self.live = frozenset(node.decode() for node in live) | {self.me}
        self.busy = frozenset(event.decode() for event in events)

    def prefers_me(self, event_id: str) -> bool:
        return preferred(self.live, event_id) == self.me


def preferred(nodes: Collection[str], event_id: str) -> str:
    """The node that ticks this event, the same whoever asks; `nodes` must not be empty."""
    return max(nodes, key=lambda node: blake2b(f"{node} {event_id}".encode()).digest())
