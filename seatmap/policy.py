"""What may happen to seats: the specification of seatmap/lua. Pure, no I/O, no clock.

The scripts decide in production, where the decision must be atomic; this says what they must
decide, and a Hypothesis state machine runs both on the same histories. A seat's state follows
from what is known about it:

    from        event                                   to
    available   a hold takes it                         held
    held        released, replaced, ended, unpinned     available
                past its end
    held        its booking is claimed                  claimed
    any         PostgreSQL says claimed or sold         claimed, sold   a higher rev only
    any         PostgreSQL says available               available, or held while locked

A pinned hold is being paid for: it is neither released nor replaced, and ends later. While the sale
stands still all ends are put off: each standstill is made good once, up to `off_to_ms`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from seatmap.model import AVAILABLE, CLAIMED, HELD, SOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A hold as the specification sees it: `number` is the counter of its fence."""

    subject: str
    seats: tuple[int, ...]
    number: int
    ends_ms: int
    pinned_ms: int = 0  # 0, or the end that unpin goes back to


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a hold is asked under: everything that the caller knows."""

    max_tickets: int
    booked: int
    hold_ms: int
    admitted: bool


@dataclass(slots=True)
class Seats:
    """One event. Every call sweeps first, as every script does, and answers as the script does."""

    states: bytearray
    revs: list[int]
    holds: dict[str, Held] = field(default_factory=dict)
    holders: dict[str, str] = field(default_factory=dict)  # subject -> hold id
    locks: dict[int, str] = field(default_factory=dict)  # seat -> hold id
    counter: int = 0
    off_to_ms: int = 0

    def sweep(self, now_ms: int) -> None:
        """A hold is live while now < end."""
        for hold_id in [h for h, hold in self.holds.items() if hold.ends_ms <= now_ms]:
            self._drop(hold_id)

    def hold(
        self,
        hold_id: str,
        subject: str,
        alternatives: Sequence[Sequence[int]],
        offer: Offer,
        now_ms: int,
    ) -> Held | str:
        """The hold, or why not: the code of a refusal."""
        self.sweep(now_ms)
        if not offer.admitted:
            return "not_admitted"
        known = self.holds.get(hold_id)
        if known:
            return known if known.subject == subject else "no_hold"
        old_id = self.holders.get(subject, "")
        old = self.holds.get(old_id)
        room = offer.max_tickets - offer.booked
        if old and old.pinned_ms:
            room, old = room - len(old.seats), None
        mine = {s for s in old.seats if self.locks.get(s) == old_id} if old else set()
        for seats in alternatives:
            if len(seats) > room:
                return "too_many_tickets"
            if all(self._open(seat, mine) for seat in seats):
                keeps_end = old and mine.intersection(seats)
                ends_ms = old.ends_ms if old and keeps_end else now_ms + offer.hold_ms
                if old:
                    self._drop(old_id)
                return self._take(hold_id, subject, tuple(seats), ends_ms)
        return "seats_taken"

    def release(self, hold_id: str, subject: str, now_ms: int) -> bool | str:
        self.sweep(now_ms)
        hold = self.holds.get(hold_id)
        if hold is None or hold.subject != subject:
            return False
        if hold.pinned_ms:
            return "hold_ended"
        self._drop(hold_id)
        return True

    def pin(self, hold_id: str, subject: str, number: int, pin_ms: int, now_ms: int) -> Held | str:
        self.sweep(now_ms)
        hold = self.holds.get(hold_id)
        if hold is None or hold.subject != subject or hold.number != number:
            return "hold_ended"
        if any(self.locks.get(seat) != hold_id for seat in hold.seats):
            return "hold_ended"
        pinned = replace(
            hold,
            pinned_ms=hold.pinned_ms or hold.ends_ms,
            ends_ms=max(hold.ends_ms, now_ms + pin_ms),
        )
        self.holds[hold_id] = pinned
        return pinned

    def unpin(self, hold_id: str, number: int, now_ms: int) -> bool:
        self.sweep(now_ms)
        hold = self.holds.get(hold_id)
        if hold is None or hold.number != number or not hold.pinned_ms:
            return False
        if hold.pinned_ms <= now_ms or self.holders.get(hold.subject) != hold_id:
            self._drop(hold_id)
        else:
            self.holds[hold_id] = replace(hold, ends_ms=hold.pinned_ms, pinned_ms=0)
        return True

    def apply(self, hold_id: str, state: int, fates: Sequence[tuple[int, int]], now_ms: int) -> int:
        """(seat, rev) as PostgreSQL has them; how many were news."""
        assert state in {AVAILABLE, CLAIMED, SOLD}
        self.sweep(now_ms)
        if hold_id in self.holds:
            self._drop(hold_id)
        news = [(seat, rev) for seat, rev in fates if rev > self.revs[seat]]
        for seat, rev in news:
            self.revs[seat] = rev
            if state != AVAILABLE:
                self.locks.pop(seat, None)
                self.states[seat] = state
            else:
                self.states[seat] = HELD if seat in self.locks else AVAILABLE
        return len(news)

    def mine(self, subject: str, now_ms: int) -> Held | None:
        self.sweep(now_ms)
        return self.holds.get(self.holders.get(subject, ""))

    def put_off(self, since_ms: int, until_ms: int, now_ms: int) -> int:
        """How many ends were put off by the part of this time that no step had made good before."""
        self.sweep(now_ms)
        by_ms = until_ms - max(self.off_to_ms, since_ms)
        if by_ms <= 0:
            return 0
        self.off_to_ms = until_ms
        for hold_id, hold in self.holds.items():
            pinned_ms = hold.pinned_ms + by_ms if hold.pinned_ms else 0
            self.holds[hold_id] = replace(hold, ends_ms=hold.ends_ms + by_ms, pinned_ms=pinned_ms)
        return len(self.holds)

    def _open(self, seat: int, mine: set[int]) -> bool:
        sellable = self.states[seat] in {AVAILABLE, HELD}
        return sellable and (seat in mine or seat not in self.locks)

    def _take(self, hold_id: str, subject: str, seats: tuple[int, ...], ends_ms: int) -> Held:
        self.counter += 1
        hold = Held(subject=subject, seats=seats, number=self.counter, ends_ms=ends_ms)
        for seat in seats:
            self.locks[seat] = hold_id
            self.states[seat] = HELD
        self.holds[hold_id], self.holders[subject] = hold, hold_id
        return hold

    def _drop(self, hold_id: str) -> None:
        hold = self.holds.pop(hold_id)
        for seat in hold.seats:
            if self.locks.get(seat) == hold_id:
                del self.locks[seat]
            if seat not in self.locks and self.states[seat] == HELD:
                self.states[seat] = AVAILABLE
        if self.holders.get(hold.subject) == hold_id:
            del self.holders[hold.subject]
