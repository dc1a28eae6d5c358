"""The demo venues, drawn by arithmetic: the same plan every time, to the last byte.

Every venue is made of *blocks*: rows on arcs round one centre, seats at a fixed pitch along the
arc, centred in the block's angle. Blocks of a ring stand side by side with an aisle between
them. A block gets exactly as many seats as asked for: what its arcs could take beyond that is
left empty at the row ends, in proportion. A venue that is wider than deep is the round one
stretched sideways, which never brings two seats closer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from seatmap.plan import WHEELCHAIR, Plan, Row, Seat, Section

PITCH = 10.0  # from seat to seat along a row
ROW_GAP = 14.0
AISLE = 24.0  # between the outer seats of two blocks
MARGIN = 40.0
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # no I and no O: they read as 1 and 0
OUTLINE_STEP = math.radians(4)


@dataclass(frozen=True, slots=True)
class _Block:
    name: str
    category: int
    middle: float  # angle, radians; 0 is right, a quarter turn is down
    width: float  # angle, radians
    radius: float  # of the first row
    rows: int
    seats: int
    lettered: bool = False
    wheelchair: bool = False  # the last row's ends have room for a chair


def theatre() -> Plan:
    """500 seats before a stage: stalls, circle, upper circle, and boxes with a restricted view."""
    down = math.radians(90)

    def fan(name: str, category: int, degrees: float, width: float, *size: int) -> _Block:
        radius, rows, seats = size
        middle, span = down + math.radians(degrees), math.radians(width)
        wheelchair = category == 0
        return _Block(
            name, category, middle, span, radius, rows, seats, lettered=True, wheelchair=wheelchair
        )

    blocks = [
        fan("Stalls left", 0, 29, 22, 200, 11, 80),
        fan("Stalls centre", 0, 0, 36, 200, 11, 130),
        fan("Stalls right", 0, -29, 22, 200, 11, 80),
        fan("Circle left", 1, 25, 28, 400, 3, 48),
        fan("Circle right", 1, -25, 28, 400, 3, 48),
        fan("Circle centre", 1, 0, 22, 400, 3, 34),
        fan("Upper circle left", 2, 20, 28, 480, 2, 30),
        fan("Upper circle right", 2, -20, 28, 480, 2, 30),
        fan("Box left", 3, 55, 14, 250, 4, 10),
        fan("Box right", 3, -55, 14, 250, 4, 10),
    ]
    return _draw("pl_theatre_1", "Theatre", blocks, stretch=1.0)


def arena() -> Plan:
    """18,000 seats round a stage: a floor and three rings, some of the top behind the lights."""
    rings = [
        *_ring("F", 0, 8, radius=80, rows=20, seats=2_000),
        *_ring("1", 1, 24, radius=400, rows=22, seats=6_000, wheelchair=True),
        *_ring("2", 2, 28, radius=750, rows=13, seats=5_500),
    ]
    top = _ring("3", 3, 32, radius=980, rows=10, seats=4_500)
    restricted = {0, 1, 2, 3}  # of the 32
    plain = _spread(4_000, 28)
    for number, block in enumerate(top):
        hidden = number in restricted
        seats = 125 if hidden else plain.pop()
        rings.append(_changed(block, category=4 if hidden else 3, seats=seats))
    return _draw("pl_arena_1", "Arena", rings, stretch=1.15)


def stadium() -> Plan:
    """65,000 seats in three rings round a pitch; the price depends on the side."""
    blocks = [
        *_ring("1", _side, 36, radius=500, rows=32, seats=11_000, wheelchair=True),
        *_ring("2", _side, 40, radius=990, rows=32, seats=19_500),
        *_ring("3", _upper_side, 48, radius=1_480, rows=40, seats=34_500),
    ]
    return _draw("pl_stadium_1", "Stadium", blocks, stretch=1.3)


def _side(angle: float) -> int:
    """0 centre, 1 long side, 2 corner, 3 behind the goals."""
    height = abs(math.sin(angle))
    return 0 if height > 0.95 else 1 if height > 0.7 else 2 if height > 0.4 else 3


def _upper_side(angle: float) -> int:
    side = _side(angle)
    return 4 if side == 2 else max(side, 1)


def _ring(
    name: str,
    category: int | Callable[[float], int],
    blocks: int,
    *,
    radius: float,
    rows: int,
    seats: int,
    wheelchair: bool = False,
) -> list[_Block]:
    """Blocks named 101, 102, ... all round, clockwise from the right."""
    width = 2 * math.pi / blocks
    return [
        _Block(
            f"{name}{number + 1:02}",
            category((number + 0.5) * width) if callable(category) else category,
            (number + 0.5) * width,
            width,
            radius,
            rows,
            count,
            wheelchair=wheelchair and number % 3 == 0,
        )
        for number, count in enumerate(_spread(seats, blocks))
    ]


def _changed(block: _Block, *, category: int, seats: int) -> _Block:
    return _Block(block.name, category, block.middle, block.width, block.radius, block.rows, seats)


def _spread(total: int, parts: int) -> list[int]:
    return [total // parts + (number < total % parts) for number in range(parts)]


def _fit(room: Sequence[int], total: int) -> list[int]:
    """`total` over rows in proportion to their room, exactly: largest remainders first."""
    assert total <= sum(room), f"{total} seats do not fit into {sum(room)}"
    shares = [total * one / sum(room) for one in room]
    fitted = [math.floor(share) for share in shares]
    by_remainder = sorted(range(len(room)), key=lambda i: fitted[i] - shares[i])
    for i in by_remainder[: total - sum(fitted)]:
        fitted[i] += 1
    return fitted


def _draw(plan_id: str, name: str, blocks: Sequence[_Block], *, stretch: float) -> Plan:
    """Blocks as sections, moved so that the drawing begins at (0, 0), with a margin."""
    outlines = [_outline(block, stretch) for block in blocks]
    left = min(x for outline in outlines for x, _ in outline) - MARGIN
    top = min(min(y for outline in outlines for _, y in outline), 0) - MARGIN
    width = max(x for outline in outlines for x, _ in outline) - left + MARGIN
    height = max(y for outline in outlines for _, y in outline) - top + MARGIN

    first, sections = 0, []
    for block, outline in zip(blocks, outlines, strict=True):
        rows = tuple(_rows(block, first, stretch, left, top))
        first += block.seats
        polygon = tuple(n for x, y in outline for n in (round(x - left, 1), round(y - top, 1)))
        section_id = block.name.lower().replace(" ", "-")
        sections.append(Section(section_id, block.name, block.category, polygon, rows))
    return Plan(plan_id, name, round(width, 1), round(height, 1), tuple(sections))


def _rows(block: _Block, first: int, stretch: float, left: float, top: float) -> Iterator[Row]:
    radii = [block.radius + i * ROW_GAP for i in range(block.rows)]
    room = [max(1, int((radius * block.width - AISLE) / PITCH) + 1) for radius in radii]
    index = first
    for i, (radius, count) in enumerate(zip(radii, _fit(room, block.seats), strict=True)):
        seats = []
        for number in range(count):
            # Seat 1 is on the left of somebody who looks at the stage.
            angle = block.middle + ((count - 1) / 2 - number) * PITCH / radius
            chair = block.wheelchair and i == block.rows - 1 and number in {0, count - 1}
            x = round(math.cos(angle) * radius * stretch - left, 1)
            y = round(math.sin(angle) * radius - top, 1)
            seats.append(Seat(index, str(number + 1), x, y, WHEELCHAIR if chair else ""))
            index += 1
        if seats:
            yield Row(LETTERS[i] if block.lettered else str(i + 1), tuple(seats))


def _outline(block: _Block, stretch: float) -> list[tuple[float, float]]:
    inner = block.radius - PITCH * 0.7
    outer = block.radius + (block.rows - 1) * ROW_GAP + PITCH * 0.7
    steps = max(2, math.ceil(block.width / OUTLINE_STEP))

    def arc(radius: float) -> list[tuple[float, float]]:
        half = block.width / 2 - AISLE / 4 / radius
        turns = [block.middle - half + 2 * half * i / steps for i in range(steps + 1)]
        return [(math.cos(turn) * radius * stretch, math.sin(turn) * radius) for turn in turns]

    return arc(inner) + arc(outer)[::-1]
