"""What an operator does to one fan: a turn out of line, and the end of what the fan has.

PostgreSQL first, with a note of who did it, then Redis: nothing happens that is not in the audit
log. Should Redis not answer, the note tells what was asked for, and asking again is safe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from core.errors import AppError, NotFound
from core.ids import new_id
from waiting_room.errors import CapReached, NotOpen, SaleStopped
from waiting_room.model import Call, Standing
from waiting_room.rooms import Note

if TYPE_CHECKING:
    from waiting_room.service import WaitingRoom

TELL_REVOKED_MS: Final = 3_600_000  # how long a fan is told why what they had is gone

CALLED_OUT_OF_LINE: Final = "fan called out of line"
NOT_CALLED: Final = "call out of line refused"
REVOKED: Final = "fan revoked"

Noted = Callable[[str, Mapping[str, object]], Note]  # what happens, and the facts of it


@dataclass(frozen=True, slots=True)
class Fan:
    """Whom an operator means: by id, or by the place the fan has or had."""

    subject: str | None = None
    place: int | None = None


class Interventions:
    def __init__(self, room: WaitingRoom) -> None:
        self._room = room

    async def subject(self, event_id: str, fan: Fan) -> str:
        """Raises NotFound when nobody has or had that place."""
        if fan.subject is not None:
            return fan.subject
        assert fan.place is not None
        room = self._room
        epoch, floor = await room.at(event_id)
        waiting = room.store.holder(event_id, epoch, floor, fan.place)
        found = await room.guarded(event_id, waiting)
        found = found or await room.rooms.subject_called(event_id, fan.place)
        if found is None:
            raise NotFound(f"place {fan.place}")
        return found

    async def skip(self, event_id: str, subject: str, noted: Noted) -> Standing:
        """Call the fan now, in the queue or not; where the fan stands then.

        A fan who has a turn already keeps that one. Raises NotFound, SaleStopped, NotOpen,
        CapReached; after StoreUnavailable ask again.
        """
        room = self._room
        standing = await room.where(event_id, subject)
        if standing.kind in {"called", "admitted"}:
            return standing
        await self._require_slot(event_id)
        place = standing.number if standing.kind == "waiting" else 0
        call_id = new_id("ad")
        facts = {"subject": subject, "place": place, "callId": call_id}
        await room.rooms.write(noted(CALLED_OUT_OF_LINE, facts))
        outcome, number = await self._call(event_id, subject, call_id)
        if outcome == "skipped":
            await self._tell(event_id, subject)
        else:
            await room.rooms.write(noted(NOT_CALLED, facts | {"outcome": outcome}))
            if error := _refusal(event_id, outcome, number):
                raise error
        return await room.where(event_id, subject)

    async def revoke(self, event_id: str, subject: str, reason: str, noted: Noted) -> Standing:
        """End the fan's place, call or admission; what it was. The fan is told `reason`.

        From then on the gate refuses the fan's pass. Raises NotFound when there is nothing.
        """
        room = self._room
        standing = await room.where(event_id, subject)
        if standing.kind == "none":
            raise NotFound(f"{subject} has nothing here")
        held, entry = standing.admission, standing.entry
        place = standing.number if standing.kind == "waiting" else held.place if held else 0
        facts = {"subject": subject, "state": standing.kind, "place": place, "reason": reason}
        note = noted(REVOKED, facts)
        entry_id = entry.entry_id if entry else ""
        await room.rooms.revoke(
            event_id, subject, place=place, entry_id=entry_id, reason=reason, note=note
        )
        epoch, floor = await room.at(event_id)
        ends = room.store.revoke(
            event_id, epoch, floor, subject, reason=reason, keep_ms=TELL_REVOKED_MS
        )
        ended = await room.guarded(event_id, ends)
        if ended is not None:
            await room.rooms.over(event_id, Call(subject, ended), "revoked")
        await self._tell(event_id, subject)
        return standing

    async def _tell(self, event_id: str, subject: str) -> None:
        """The fan's tabs here at once, those on other nodes by the log; and the operator."""
        self._room.hub.look_again(event_id)
        standing = await self._room.standing(event_id, subject)
        await self._room.hub.push(event_id, subject, standing)

    async def _call(self, event_id: str, subject: str, call_id: str) -> tuple[str, int]:
        """What the script says, and the fan is called if it gives the turn.

        As in a tick: Redis, the row, then the fan. Should this node die on the way, the next tick
        of any finds the call and goes on.
        """
        room = self._room
        epoch, floor = await room.at(event_id)
        skip = room.store.skip(event_id, epoch, floor, subject, call_id=call_id)
        outcome, number, held = await room.guarded(event_id, skip)
        if held is not None:
            rows = room.rooms.insert_calls(event_id, epoch, [Call(subject, held)])
            await room.guarded(event_id, rows)
            await room.guarded(event_id, room.store.announce(event_id, epoch, floor, [subject]))
        return outcome, number

    async def _require_slot(self, event_id: str) -> None:
        """Raises what the script would refuse with, if this node's copy says so already."""
        view = await self._room.hub.view(event_id)
        room, counts = view.room, view.counts
        busy = counts.calling + counts.called + counts.active
        outcome = ""
        if room.stopped:
            outcome = "stopped"
        elif view.now_ms < room.opens_at_ms:
            outcome = "early"
        elif busy >= room.max_active:
            outcome = "full"
        number = room.opens_at_ms if outcome == "early" else room.max_active
        if error := _refusal(event_id, outcome, number):
            raise error


def _refusal(event_id: str, outcome: str, number: int) -> AppError | None:
    """What skip.lua refuses; None when the fan has a turn."""
    match outcome:
        case "stopped":
            return SaleStopped(event_id)
        case "early":
            return NotOpen(number)
        case "full":
            return CapReached(number)
    return None
