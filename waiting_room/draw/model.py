"""Values of the draw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from waiting_room.draw.policy import CHUNK, Numbers, merkle_root
from waiting_room.model import Entry

ENTRY_ID_BYTES: Final = 29  # `en_` and 26 of base32, as core.ids makes them


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One room's draw as PostgreSQL has it. `seed` is secret until `ordered`."""

    seed: bytes
    beacon_name: str
    beacon_value: bytes | None
    beacon_given_up: bool
    entries: int | None  # these four are None while the lobby is open
    base: int | None
    root: bytes | None
    closed_at_ms: int | None
    ordered: bool
    laid: bool
    opens_at_ms: int
    draw: bool  # the room's setting

    @property
    def waits_for_beacon(self) -> bool:
        return bool(self.beacon_name) and self.beacon_value is None and not self.beacon_given_up

    @property
    def beacon(self) -> bytes:
        """What goes into the order: empty without a beacon."""
        return self.beacon_value or b""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredList:
    """The whole list: lines in order, and their places in the draw, from 1, once it is drawn.

    A line is `entry_id:joined_at_ms subject`, ASCII: of a million, each is touched as few times as
    can be. Public is the entry id alone.
    """

    lines: list[bytes]
    places: Numbers | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What shows that an entry is in the list: docs/draw.md says how to check it."""

    leaf: bytes
    index: int
    path: Sequence[bytes]
    place: int | None  # in the draw, from 1


def line_of(subject: bytes, entry: bytes) -> bytes:
    """`entry` as the lobby has it."""
    return entry + b" " + subject


def entry_ids(lines: Iterable[bytes]) -> list[bytes]:
    return [line[:ENTRY_ID_BYTES] for line in lines]


def subject_of(line: bytes) -> bytes:
    return line[line.index(b" ") + 1 :]


def entry_of(line: bytes) -> Entry:
    return Entry.parse(line[: line.index(b" ")].decode("ascii"))


def parts_of(lines: Sequence[bytes]) -> list[Sequence[bytes]]:
    """The list in chunks, which are whole subtrees of the Merkle tree."""
    return [lines[begin : begin + CHUNK] for begin in range(0, len(lines), CHUNK)]


def root_of_part(part: Sequence[bytes]) -> bytes:
    return merkle_root(entry_ids(part))
