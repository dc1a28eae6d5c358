"""Values of the waiting room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mode = Literal["off", "auto", "on"]
Intake = Literal["open", "closed", "draining", "drained"]
State = Literal["none", "early", "lobby", "drawing", "waiting", "called", "admitted"]
Kind = State | Literal["closed", "draining", "drained", "spent"]
CLOSED: tuple[Kind, ...] = ("closed", "draining", "drained")  # answers to who has no place


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSettings:
    """What the operator sets, as PostgreSQL has it."""

    mode: Mode
    per_minute: int  # fresh calls
    max_active: int  # called and shopping at once
    accept_ms: int
    shop_ms: int
    grace_ms: int  # how long a fan who disconnects still counts as present
    paused: bool
    pause_reason: str
    opens_at_ms: int
    version: int
    message: str = ""  # to all fans
    intake: Intake = "open"  # draining becomes drained when nobody is left
    stopped: bool = False  # emergency: no calls, no new holds, no new bookings
    resume_at_ms: int = 0  # after a repair, calling stands still until then
    draw: bool = True  # whether fans gather in a lobby and get their order by a draw
    lobby_opens_at_ms: int = 0

    @property
    def lobby_closes_at_ms(self) -> int:
        """The opening; after a repair not before everybody had time to come back."""
        return max(self.opens_at_ms, self.resume_at_ms)


@dataclass(frozen=True, slots=True)
class Admission:
    """From the call to its end. `place` is 0 for those let straight through who had none."""

    call_id: str
    place: int
    called_at_ms: int
    kind: str  # fresh, replacement, direct, skip

    @classmethod
    def parse(cls, text: str) -> Admission:
        call_id, place, called_at_ms, kind = text.split(":")
        return cls(call_id, int(place), int(called_at_ms), kind)

    def __str__(self) -> str:
        return f"{self.call_id}:{self.place}:{self.called_at_ms}:{self.kind}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A fan's line of the lobby's list. The id is random: it tells nothing of the fan."""

    entry_id: str
    joined_at_ms: int | None = None  # None: the moment at which the store takes it

    @classmethod
    def parse(cls, text: str) -> Entry:
        entry_id, _, joined_at_ms = text.partition(":")
        return cls(entry_id, int(joined_at_ms))

    def __str__(self) -> str:
        return (
            self.entry_id if self.joined_at_ms is None else f"{self.entry_id}:{self.joined_at_ms}"
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a fan stands. `number`: the place, the accept deadline, the end or the opening, ms.

    `generation` is that of the state it was read from: a slip vouches for a place in it, and no
    repair since then has kept it from being lost.
    """

    kind: Kind
    number: int = 0
    admission: Admission | None = None
    new: bool = False
    revoked: str = ""  # why an operator lately ended what the fan had
    entry: Entry | None = None  # in the lobby and while it is drawn
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Slip:
    """A place that a fan had in a generation. `over`: it was called, taken back or given up."""

    place: int
    generation: int
    over: bool = False


@dataclass(frozen=True, slots=True)
class Join:
    """One fan's wish for a place."""

    subject: str
    call_id: str  # of the admission, should the room let the fan straight in
    slip: Slip | None = None  # of a place to get back after a repair
    entry: Entry | None = None  # likewise, in the lobby


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What shoppers did lately."""

    active_ends_ms: tuple[int, ...]  # for each who shops: ms from now until the admission ends
    shopping_ms: tuple[int, ...]  # how long those stayed who are through
    no_show_share: float  # of calls, 0…1


@dataclass(frozen=True, slots=True)
class Call:
    subject: str
    admission: Admission


@dataclass(frozen=True, slots=True)
class Counts:
    waiting: int
    calling: int
    called: int
    active: int
    ended: int = 0  # admissions that the next tick sweeps
    present: int = 0  # of those waiting
    unannounced_since_ms: int = 0  # the oldest call that is not in PostgreSQL yet; 0: none
    lobby: int = 0
