"""What a fan is told: the queue state of docs/protocol.md. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from waiting_room.forecast.curve import Rules
from waiting_room.forecast.outlook import Forecaster, Outlook, Standstill
from waiting_room.forecast.recent import Reading
from waiting_room.model import Counts, RoomSettings, Standing
from waiting_room.passes.signed import Passes
from waiting_room.policy import REPLACEMENTS_PER_FRESH, Binding, binding
from waiting_room.ranks.index import Places, RankIndex
from waiting_room.ranks.line import Line

POLL_MS = 3_000
LOBBY_POLL_MS = 10_000
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
    outlook: Outlook = field(default_factory=Outlook)
    all_gone: bool = False  # nothing can be chosen: sold or in baskets
    line: Line = field(default_factory=Line)  # as last told to those who wait

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
    def put_off_to(self) -> int:
        """Up to when, in ms, ends were put off since the sale stood or stands still; 0: never."""
        return min(self.state.get("active_off_to", 0), self.state.get("calls_off_to", 0))

    @property
    def lobby_open(self) -> bool:
        """Whether a fan who joins now gets into the lobby."""
        room = self.room
        begun = room.lobby_opens_at_ms <= self.now_ms < room.lobby_closes_at_ms
        return room.draw and room.mode != "off" and begun and "draw_entries" not in self.state

    @property
    def draw_due(self) -> bool:
        """Whether a node has to look after the draw: the lobby is to be closed or laid."""
        room = self.room
        if "draw_entries" in self.state:
            return "drawn" not in self.state
        lobby = self.counts.lobby > 0 or (room.draw and room.mode != "off")
        return lobby and self.now_ms >= room.lobby_closes_at_ms

    @property
    def drawn_up_to(self) -> int | None:
        """The place up to which the queue is laid; None before the lobby closed."""
        return self.state.get("drawn_up_to")

    @property
    def undrawn(self) -> int:
        """Places of the draw that are not laid yet."""
        so_far = self.state.get
        return so_far("draw_base", 0) + so_far("draw_entries", 0) - so_far("drawn_up_to", 0)

    @property
    def to_be_drawn(self) -> int:
        """Fans in the lobby, and those of the draw whose place is not laid yet."""
        return self.undrawn if "draw_entries" in self.state else self.counts.lobby

    def rank(self, place: int) -> int:
        """Among the present. Who is still to be laid by the draw comes before who joined later."""
        later = place > self.state.get("drawn_up_to", 0)
        return self.ranks.rank(place) + (self.undrawn if later else 0)

    def ranks_of(self, places: Places) -> Places:
        """The rank of each, as `rank` gives it."""
        later = places > self.state.get("drawn_up_to", 0)
        return self.ranks.ranks(places) + np.where(later, self.undrawn, 0)

    @property
    def passed(self) -> int:
        """Fans called from the queue so far: each of them let all ranks behind fall by one."""
        return self.state.get("fresh", 0) + self.state.get("replaced", 0)

    @property
    def terms(self) -> tuple[object, ...]:
        """What is the same for everybody: when it changes, all are told at once, by one frame."""
        room = self.room
        return (
            *(room.mode, room.per_minute, room.max_active, room.opens_at_ms),
            *(self.paused, self.pause_reason, room.stopped, room.message, room.intake),
            self.all_gone,
        )

    @property
    def phase(self) -> tuple[object, ...]:
        """What decides how a fan's own standing is told: when it changes, each fan is told it."""
        opened = self.now_ms >= self.room.opens_at_ms
        return self.straight_in, opened, self.lobby_open, "draw_entries" in self.state

    @property
    def straight_in(self) -> bool:
        """Whether who waits need not wait any more: the room is off, and the sale not stopped."""
        return self.room.mode == "off" and not self.room.stopped


def queue_state(
    view: EventView,
    passes: Passes,
    event_id: str,
    subject: str,
    standing: Standing,
) -> dict[str, Any]:
    room = view.room
    body: dict[str, Any] = {"state": standing.kind, **_for_all(view), "pollMs": POLL_MS}
    match standing.kind:
        case "none":
            early = view.now_ms < room.opens_at_ms and not view.lobby_open
            body["state"] = "early" if early else "none"
            if standing.revoked:
                body["revokedReason"] = standing.revoked
        case "lobby" | "drawing":
            body |= _before_the_draw(view, standing)
        case "waiting":
            body |= _waiting(view, standing.number)
            body["slip"] = passes.slip(event_id, subject, standing.number, standing.generation)
        case "called":
            place = standing.admission.place if standing.admission else 0
            body |= {"place": place, "acceptBy": standing.number}
        case "admitted":
            assert standing.admission is not None
            call_id, ends_ms = standing.admission.call_id, standing.number
            issued = passes.issue(event_id, subject, call_id, now_ms=view.now_ms, ends_ms=ends_ms)
            body |= {"admissionId": call_id, "endsAt": ends_ms, "pass": issued}
    return body


