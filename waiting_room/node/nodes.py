"""Which nodes live, and which of them look after an event.

A tick is safe on every node at once, so this only saves work: every node hashes (node, event)
for all that live and the highest value ticks (rendezvous hashing, Thaler and Ravishankar 1998):
when a node comes or goes, only its own events move. Nobody is elected and nobody holds a lock.

The node with the second highest value follows the event's log, too, and steps in when it shows no
tick: a lease takes seconds to end, and until then nobody else might be looking. An event stays on
the list until a node that looked at it found nothing to do, so it is there still when all nodes
were away.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b
from heapq import nlargest

from redis.asyncio import Redis

from core.ids import new_id
from core.lua import LuaScript
from waiting_room.keys import key

LEASE_MS = 3_000
BUSY_MS = 5_000  # after the last word that it is busy, an event may be taken off the list
WATCHERS = 2  # nodes that follow an event: one ticks, one steps in
HOUSE = "nodes"  # in place of an event id: these keys belong to no event


class Nodes:
    def __init__(self, redis: Redis) -> None:
        self._script = LuaScript("waiting_room", "muster").bind(redis)
        self._reached = LuaScript("waiting_room", "reached").bind(redis)
        self.me = new_id("nd")
        self.live: frozenset[str] = frozenset({self.me})
        self.busy: frozenset[str] = frozenset()
        self.watched: frozenset[str] = frozenset()  # those of them that this node follows

    async def muster(
        self,
        busy: Collection[str],
        idle: Collection[str] = (),
        *,
        lease_ms: int = LEASE_MS,
        now_ms: int | None = None,
    ) -> None:
        """Say that this node lives and which events have a queue; learn the same of the others.

        `idle`: events that it looked at and found nothing to do for. Once a second. With
        `lease_ms` 0 it says goodbye. Raises StoreUnavailable.
        """
        live, events = await self._script(
            live=key(HOUSE, "live"),
            busy=key(HOUSE, "busy"),
            now_ms="" if now_ms is None else now_ms,
            node=self.me,
            lease_ms=lease_ms,
            busy_ms=BUSY_MS,
            events=[*(f"+{name}" for name in sorted(busy)), *(f"-{name}" for name in sorted(idle))],
        )
        self.live = frozenset(node.decode() for node in live) | {self.me}
        self.busy = frozenset(event.decode() for event in events)
        self.watched = frozenset(name for name in self.busy if self.me in watchers(self.live, name))

    async def reached(self, *, here: bool, now_ms: int | None = None) -> tuple[int, int]:
        """(now, when any node last reached PostgreSQL), ms. `here`: this node does now."""
        now, reached_ms = await self._reached(
            reached=key(HOUSE, "reached"), now_ms="" if now_ms is None else now_ms, here=int(here)
        )
        return int(now), int(reached_ms)

    def prefers_me(self, event_id: str) -> bool:
        return preferred(self.live, event_id) == self.me


def preferred(nodes: Collection[str], event_id: str) -> str:
    """The node that ticks this event, the same whoever asks; `nodes` must not be empty."""
    return watchers(nodes, event_id)[0]


def watchers(nodes: Collection[str], event_id: str) -> list[str]:
    """The nodes that follow this event, the one that ticks first."""
    return nlargest(
        WATCHERS, nodes, key=lambda node: blake2b(f"{node} {event_id}".encode()).digest()
    )
