"""What a simulated fan buys, and what an audit calls a violation: pure decisions.

A `Violation` names a promise of the product that was seen broken, with the evidence. The audits
look from outside, at what fans and operators were shown; they share no code with what they judge.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

AVAILABLE, HELD = "0", "1"
OUT_OF_LINE = {"direct", "skip"}  # kinds of calls that no place decides

_CODE_ROW = re.compile(r"^\| (\w+) \| \d{3} \|", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Violation:
    promise: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """One look at `GET /admin/events/{id}/numbers`."""

    at_ms: int
    called: int
    active: int
    max_active: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One row of `GET /admin/events/{id}/calls`."""

    subject: str
    place: int
    kind: str
    called_at_ms: int


def choose_seats(
    states: str, rows: Sequence[Sequence[int]], wanted: int, pick: Callable[[int], int]
) -> list[int]:
    """`wanted` free seats, side by side in one row if any row has them; else free ones anywhere.

    Args:
        states: One digit a seat, as in the snapshot.
        rows: Seat indexes of each row, neighbours next to each other.
        pick: Gives a number in 0…n-1 for n: where to begin looking, so that fans spread.

    Returns fewer than `wanted`, or none, when so little is left.
    """
    if not rows:
        return []
    begin = pick(len(rows))
    for row in (*rows[begin:], *rows[:begin]):
        runs = _free_runs(states, row, wanted)
        if runs:
            return runs[pick(len(runs))]
    free = [seat for row in (*rows[begin:], *rows[:begin]) for seat in row if _free(states, seat)]
    return free[:wanted]


def nothing_may_come_back(states: str) -> bool:
    """Whether all is sold: a seat in somebody's basket may be let go again."""
    return AVAILABLE not in states and HELD not in states


def _free(states: str, seat: int) -> bool:
    return states[seat] == AVAILABLE


def _free_runs(states: str, row: Sequence[int], wanted: int) -> list[list[int]]:
    windows = (list(row[i : i + wanted]) for i in range(len(row) - wanted + 1))
    return [seats for seats in windows if all(_free(states, seat) for seat in seats)]


def over_the_cap(samples: Iterable[Numbers]) -> list[Violation]:
    """Q3, seen from outside: called + active, whenever anybody looked.

    A cap that was lowered evicts nobody, so a count may stay over a lower cap while it shrinks;
    it may not grow there.
    """
    found, before = [], 0
    for sample in samples:
        shopping = sample.called + sample.active
        if shopping > sample.max_active and shopping > before:
            found.append(
                Violation(
                    "never more than the cap",
                    f"{sample.called} called + {sample.active} active"
                    f" over {sample.max_active} at {sample.at_ms}",
                )
            )
        before = shopping
    return found


def out_of_order(calls: Iterable[Call], always_present: set[str]) -> list[Violation]:
    """Q1 for those who never went away: fresh calls come in the order of places.

    Calls of one moment are one step and have no order among themselves. Fans who were away for a
    while are rightly passed over, hence `always_present`.
    """
    fresh = [c for c in calls if c.kind == "fresh" and c.subject in always_present]
    fresh.sort(key=lambda call: (call.called_at_ms, call.place))
    return [
        Violation(
            "calls in the order of places",
            f"place {earlier.place} at {earlier.called_at_ms},"
            f" then place {later.place} at {later.called_at_ms}",
        )
        for earlier, later in itertools.pairwise(fresh)
        if later.place < earlier.place
    ]


def called_twice_or_shared(calls: Iterable[Call]) -> list[Violation]:
    """Q2: a place belongs to one fan, whatever number of calls it took."""
    owners: dict[int, set[str]] = {}
    for call in calls:
        if call.place and call.kind != "direct":  # 0: without a place
            owners.setdefault(call.place, set()).add(call.subject)
    return [
        Violation("one fan a place", f"place {place}: {', '.join(sorted(subjects))}")
        for place, subjects in owners.items()
        if len(subjects) > 1
    ]


def drawn_places(entries: Sequence[bytes], places: Sequence[int]) -> dict[str, int]:
    """As published: entry id → place."""
    return {entry.decode(): place for entry, place in zip(entries, places, strict=False)}


def misfits(verdict: str) -> list[Violation]:
    """`verdict`: what `onsale verify-draw` said."""
    lines = [line for line in verdict.splitlines() if line.startswith("WRONG")]
    return [
        Violation("the draw fits together", line.removeprefix("WRONG").strip()) for line in lines
    ]


def not_as_drawn(
    entries: Mapping[str, str], drawn: Mapping[str, int], calls: Iterable[Call]
) -> list[Violation]:
    """`entries`: subject → the entry the fan was given in the lobby; `drawn`: entry → place."""
    left_out = [
        Violation("every entry is drawn", entry) for entry in entries.values() if entry not in drawn
    ]
    elsewhere = [
        Violation("calls come at the places drawn", f"{entry} at {call.place}, drew {drawn[entry]}")
        for call in calls
        for entry in [entries.get(call.subject, "")]
        if entry in drawn and call.kind not in OUT_OF_LINE and call.place != drawn[entry]
    ]
    return left_out + elsewhere


def never_called(subjects: Iterable[str], calls: Iterable[Call]) -> list[Violation]:
    """For fans who all stayed until their turn."""
    called = {call.subject for call in calls}
    return [
        Violation("everybody of the lobby is called", subject)
        for subject in subjects
        if subject not in called
    ]


def sold_twice(bookings: Mapping[str, Sequence[str]]) -> list[Violation]:
    """S1: no ticket in two confirmed bookings. `bookings`: booking id → its ticket ids."""
    times = Counter(ticket for tickets in bookings.values() for ticket in tickets)
    return [
        Violation("no ticket sold twice", f"{ticket} in {count} bookings")
        for ticket, count in times.items()
        if count > 1
    ]


def documented_codes(protocol: str) -> set[str]:
    """The error codes in the table of docs/protocol.md."""
    return set(_CODE_ROW.findall(protocol))


def undocumented(shown: Mapping[str, int], documented: set[str]) -> list[Violation]:
    """`shown`: error code → how often a fan met it."""
    return [
        Violation("every error is in docs/protocol.md", f"{code} ({count} times)")
        for code, count in shown.items()
        if code not in documented
    ]


def unsettled(booking_ids: Iterable[str]) -> list[Violation]:
    return [Violation("every booking settles", booking_id) for booking_id in booking_ids]


def unsold(states: str) -> list[Violation]:
    """For a rehearsal that is to sell out: what is still there."""
    left = sum(1 for state in states if state != "2")
    return [Violation("the house sells out", f"{left} of {len(states)} seats unsold")][: bool(left)]