def word_to_all(view: EventView) -> dict[str, Any]:
    """The fields that changed for everybody, to lay over each fan's last queue state."""
    body = _for_all(view)
    if view.lobby_open:
        body["inLobby"] = view.counts.lobby
    if waiting := view.ranks.present + view.undrawn:
        body |= {"etas": view.outlook.table(waiting), "etaReason": view.outlook.reason}
    return body


def _for_all(view: EventView) -> dict[str, Any]:
    room, line = view.room, view.line
    return {
        "now": view.now_ms,
        "mode": room.mode,
        "opensAt": room.opens_at_ms,
        "perMinute": room.per_minute,
        "paused": view.paused,
        "pauseReason": view.pause_reason,
        "stopped": room.stopped,
        "message": room.message,
        "intake": room.intake,
        "allGone": view.all_gone,
        "line": {"at": line.at_ms, "passed": line.passed, "perMinute": line.per_minute},
    }


def _before_the_draw(view: EventView, standing: Standing) -> dict[str, Any]:
    """The lobby closes at the opening even if no node came to close it yet."""
    assert standing.entry is not None
    body: dict[str, Any] = {"entryId": standing.entry.entry_id}
    left_ms = view.room.lobby_closes_at_ms - view.now_ms
    if standing.kind == "drawing" or "draw_entries" in view.state or left_ms <= 0:
        return body | {"state": "drawing"}
    poll_ms = LOBBY_POLL_MS if left_ms > 2 * LOBBY_POLL_MS else POLL_MS
    return body | {"state": "lobby", "inLobby": view.counts.lobby, "pollMs": poll_ms}


def _waiting(view: EventView, place: int) -> dict[str, Any]:
    rank = view.rank(place)
    low, high = view.outlook.interval_ms(rank) or (None, None)
    return {
        "place": place,
        "rank": rank,
        "mark": rank + view.line.passed_by(view.now_ms),
        "etaLowMs": low,
        "etaHighMs": high,
        "etaReason": view.outlook.reason,
    }


def look_ahead(view: EventView, forecaster: Forecaster) -> Outlook:
    """The outlook for everybody who waits, from the numbers that the node has anyway."""
    room = view.room
    standstill: Standstill = ""
    if room.paused or room.stopped or view.postgres_down:
        standstill = "paused"
    elif view.now_ms < room.resume_at_ms:
        standstill = "repair"
    return forecaster.look(
        reading(view),
        Rules(
            per_minute=room.per_minute,
            max_active=room.max_active,
            accept_ms=room.accept_ms,
            shop_ms=room.shop_ms,
        ),
        standstill=standstill,
        open_in_ms=max(0, room.opens_at_ms - view.now_ms, room.resume_at_ms - view.now_ms),
    )


def reading(view: EventView) -> Reading:
    """The counters for the forecast. Who is still to be laid by the draw waits already."""
    counts, so_far, waiting = view.counts, view.state.get, view.ranks.present + view.undrawn
    fresh, replaced, lapsed = so_far("fresh", 0), so_far("replaced", 0), so_far("lapsed", 0)
    return Reading(
        at_ms=view.now_ms,
        calls=fresh + replaced,
        accepted=so_far("accepted", 0) + so_far("direct", 0),
        lapsed=lapsed,
        thinned=so_far("last_place", 0) - fresh - replaced - waiting,
        owed=max(0, min(lapsed, REPLACEMENTS_PER_FRESH * fresh) - replaced),
        called=counts.called + counts.calling,
        active=counts.active,
        waiting=waiting,
    )


def binds(view: EventView) -> Binding:
    """What keeps the next fan from being called, as this node sees it."""
    counts = view.counts
    return binding(
        view.room,
        now_ms=view.now_ms,
        present=view.ranks.present,
        busy=counts.calling + counts.called + counts.active,
        store_down=view.postgres_down,
    )


def numbers(view: EventView) -> dict[str, Any]:
    """What the operator sees of the queue."""
    room, counts, present = view.room, view.counts, view.ranks.present
    return {
        "now": view.now_ms,
        "binds": binds(view),
        "lobby": counts.lobby,
        "waiting": counts.waiting,
        "present": present,
        "away": max(0, counts.waiting - present),
        "called": counts.called + counts.calling,
        "active": counts.active,
        "maxActive": room.max_active,
        "perMinute": room.per_minute,
        "fresh": view.state.get("fresh", 0),
        "lapsed": view.state.get("lapsed", 0),
        "gone": view.state.get("gone", 0),
        "skipped": view.state.get("skipped", 0),
        "revoked": view.state.get("revoked", 0),
        "paused": view.paused,
        "pauseReason": view.pause_reason,
        "stopped": room.stopped,
        "intake": room.intake,
        "mode": room.mode,
    }
