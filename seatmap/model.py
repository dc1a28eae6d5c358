"""Values of the seat map. Plain data, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from core.ids import HoldId, Subject

AVAILABLE, HELD, SOLD, OFF_SALE, CLAIMED = b"01234"  # the bytes of `sm:{e}:states`
SHOWN = bytes.maketrans(b"4", b"1")  # a claimed seat is shown as held: it may come back

MAX_ALTERNATIVES = 20
MAX_SEATS_A_HOLD = 20

Quote = Mapping[str, Any]  # JSON-ready; the seat map keeps it and does not look inside


@dataclass(frozen=True, slots=True)
class Alternative:
    """Seats that one fan would take together, and the price they would have."""

    seats: Sequence[int]
    quote: Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Seats locked for one fan until `ends_ms` at a fixed quote."""

    hold_id: HoldId
    subject: Subject
    seats: tuple[int, ...]
    fence: str  # generation.counter: no two holds ever have the same
    ends_ms: int
    quote: Quote
    pinned: bool  # a booking is taking it


@dataclass(frozen=True, slots=True)
class Fate:
    """What PostgreSQL says about a seat, as of a rev."""

    seat: int
    rev: int


class Counts(TypedDict):
    """How many seats are in each state, as the operator API names them. They add up to `seats`."""

    seats: int
    available: int
    held: int
    claimed: int
    sold: int
    offSale: int
