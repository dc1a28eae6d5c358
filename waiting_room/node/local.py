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

from core.generations import Epoch
from core.live.channel import Channel
from core.live.connection import Connection
from waiting_room.forecast.outlook import Forecaster
from waiting_room.history.model import Note
from waiting_room.history.presence import Recorder, undone
from waiting_room.numbers.waits import JoinTimes
from waiting_room.ranks.board import Board, LocalFan
from waiting_room.ranks.index import places_of
from waiting_room.ranks.line import REDRAW_SHARE, Line, Speed, off
from waiting_room.store import Changes
from waiting_room.views import EventView, binds, look_ahead

STUCK_MS = 1_000  # a call that is not announced by then: PostgreSQL does not take it
LOBBY_TOLD_EVERY_MS = 5_000  # at most: how many fans are in the lobby
TICKS_KEPT = 10_000  # while PostgreSQL is down; calling stands still then, so they are few
PRESENCE_KEPT = 100  # of those, with who was there: at most 125 kB each in a queue of a million
RECENT_MS = 60_000  # how far back `called_lately` looks


class WordToAll:
    """What is the same for everybody who is connected here: one frame for all of them.

    Each says all of it, so a late member needs only the last.
    """

    def __init__(self) -> None:
        self._last = b""
        self._channel = Channel(1, snapshot=lambda: self._last)

    def say(self, frame: bytes) -> None:
        self._last = frame
        self._channel.publish(self._channel.head + 1, frame)

    def join(self, socket: Connection) -> None:
        """A client that has been told its whole state."""
        socket.hub.join(socket, self._channel, self._channel.head)

    def leave(self, socket: Connection) -> None:
        """Safe to repeat."""
        self._channel.leave(socket)


@dataclass(slots=True, eq=False)
class LocalEvent:
    view: EventView | None = None
    epoch: Epoch | None = None  # that `version` is of; None before the first poll
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
    ticks: deque[Note] = field(default_factory=lambda: deque(maxlen=TICKS_KEPT))  # to be kept
    recorder: Recorder = field(default_factory=Recorder)
    word: WordToAll = field(default_factory=WordToAll)
    terms: tuple[object, ...] = ()  # as last told to everybody
    phase: tuple[object, ...] = ()  # in which each was told where they stand
    speed: Speed = field(default_factory=Speed)
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
        self._read(view, changes)
        self.all_moved = self.all_moved or changes.gap
        self.version = changes.version
        self.given_at.note(view.state.get("last_place", 0), view.now_ms)
        self.speed.note(view.now_ms, view.passed)
        if self.view is None or not self.board.fans:  # nobody follows the line that there is
            self.draw_line(view)
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
        """Entry by entry, so that the ranks are those of its moment at each noted tick.

        A page turn says who went by the bitmap of the reply, which is of its end: what came after
        the turn is undone on it. When it is further than the entries, or after two turns, that
        can't be told, and ticks are noted without presence until the copy is sure again.
        """
        turns = sum(name == "away" for _, name, _ in changes.entries)
        told = changes.complete and turns == 1
        if changes.bitmap is not None and not told:
            self.recorder.lose()
            view.ranks.load(changes.bitmap)
        for number, (version, name, value) in enumerate(changes.entries, 1):
            if name in "+-":
                places = places_of(value)
                view.ranks.set(places, name == "+")
                self.recorder.take(places, name == "+")
            elif name == "away":
                if told and changes.bitmap is not None:
                    before = view.ranks
                    view.ranks = undone(changes.bitmap, changes.entries[number:])
                    self.recorder.take(before.gone_from(view.ranks).tolist(), False)
            elif name == "tick":
                self._note(view, version, value)
            elif name == "put_off":
                kind = {"active": "admitted", "calls": "called"}[value]
                fans = self.board.fans.values()
                self.moved.update(fan.subject for fan in fans if fan.standing.kind == kind)
            else:
                self._moved(name, value)
        if changes.complete:
            self.recorder.find()

    def _note(self, view: EventView, version: int, note: str) -> None:
        if len(self.ticks) >= PRESENCE_KEPT:
            self.recorder.lose()  # found again at the end of a poll
        self.ticks.append(Note(version, note, self.recorder.note(view.ranks)))

    def _moved(self, name: str, value: str) -> None:
        """One fan's state changed."""
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
        if not off(shown, view.counts.lobby, per_minute=0, since_ms=since_ms):
            return False
        self.lobby_shown = view.counts.lobby, view.now_ms
        return True

    def news(self, view: EventView) -> tuple[bool, list[LocalFan]]:
        """(whether all are told the line anew, who is told a mark): after it no page is wrong.

        The line is drawn anew at once, and whoever is told needs the new one.
        """
        changed, self.terms = view.terms != self.terms, view.terms
        if changed:
            self.speed.forget()
        lobby = self.lobby_news(view)
        due = self.board.due(view.ranks_of, view.line, view.now_ms)
        many = len(due) > REDRAW_SHARE * len(self.board.places())
        if not (changed or lobby or many or view.line.old(view.now_ms)):
            return False, due
        self.draw_line(view)
        return True, self.board.due(view.ranks_of, view.line, view.now_ms)

    def draw_line(self, view: EventView) -> None:
        per_minute = self.speed.per_minute(binds(view), view.room.per_minute)
        view.line = Line(view.now_ms, view.passed, per_minute)

    @property
    def called_lately(self) -> int:
        """Fresh calls of the last minute, as far as this node has watched."""
        return self.fresh[-1][1] - self.fresh[0][1] if self.fresh else 0

    def lost(self) -> None:
        """Redis' state is another now: begin with a snapshot, bring the fans here back."""
        self.epoch, self.version, self.view = None, 0, None
        self.returning, self.page = True, 0
        self.terms = ()  # whoever is here is told, and follows the next line
        self.fresh.clear()
        self.speed.forget()
        self.forecaster = Forecaster()
        self.ticks.clear()
        self.recorder.lose()
        self.undrawn.clear()
        self.asked_up_to = 0
