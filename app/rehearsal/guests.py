"""Who of the demo's crowd may be in, in a file: so that a kill leaves no one behind.

What the crowd has in the room outlives its process, as with every fan: places, and admissions for
a quarter of an hour. Nobody would come back for them, and real fans would wait behind them. The
next start of the server reads the file and lets all of them leave.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from core.ids import Subject

FILE = "crowd"  # in the data folder


class GuestList:
    """Written before a fan gets any further than to a place, so it may name more than are in."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inside: set[str] = set()

    def came(self, subject: str) -> None:
        self._inside.add(subject)
        self._write()

    def went(self, subject: str) -> None:
        self._inside.discard(subject)
        self._write()

    def _write(self) -> None:
        """Renamed into place: a kill in the middle leaves the list from before."""
        new = self._path.with_suffix(".new")
        new.write_text("\n".join(self._inside))
        new.replace(self._path)


def left_behind(path: Path) -> Collection[Subject]:
    """The crowd of an earlier start, none when there was none."""
    try:
        return [Subject(line) for line in path.read_text().split()]
    except FileNotFoundError:
        return []
