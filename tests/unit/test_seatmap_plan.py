"""Plans: what is refused, and what the demo venues promise."""

import math
from collections import Counter, defaultdict

import orjson
import pytest

from seatmap.generators import PITCH, arena, stadium, theatre
from seatmap.plan import BadPlan, Label, Plan

VENUES = {"theatre": (theatre, 500), "arena": (arena, 18_000), "stadium": (stadium, 65_000)}


@pytest.fixture(scope="module", params=VENUES)
def venue(request):
    make, seats = VENUES[request.param]
    return make(), make, seats


def test_a_venue_has_exactly_its_seats_and_three_categories_or_more(venue):
    plan, _, seats = venue
    assert plan.seats == len(plan.categories()) == seats
    found = set(plan.categories())
    assert len(found) >= 3
    assert found == set(range(len(found)))


def test_a_venue_is_the_same_every_time_and_survives_its_own_format(venue):
    plan, make, _ = venue
    assert make().sha256() == plan.sha256()
    assert Plan.parse(plan.document()) == plan


def test_no_two_seats_overlap(venue):
    plan, _, _ = venue
    cells = defaultdict(list)
    for _, _, seat in plan.every_seat():
        cell = int(seat.x // PITCH), int(seat.y // PITCH)
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                for x, y in cells[cell[0] + dx, cell[1] + dy]:
                    assert math.dist((x, y), (seat.x, seat.y)) > 0.95 * PITCH
        cells[cell].append((seat.x, seat.y))


def test_every_seat_lies_in_its_sections_outline(venue):
    plan, _, _ = venue
    for section in plan.sections:
        corners = list(zip(section.outline[::2], section.outline[1::2], strict=True))
        for row in section.rows:
            for seat in (row.seats[0], row.seats[-1]):
                assert inside(seat.x, seat.y, corners), (section.name, row.name, seat.number)


def test_there_are_a_few_places_for_wheelchairs(venue):
    plan, _, seats = venue
    flags = Counter(seat.flags for _, _, seat in plan.every_seat())
    assert 2 <= flags["w"] <= seats // 50


def inside(x, y, corners):
    """Even-odd rule: a ray to the right crosses the border an odd number of times."""
    crossings = 0
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            crossings += 1
    return crossings % 2 == 1


SMALL = {
    "planId": "pl_small",
    "name": "Small",
    "width": 100,
    "height": 100,
    "sections": [
        {
            "sectionId": "a",
            "name": "Stalls",
            "category": 0,
            "outline": [0, 0, 50, 0, 50, 50],
            "rows": [{"row": "A", "seats": [[0, "1", 10, 10], [1, "2", 20, 10, "w"]]}],
        }
    ],
}


def small(**row):
    document = orjson.loads(orjson.dumps(SMALL))
    document["sections"][0]["rows"][0].update(row)
    return orjson.dumps(document)


def test_a_seat_knows_what_is_printed_on_its_ticket():
    plan = Plan.parse(small())
    assert plan.label(1) == plan.labels()[1] == Label("Stalls", "A", "2")


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"{", "not JSON"),
        (b"{}", "planId: Field required"),
        (small(seats=[]), "sections.0.rows.0.seats"),
        (small(seats=[[0, "1", 10, 10], [0, "2", 20, 10]]), "seat index 0 is there twice"),
        (small(seats=[[0, "1", 10, 10], [1, "1", 20, 10]]), "is there twice"),
        (small(seats=[[0, "1", 10, 10], [2, "2", 20, 10]]), "must run 0 to 1, found 2"),
        (small(seats=[[0, "1", 10, 101]]), "outside the plan"),
        (small(seats=[[0, "1", 10, 10, "q"]]), "unknown flags"),
        (small(colour="red"), "colour"),
    ],
)
def test_what_is_no_plan_is_refused_with_the_place_and_the_reason(document, why):
    with pytest.raises(BadPlan, match=why):
        Plan.parse(document)
