"""Values of the draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from waiting_room.draw.policy import CHUNK, leaf_hash, root_of


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


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the list: public is the entry id alone."""

    entry_id: str
    subject: str
    joined_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """CHUNK lines of the list, which are one subtree of the Merkle tree."""

    number: int
    entry_ids: Sequence[str]
    fans: Sequence[str]  # `subject joined_at_ms`
    root: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredList:
    """The whole list in its order. `places` is None until the order is known."""

    entry_ids: list[str]
    fans: list[str]
    places: list[int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What shows that an entry is in the list: docs/draw.md says how to check it."""

    entry_id: str
    leaf: bytes
    index: int
    path: Sequence[bytes]
    place: int | None  # in the draw, from 1


def chunks_of(lines: Sequence[Line]) -> list[Chunk]:
    """The list in chunks. `lines` are sorted by entry id."""
    parts = [lines[begin : begin + CHUNK] for begin in range(0, len(lines), CHUNK)]
    return [
        Chunk(
            number=number,
            entry_ids=[line.entry_id for line in part],
            fans=[f"{line.subject} {line.joined_at_ms}" for line in part],
            root=root_of([leaf_hash(line.entry_id) for line in part]),
        )
        for number, part in enumerate(parts)
    ]
