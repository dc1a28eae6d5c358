"""Who was there at each tick that the log of a sale has: as nodes record it, and as it is kept.

The live log has every change of presence, but it is trimmed, and a page turn in it says only how
many went (the bitmap comes beside it). A node that follows it adds up what changed between two
ticks that were noted, and keeps it with the note: all nodes come to the same, so it does not matter
whose record is taken, nor how often. A node that has just begun, or has seen so many changes that
the whole is shorter, records the whole. A node that does not know for sure records nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from waiting_room.ranks.index import RankIndex, places_of, runs_of

MOST_CHANGES = 20_000  # places between two ticks; beyond that the whole is recorded
QUICK = 1  # the level of compression: 125 kB take 3 ms

WHOLE, CHANGED = b"w", b"c"
Entry = tuple[int, str, str]  # (version, name, value) of the live log


@dataclass(frozen=True, slots=True)
class Presence:
    """Places in runs, '7 9-12'. `whole`: `here` is everybody who was there."""

    here: str
    away: str = ""  # away, left, or called by the tick noted before
    whole: bool = False

    @classmethod
    def parse(cls, record: bytes) -> Presence:
        kept = zlib.decompress(record[1:])
        if record[:1] == WHOLE:
            ranks = RankIndex()
            ranks.load(kept)
            return cls(runs_of(ranks.places().tolist()), whole=True)
        here, _, away = kept.decode().partition("|")
        return cls(here, away)


class Recorder:
    """One node's. Tell it all changes in the order of the log; ask it at each note."""

    def __init__(self) -> None:
        self._sure = False
        self._changed: dict[int, bool] | None = None  # since the last note; None: say it whole

    def take(self, places: Collection[int], here: bool) -> None:
        if self._changed is not None:
            self._changed |= dict.fromkeys(places, here)
            if len(self._changed) > MOST_CHANGES:
                self._changed = None

    def lose(self) -> None:
        """What is recorded next is not known, or not kept; after that it must be whole."""
        self._sure, self._changed = False, None

    def find(self) -> None:
        """The node's copy is that of the log's last entry, for sure."""
        self._sure = True

    def note(self, ranks: RankIndex) -> bytes | None:
        """The record of a tick noted now; `ranks` as the tick found them. None: not known."""
        if not self._sure:
            return None
        changed, self._changed = self._changed, {}
        if changed is None:
            return WHOLE + zlib.compress(ranks.bitmap(), QUICK)
        here = runs_of(sorted(place for place, is_here in changed.items() if is_here))
        away = runs_of(sorted(place for place, is_here in changed.items() if not is_here))
        return CHANGED + zlib.compress(f"{here}|{away}".encode(), QUICK)


def undone(bitmap: bytes, entries: Sequence[Entry]) -> RankIndex:
    """Who was there before these entries, after which the bitmap is. Each entry is a change."""
    ranks = RankIndex()
    ranks.load(bitmap)
    for _, name, value in reversed(entries):
        if name in "+-":
            ranks.set(places_of(value), name == "-")
    return ranks


def in_parts(runs: str, most: int) -> Iterable[str]:
    """The same places, at most so many runs a part; one empty part when there are none."""
    words = runs.split()
    for begin in range(0, max(1, len(words)), most):
        yield " ".join(words[begin : begin + most])
