"""What one node knows of an event: its copy of the queue, its fans, and what they must be told.

Whoever polls the log, `apply` keeps what came of it until a round has told it: a fan whose call
was read by somebody else's GET would otherwise never hear of it.

Presence is reported by page (age.lua): all who are connected, and all who asked or left since the
last report, once a page; in between only those whom the ranks do not count yet.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from waiting_room.board import Board, LocalFan
from waiting_room.forecast.outlook import Forecaster
from waiting_room.policy import worth_telling
from waiting_room.ranks import places_of
from waiting_room.store import Changes
from waiting_room.views import EventView, look_ahead
from waiting_room.waits import JoinTimes

STUCK_MS = 1_000  # a call that is not announced by then: PostgreSQL does not take it
LOBBY_TOLD_EVERY_MS = 5_000  # at most: how many fans are in the lobby
TICKS_KEPT = 10_000  # while PostgreSQL is down; calling stands still then, so they are few
RECENT_MS = 60_000  # how far back `called_lately` looks


@dataclass(slots=True, eq=False)
class LocalEvent:
    view: EventView | None = None
    version: int = 0
    board: Board = field(default_factory=Board)
    fresh: deque[tuple[int, int]] = field(default_factory=deque)  # (ms, fresh calls so far)
    polled_at: float = 0.0  # when the answer was asked for that the copy is of
    doubted_at: float = 0.0  # what was asked for before may be from before a change
    out_of_touch: bool = False  # the last round found a store that does not answer
    wanted_at: float = 0.0  # when a request last asked for it
    given_at: JoinTimes = field(default_factory=JoinTimes)  # when places were given out
    returning: bool = False  # after a repair: fans here are presented again
    polling: asyncio.Lock = field(default_factory=asyncio.Lock)  # polls are applied in order
    moved: set[str] = field(default_factory=set)  # fans whose state changed, not told yet
    all_moved: bool = False  # entries of the log were missed: anybody's may have
    lapsed: list[str] = field(default_factory=list)  # ids of calls, not in PostgreSQL yet
    ticks: deque[tuple[int, str]] = field(  # (version, note), not in PostgreSQL yet
        default_factory=lambda: deque(maxlen=TICKS_KEPT)
    )
    terms: tuple[object, ...] = ()  # as last told to everybody
    page: int = 0  # the last one that this node reported its fans for
    arrived: set[int] = field(default_factory=set)  # places seen since the last look at them
    seen: set[int] = field(default_factory=set)  # places seen since the last report of a page
    forecaster: Forecaster = field(default_factory=Forecaster)
    undrawn: deque[str] = field(default_factory=deque)  # fans to ask for, whether they are laid
    asked_up_to: int = 0  # the place laid last when `undrawn` was filled
    lobby_shown: tuple[int, int] = (0, 0)  # fans in the lobby as last told to everybody, and when

    def apply(self, changes: Changes) -> EventView:
        """Take a poll in."""
        view = self.view or EventView(changes.settings, changes.now_ms)
        view.room, view.now_ms = changes.settings, changes.now_ms
        view.counts, view.state = changes.counts, changes.state
        since_ms = view.counts.unannounced_since_ms
        view.postgres_down = 0 < since_ms < view.now_ms - STUCK_MS
        if changes.bitmap is not None:
            view.ranks.load(changes.bitmap)
        self._read(view, changes)
        self.all_moved = self.all_moved or changes.gap
        self.version = changes.version
        self.given_at.note(view.state.get("last_place", 0), view.now_ms)
        self.fresh.append((view.now_ms, view.state.get("fresh", 0)))
        while self.fresh[0][0] < view.now_ms - RECENT_MS:
            self.fresh.popleft()
        view.outlook = look_ahead(view, self.forecaster)
        self.view = view
        return view

    def younger_than(self, age_s: float) -> EventView | None:
        """The copy, if it was read so lately, and after the last change made here."""
        lately = asyncio.get_running_loop().time() - self.polled_at <= age_s
        return self.view if lately and self.polled_at > self.doubted_at else None

    def _read(self, view: EventView, changes: Changes) -> None:
        for version, name, value in changes.entries:
            if name in "+-":
                view.ranks.set(places_of(value), name == "+")
                continue
            if name == "tick":
                self.ticks.append((version, value))
                continue
            subject, _, admission = value.partition(":")
            if name == "lapsed":
                self.lapsed.append(admission.partition(":")[0])
            if subject in self.board.fans:
                self.moved.add(subject)

    def sees(self, place: int) -> None:
        """A fan of this place is here, or was until now."""
        self.arrived.add(place)
        self.seen.add(place)

    def to_report(self, view: EventView) -> Collection[int]:
        """Places to report as seen now; call `reported` when that is done."""
        arrived, self.arrived = self.arrived, set()
        if view.state.get("page", 0) != self.page:
            return self.seen.union(self.board.places().tolist())
        if not arrived:
            return ()
        places = np.fromiter(arrived, np.int64, len(arrived))
        absent: list[int] = places[~view.ranks.has(places)].tolist()
        return absent

    def reported(self, view: EventView, places: Collection[int]) -> None:
        self.page = view.state.get("page", 0)
        self.seen.difference_update(places)

    def ask_for(self, view: EventView, most: int) -> list[str]:
        """Fans here who wait for their place in the draw, some at a time, while it is laid."""
        up_to = view.drawn_up_to or 0
        if not self.undrawn and up_to > self.asked_up_to:
            self.asked_up_to = up_to
            self.undrawn.extend(fan.subject for fan in self.gathered())
        return [self.undrawn.popleft() for _ in range(min(most, len(self.undrawn)))]

    def gathered(self) -> list[LocalFan]:
        """The fans here who are in the lobby, or being drawn."""
        return [fan for fan in self.board.fans.values() if fan.standing.entry is not None]

    def lobby_news(self, view: EventView) -> bool:
        """Whether to tell all in the lobby how many they are."""
        shown, shown_at_ms = self.lobby_shown
        since_ms = view.now_ms - shown_at_ms
        if not view.lobby_open or since_ms < LOBBY_TOLD_EVERY_MS:
            return False
        if not worth_telling(shown, view.counts.lobby, since_ms=since_ms):
            return False
        self.lobby_shown = view.counts.lobby, view.now_ms
        return True

    @property
    def called_lately(self) -> int:
        """Fresh calls of the last minute, as far as this node has watched."""
        return self.fresh[-1][1] - self.fresh[0][1] if self.fresh else 0

    def lost(self) -> None:
        """Redis' state is another now: begin with a snapshot, bring the fans here back."""
        self.version, self.view, self.returning, self.page = 0, None, True, 0
        self.fresh.clear()
        self.forecaster = Forecaster()
        self.ticks.clear()
        self.undrawn.clear()
        self.asked_up_to = 0
