"""A booking's life, as a table. Who may move it is a question of `attempt`; see store.py.

    claimed ──authorised, committed──► confirmed ──► captured
       │                                   │
       └─ declined, too late ► cancelling  └─ not captured in time ► revoking
                                   │                                     │
                                   └──► cancelled                        └──► revoked

Tickets are freed by the last step of each lower branch only, after the gateway has said
"cancelled" or "declined": a seat whose payment is unknown is not offered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from seatmap.model import Hold

State = Literal[
    "claimed", "confirmed", "captured", "cancelling", "cancelled", "revoking", "revoked"
]

MOVES: dict[State, set[State]] = {
    "claimed": {"confirmed", "cancelling"},
    "confirmed": {"captured", "revoking"},
    "cancelling": {"cancelled"},
    "revoking": {"revoked"},  # a capture that came first is refunded
    "captured": set(),
    "cancelled": set(),
    "revoked": set(),
}
STATUS = {  # what the fan is told
    "claimed": "pending",
    "cancelling": "pending",
    "confirmed": "confirmed",
    "captured": "confirmed",
    "revoking": "confirmed",
    "cancelled": "cancelled",
    "revoked": "revoked",
}
PAY_WITHIN_S = 600  # a claim that is not authorised by then is cancelled
CAPTURE_WITHIN_S = 900  # a confirmed booking is captured by then, or revoked with a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is about to become a booking. The id is chosen before the work begins."""

    booking_id: str
    event_id: str
    subject: str
    key: str  # the Idempotency-Key under which the call was begun
    hold: Hold  # pinned
    email: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    booking_id: str
    event_id: str
    subject: str
    hold_id: str
    state: State
    reason: str | None
    email: str
    currency: str
    total_minor: int
    token: str
    payment_id: str | None
    attempt: int
    age_s: float  # since it was made

    @property
    def status(self) -> str:
        return STATUS[self.state]
