"""Values of a sale's log."""

from __future__ import annotations

from collections.abc import AsyncIterable
from dataclasses import dataclass

from waiting_room.history.presence import Presence
from waiting_room.ranks.index import RankIndex

FROM_QUEUE = ("fresh", "replacement")  # kinds of turns that the pace and the line gave
NUMBERS = (
    *("per_minute", "max_active", "room", "busy", "present", "lapsed", "last_place"),
    *("tokens", "fresh", "replaced", "pace_binds"),
)


@dataclass(frozen=True, slots=True)
class Note:
    """Of a tick, as a node read it in the live log: what is to be kept."""

    version: int
    text: str
    presence: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What a tick of the script decided on, and the counters after it."""

    generation: int
    at_ms: int
    since_ms: int  # when the tick before it was, noted or not
    open: bool
    per_minute: int
    max_active: int
    room: int  # most calls in this tick
    busy: int  # called, on their way to it, and shopping, before this tick's calls
    present: int  # who could be called
    lapsed: int  # so far
    last_place: int  # given out by then
    tokens: int  # of the pace, before this tick's calls
    fresh: int  # so far, with this tick's
    replaced: int  # so far, with this tick's
    pace_binds: bool
    presence: Presence | None = None  # whom it found there; None: no node knew

    @classmethod
    def parse(cls, generation: int, note: str, presence: bytes | None = None) -> Tick:
        at_ms, since_ms, is_open, *numbers = note.split(":")
        values = dict(zip(NUMBERS, map(int, numbers), strict=True))
        binds = bool(values.pop("pace_binds"))
        return cls(
            generation=generation,
            at_ms=int(at_ms),
            since_ms=int(since_ms),
            open=is_open == "1",
            pace_binds=binds,
            presence=Presence.parse(presence) if presence else None,
            **values,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A call and what became of it. `place` 0: let straight through."""

    place: int
    kind: str  # fresh, replacement, direct, skip
    called_at_ms: int
    accepted_at_ms: int | None = None
    ends_at_ms: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What is kept of a sale, to be read once from beginning to end. Turns are numbered from 0."""

    event_id: str
    accept_ms: int
    shop_ms: int
    called: RankIndex  # places that had a turn, at any time
    ticks: AsyncIterable[Tick]
    turns: AsyncIterable[tuple[int, Turn]]  # in order of calls
    accepts: AsyncIterable[tuple[int, int]]  # (turn, at), in order of time
    ends: AsyncIterable[tuple[int, int, str]]  # (turn, at, reason), in order of time


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """All that an exported log says of a sale, in order."""

    event_id: str
    accept_ms: int
    shop_ms: int
    ticks: tuple[Tick, ...]
    turns: tuple[Turn, ...]
