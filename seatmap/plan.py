"""A plan: the geometry of a venue, and the JSON format it is kept in (docs/protocol.md).

Seat indexes run 0...n-1 over the whole plan without a gap: they are bit and byte positions
everywhere else, so a plan that breaks the rule is refused here and nowhere later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

MAX_SEATS = 200_000
MAX_BYTES = 32_000_000
WHEELCHAIR = "w"

Name = Annotated[str, Field(min_length=1, max_length=80)]
Length = Annotated[float, Field(ge=-100_000, le=100_000, allow_inf_nan=False)]
SeatRow = (
    tuple[Annotated[int, Field(ge=0)], Name, Length, Length]
    | tuple[Annotated[int, Field(ge=0)], Name, Length, Length, str]
)


class BadPlan(ValueError):
    """The document is no plan; the message says where and why."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Row(_Part):
    row: Name
    seats: Annotated[list[SeatRow], Field(min_length=1)]


class _Section(_Part):
    sectionId: Name  # noqa: N815 (names of the document)
    name: Name
    category: Annotated[int, Field(ge=0)]
    outline: Annotated[list[Length], Field(min_length=6)]
    rows: Annotated[list[_Row], Field(min_length=1)]


class _Document(_Part):
    planId: Name  # noqa: N815
    name: Name
    width: Annotated[float, Field(gt=0)]
    height: Annotated[float, Field(gt=0)]
    sections: Annotated[list[_Section], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Seat:
    index: int
    number: str
    x: float
    y: float
    flags: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    seats: tuple[Seat, ...]


@dataclass(frozen=True, slots=True)
class Section:
    section_id: str
    name: str
    category: int
    outline: tuple[float, ...]  # x, y, x, y, ...: a polygon
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Label:
    """What is printed on a ticket."""

    section: str
    row: str
    seat: str


@dataclass(frozen=True)
class Plan:
    """Build one with a generator or `Plan.parse`; both are checked."""

    plan_id: str
    name: str
    width: float
    height: float
    sections: tuple[Section, ...]

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def parse(cls, document: bytes) -> Plan:
        """Raises BadPlan."""
        if len(document) > MAX_BYTES:
            raise BadPlan(f"more than {MAX_BYTES} bytes")
        try:
            return _plan(_Document.model_validate(orjson.loads(document)))
        except orjson.JSONDecodeError as exc:
            raise BadPlan(f"not JSON: {exc}") from exc
        except ValidationError as exc:
            first = exc.errors(include_url=False, include_input=False)[0]
            raise BadPlan(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from exc

    def document(self) -> bytes:
        """The JSON form; the same plan gives the same bytes."""
        return orjson.dumps(
            {
                "planId": self.plan_id,
                "name": self.name,
                "width": self.width,
                "height": self.height,
                "sections": [_section_json(section) for section in self.sections],
            }
        )

    def sha256(self) -> str:
        return hashlib.sha256(self.document()).hexdigest()

    def every_seat(self) -> Iterator[tuple[Section, Row, Seat]]:
        for section in self.sections:
            for row in section.rows:
                for seat in row.seats:
                    yield section, row, seat

    @property
    def seats(self) -> int:
        return sum(len(row.seats) for section in self.sections for row in section.rows)

    def categories(self) -> list[int]:
        """The price category of each seat, by its index."""
        found = [0] * self.seats
        for section, _, seat in self.every_seat():
            found[seat.index] = section.category
        return found

    def labels(self) -> list[Label]:
        """Section, row and seat of each seat, by its index."""
        found = {
            seat.index: Label(section.name, row.name, seat.number)
            for section, row, seat in self.every_seat()
        }
        return [found[index] for index in range(len(found))]

    def label(self, seat_index: int) -> Label:
        """Of one seat, by a walk over the plan; take `labels` for many. Raises KeyError."""
        for section, row, seat in self.every_seat():
            if seat.index == seat_index:
                return Label(section.name, row.name, seat.number)
        raise KeyError(seat_index)


def _check(plan: Plan) -> None:
    seen: set[int] = set()
    places: set[tuple[str, str, str]] = set()
    for section, row, seat in plan.every_seat():
        where = f"section {section.section_id}, row {row.name}, seat {seat.number}"
        if seat.index in seen:
            raise BadPlan(f"{where}: seat index {seat.index} is there twice")
        if not (0 <= seat.x <= plan.width and 0 <= seat.y <= plan.height):
            raise BadPlan(f"{where}: outside the plan")
        if seat.flags not in {"", WHEELCHAIR}:
            raise BadPlan(f"{where}: unknown flags {seat.flags!r}")
        place = (section.section_id, row.name, seat.number)
        if place in places:
            raise BadPlan(f"{where}: is there twice")
        seen.add(seat.index)
        places.add(place)
    if not seen or len(seen) > MAX_SEATS:
        raise BadPlan(f"{len(seen)} seats; a plan has 1 to {MAX_SEATS}")
    if max(seen) != len(seen) - 1:
        raise BadPlan(f"seat indexes must run 0 to {len(seen) - 1}, found {max(seen)}")
    ids = [section.section_id for section in plan.sections]
    if len(set(ids)) != len(ids):
        raise BadPlan("a section id is there twice")


def _plan(found: _Document) -> Plan:
    sections = (
        Section(
            one.sectionId,
            one.name,
            one.category,
            tuple(one.outline),
            tuple(Row(row.row, tuple(Seat(*seat) for seat in row.seats)) for row in one.rows),
        )
        for one in found.sections
    )
    return Plan(found.planId, found.name, found.width, found.height, tuple(sections))


def _section_json(section: Section) -> dict[str, Any]:
    return {
        "sectionId": section.section_id,
        "name": section.name,
        "category": section.category,
        "outline": section.outline,
        "rows": [
            {"row": row.name, "seats": [_seat_json(seat) for seat in row.seats]}
            for row in section.rows
        ],
    }


def _seat_json(seat: Seat) -> list[int | float | str]:
    plain: list[int | float | str] = [seat.index, seat.number, seat.x, seat.y]
    return [*plain, seat.flags] if seat.flags else plain
