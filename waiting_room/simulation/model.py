"""Values of a simulated sale. Times are ms from its beginning; a fan is a number in place order."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from waiting_room.policy import Limits, Pace

Ms = NDArray[np.int64]

NEVER = 2**62  # later than any sale
MS_BITS = 41  # of a time within a sale; above it is the number of a fan


@dataclass(frozen=True, slots=True)
class Absences:
    """When fans who wait are not there: tab closed, network gone, phone asleep. `Absences.of`.

    One that ends before `away_ms` is within the grace: the fan counts as present all the time, and
    answers a call when back.
    """

    begins: NDArray[np.int64]  # fan and time in one number, sorted: no call is answered from then
    away_ms: Ms  # the grace is over: not present from then on, the place kept
    back_ms: Ms  # NEVER: closed for good

    @classmethod
    def of(cls, fan: NDArray[np.int64], since_ms: Ms, away_ms: Ms, back_ms: Ms) -> Absences:
        """In any order; a fan's own may not overlap."""
        begins = (fan << MS_BITS) + since_ms
        order = np.argsort(begins)
        return cls(begins[order], away_ms[order], back_ms[order])

    @classmethod
    def none(cls) -> Absences:
        nothing = np.empty(0, np.int64)
        return cls(nothing, nothing, nothing)

    @property
    def fan(self) -> NDArray[np.int64]:
        return self.begins >> MS_BITS

    def __len__(self) -> int:
        return len(self.begins)

    def left_ms(self, fans: NDArray[np.intp], now_ms: int) -> Ms:
        """For each of these how long it is until they can answer; 0 for who is there."""
        at = np.searchsorted(self.begins, (fans << MS_BITS) + now_ms, side="right") - 1
        theirs = (at >= 0) & (self.begins[at] >> MS_BITS == fans)
        return np.where(theirs, np.maximum(0, self.back_ms[at] - now_ms), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What the fans will do, fan by fan, whatever the room does.

    All arrays of its own have one length: a fan is a number in them.
    """

    arrives_ms: Ms  # sorted: the order of places
    leaves_ms: Ms  # gives the place up if not called by then; NEVER stays
    answers_ms: Ms  # from the call to accepting it; at or beyond the accept window is a no-show
    shops_ms: Ms  # from accepting to the end, if the room lets them
    wants: NDArray[np.int64]  # tickets bought at the end
    absences: Absences = field(default_factory=Absences.none)  # while they wait

    def __len__(self) -> int:
        return len(self.arrives_ms)


@dataclass(frozen=True, slots=True)
class Change:
    """These limits hold from `at_ms` on."""

    at_ms: int
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the operator sets: the limits over time, and what an admission is."""

    changes: tuple[Change, ...]  # in order; the first is at 0
    accept_ms: int
    shop_ms: int

    @classmethod
    def steady(cls, limits: Limits, *, accept_ms: int, shop_ms: int) -> Terms:
        return cls(changes=(Change(0, limits),), accept_ms=accept_ms, shop_ms=shop_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """Who holds a slot already when the simulation begins."""

    ends_ms: tuple[int, ...] = ()  # when each lets go
    lapses_ms: tuple[int, ...] = ()  # calls that nobody will accept, when each runs out
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What happened to each fan, and the totals that only a tick sees."""

    called_ms: Ms  # NEVER: not called
    ends_ms: Ms  # when the slot was let go: by the end of shopping, or a lapse
    gone_ms: Ms  # when the place was given up, the head being far past an away fan; NEVER: kept
    accepted: NDArray[np.bool_]
    fresh: int
    replacements: int
    peak_busy: int
    sold: int
    sold_out_ms: int | None
    ended_ms: int  # the clock when nothing was left to happen, or at `until_ms`

    @property
    def called(self) -> NDArray[np.bool_]:
        return self.called_ms < NEVER
