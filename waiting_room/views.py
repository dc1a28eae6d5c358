"""What a fan is told: the queue state of docs/protocol.md. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from waiting_room.model import Counts, RoomSettings, Standing
from waiting_room.passes import Passes
from waiting_room.policy import eta_ms
from waiting_room.ranks import RankIndex

POLL_MS = 3_000
STOPPED = "The organiser has stopped the sale for now."


@dataclass(slots=True)
class EventView:
    """A node's copy of one event: memory, never the last word."""

    room: RoomSettings
    now_ms: int
    counts: Counts = field(default_factory=lambda: Counts(0, 0, 0, 0))
    state: dict[str, int] = field(default_factory=dict)
    ranks: RankIndex = field(default_factory=RankIndex)
    postgres_down: bool = False

    @property
    def paused(self) -> bool:
        standing_still = self.now_ms < self.room.resume_at_ms
        held_up = self.room.paused or self.room.stopped
        return held_up or standing_still or self.postgres_down

    @property
    def pause_reason(self) -> str:
        if self.room.stopped:
            return self.room.pause_reason or STOPPED
        if self.room.paused:
            return self.room.pause_reason
        if self.postgres_down:
            return "We can't reach our own records. Your place is kept."
        if self.now_ms < self.room.resume_at_ms:
            return "The queue was repaired. Everybody gets their place back first."
        return ""

    @property
    def terms(self) -> tuple[object, ...]:
        """What concerns everybody: when it changes, all fans are told at once."""
        room = self.room
        opened = self.now_ms >= room.opens_at_ms
        return (
            *(room.mode, room.per_minute, room.max_active, room.opens_at_ms, opened),
            *(self.paused, self.pause_reason, room.stopped, room.message, room.intake),
        )


def queue_state(
    view: EventView,
    passes: Passes,
    event_id: str,
    subject: str,
    standing: Standing,
    generation: int,
) -> dict[str, Any]:
    room = view.room
    body: dict[str, Any] = {
        "state": standing.kind,
        "now": view.now_ms,
        "mode": room.mode,
        "opensAt": room.opens_at_ms,
        "perMinute": room.per_minute,
        "paused": view.paused,
        "pauseReason": view.pause_reason,
        "stopped": room.stopped,
        "message": room.message,
        "intake": room.intake,
        "pollMs": POLL_MS,
    }
    match standing.kind:
        case "none":
            body["state"] = "early" if view.now_ms < room.opens_at_ms else "none"
            if standing.revoked:
                body["revokedReason"] = standing.revoked
        case "waiting":
            body |= _waiting(view, standing.number)
            body["slip"] = passes.slip(event_id, subject, standing.number, generation)
        case "called":
            place = standing.admission.place if standing.admission else 0
            body |= {"place": place, "acceptBy": standing.number}
        case "admitted":
            assert standing.admission is not None
            call_id, ends_ms = standing.admission.call_id, standing.number
            issued = passes.issue(event_id, subject, call_id, now_ms=view.now_ms, ends_ms=ends_ms)
            body |= {"admissionId": call_id, "endsAt": ends_ms, "pass": issued}
    return body


def _waiting(view: EventView, place: int) -> dict[str, Any]:
    rank, room = view.ranks.rank(place), view.room
    open_in_ms = max(0, room.opens_at_ms - view.now_ms, room.resume_at_ms - view.now_ms)
    eta = None
    if not (room.paused or room.stopped or view.postgres_down):
        eta = eta_ms(
            rank,
            per_minute=room.per_minute,
            max_active=room.max_active,
            shop_ms=room.shop_ms,
            open_in_ms=open_in_ms,
        )
    low, high = eta or (None, None)
    return {"place": place, "rank": rank, "etaLowMs": low, "etaHighMs": high}


def numbers(view: EventView) -> dict[str, Any]:
    """What the operator sees of the queue."""
    room, counts = view.room, view.counts
    return {
        "waiting": counts.waiting,
        "present": view.ranks.present,
        "called": counts.called + counts.calling,
        "active": counts.active,
        "maxActive": room.max_active,
        "perMinute": room.per_minute,
        "fresh": view.state.get("fresh", 0),
        "lapsed": view.state.get("lapsed", 0),
        "gone": view.state.get("gone", 0),
        "paused": view.paused,
        "pauseReason": view.pause_reason,
        "stopped": room.stopped,
        "intake": room.intake,
        "mode": room.mode,
    }
