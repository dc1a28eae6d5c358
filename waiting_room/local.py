"""What one node knows of an event: its copy of the queue, its fans, and what they must be told.

Whoever polls the log, `apply` keeps what came of it until a round has told it: a fan whose call
was read by somebody else's GET would otherwise never hear of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from core.live.connection import Socket
from waiting_room.model import Standing
from waiting_room.store import Changes
from waiting_room.views import EventView

NOWHERE = Standing("none")
RECENT_MS = 60_000  # how far back `called_lately` looks


@dataclass(slots=True, eq=False)
class LocalFan:
    """A fan connected here, and what they were told last."""

    subject: str
    sockets: set[Socket] = field(default_factory=set)
    standing: Standing = NOWHERE
    shown_rank: int = 0
    shown_at_ms: int = 0

    @property
    def place(self) -> int:
        return self.standing.number if self.standing.kind == "waiting" else 0


@dataclass(slots=True, eq=False)
class LocalEvent:
    view: EventView | None = None
    version: int = 0
    fans: dict[str, LocalFan] = field(default_factory=dict)
    fresh: deque[tuple[int, int]] = field(default_factory=deque)  # (ms, fresh calls so far)
    renewed_at_ms: int = 0
    polled_at: float = 0.0
    returning: bool = False  # after a repair: fans here are presented again
    polling: asyncio.Lock = field(default_factory=asyncio.Lock)  # polls are applied in order
    moved: set[str] = field(default_factory=set)  # fans whose state changed, not told yet
    all_moved: bool = False  # entries of the log were missed: anybody's may have
    lapsed: list[str] = field(default_factory=list)  # ids of calls, not in PostgreSQL yet
    left: set[str] = field(default_factory=set)  # fans whose last socket closed since a round
    terms: tuple[object, ...] = ()  # as last told to everybody

    def apply(self, changes: Changes, bitmap: tuple[int, bytes] | None) -> EventView:
        """Take a poll in. `bitmap` is a snapshot, in place of entries that were missed."""
        view = self.view or EventView(changes.settings, changes.now_ms)
        view.room, view.now_ms = changes.settings, changes.now_ms
        view.counts, view.state = changes.counts, changes.state
        if bitmap is not None:
            self.version, bits = bitmap
            view.ranks.load(bits)
            self.all_moved = True
        else:
            self._read(view, changes)
            self.version = changes.version
        self.fresh.append((view.now_ms, view.state.get("fresh", 0)))
        while self.fresh[0][0] < view.now_ms - RECENT_MS:
            self.fresh.popleft()
        self.view = view
        return view

    def _read(self, view: EventView, changes: Changes) -> None:
        for _, name, value in changes.entries:
            if name in "+-":
                view.ranks.set(int(value), name == "+")
                continue
            subject, _, admission = value.partition(":")
            if name == "lapsed":
                self.lapsed.append(admission.partition(":")[0])
            if subject in self.fans:
                self.moved.add(subject)

    @property
    def called_lately(self) -> int:
        """Fresh calls of the last minute, as far as this node has watched."""
        return self.fresh[-1][1] - self.fresh[0][1] if self.fresh else 0

    def lost(self) -> None:
        """Redis' state is another now: begin with a snapshot, bring the fans here back."""
        self.version, self.view, self.returning = 0, None, True
        self.fresh.clear()
