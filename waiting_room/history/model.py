"""Values of a sale's log."""

from __future__ import annotations

from dataclasses import dataclass

FROM_QUEUE = ("fresh", "replacement")  # kinds of turns that the pace and the line gave
NUMBERS = (
    *("per_minute", "max_active", "room", "busy", "present", "lapsed", "last_place"),
    *("tokens", "fresh", "replaced", "pace_binds"),
)


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

    @classmethod
    def parse(cls, generation: int, note: str) -> Tick:
        at_ms, since_ms, is_open, *numbers = note.split(":")
        values = dict(zip(NUMBERS, map(int, numbers), strict=True))
        binds = bool(values.pop("pace_binds"))
        return cls(
            generation=generation,
            at_ms=int(at_ms),
            since_ms=int(since_ms),
            open=is_open == "1",
            pace_binds=binds,
            **values,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A call and what became of it. `place` 0: let straight through."""

    place: int
    kind: str  # fresh, replacement, direct, skip
    called_at_ms: int
    accepted_at_ms: int | None
    ends_at_ms: int | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """All that is kept of a sale, in order."""

    event_id: str
    accept_ms: int
    shop_ms: int
    ticks: tuple[Tick, ...]
    turns: tuple[Turn, ...]
