"""Values of a simulated sale. Times are ms from its beginning; a fan is a number in place order."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from waiting_room.policy import Limits, Pace

Ms = NDArray[np.int64]

NEVER = 2**62  # later than any sale


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What the fans will do, fan by fan, whatever the room does. All arrays have one length."""

    arrives_ms: Ms  # sorted: the order of places
    leaves_ms: Ms  # gives the place up if not called by then; NEVER stays
    answers_ms: Ms  # from the call to accepting it; at or beyond the accept window is a no-show
    shops_ms: Ms  # from accepting to the end, if the room lets them
    wants: NDArray[np.int64]  # tickets bought at the end

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
