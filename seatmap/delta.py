"""A seat map as a snapshot and a numbered log of changes. Pure, no I/O.

A client says how far it has read; `resume` says what it is owed. The answer is either the
changes after that point or, when they are gone, a fresh snapshot. There is no third case, so a
client can be late but never wrong.

A node sends one frame a tick, and other nodes have other ticks: a client that comes over from
one of them may stand in the middle of a frame. It gets that frame whole. That is right because
a frame holds *states*, not steps: to apply one again from further on changes nothing that the
rest of it does not put right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MAX_DIGITS = 18  # int() raises on thousands of digits, and this comes from a client


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the log. Travels as the SSE event id, `epoch:version`."""

    epoch: str  # new whenever the log was lost: versions of two epochs do not compare
    version: int  # number of the last change applied, 0 before the first

    def __str__(self) -> str:
        return f"{self.epoch}:{self.version}"

    @classmethod
    def parse(cls, last_event_id: str) -> Cursor | None:
        """The cursor a client sent, or None when it sent none or nonsense."""
        epoch, colon, version = last_event_id.rpartition(":")
        plain = version.isascii() and version.isdigit() and len(version) <= MAX_DIGITS
        return cls(epoch, int(version)) if colon and plain else None


def resume(at: Cursor | None, *, marks: Iterable[tuple[Cursor, int]]) -> int | None:
    """The position from which a client at `at` is owed frames; None: it needs a snapshot.

    Args:
        marks: Where the frames that are still kept begin, and the head: (cursor, position),
            oldest first. Positions rise through repairs, versions only within an epoch.
    """
    if at is None:
        return None
    owed, last = None, -1
    for cursor, position in marks:
        if cursor.epoch == at.epoch:
            last = cursor.version
            if cursor.version <= at.version:
                owed = position
    return owed if at.version <= last else None


def coalesce(changes: Iterable[tuple[int, int]]) -> dict[int, int]:
    """The last state of each seat in `changes`, given as (seat, state), in order.

    A client far behind gets one state a seat instead of its whole history.
    """
    return dict(changes)


def difference(old: bytes, new: bytes) -> dict[int, int]:
    """What turns one copy of the states into another, of the same length."""
    assert len(old) == len(new)
    if old == new:
        return {}
    return {seat: state for seat, state in enumerate(new) if old[seat] != state}


def shown(changes: Mapping[int, int], translation: bytes) -> list[int]:
    """A frame's data: seat, digit, seat, digit, ... as docs/protocol.md has it."""
    return [
        number
        for seat, state in changes.items()
        for number in (seat, translation[state] - ord("0"))
    ]
