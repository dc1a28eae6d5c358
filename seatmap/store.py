"""The seat map's Lua scripts as typed functions. Every call names the epoch it works in."""

from __future__ import annotations

import array
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from core.errors import NotAdmitted
from core.generations import Epoch
from core.ids import HoldId, Subject
from core.lua import BoundScript, LuaScript, RunsScripts
from seatmap.errors import HoldEnded, NoHold, SeatsTaken, TooManyTickets
from seatmap.keys import every_key, key
from seatmap.model import Alternative, Fate, Hold

SCRIPTS = (
    "hold",
    "release",
    "pin",
    "unpin",
    "apply",
    "mine",
    "put_off",
    "snapshot",
    "changes",
    "lay_begin",
    "lay",
)
SHOP_AFTER_MS = 120_000  # an admission outlives a hold or a pin by so much
MAX_LOG_ENTRIES = 2_000  # read at once
MAX_FATES = 1_000  # applied at once
HOLDS_MAX = 200  # put off by one call: some 3 ms of Redis' time
LAY_CHUNK = 2_000  # seats of one step of a repair
REPAIR_JUMP = 1_000_000  # versions and fences that a loss can't have covered


@dataclass(frozen=True, slots=True)
class At:
    """Where a call works: an event, its epoch, the highest version this node has seen of it."""

    event_id: str
    epoch: Epoch
    floor: int
    now_ms: int | None = None  # tests pass the time in; None takes Redis' clock


@dataclass(frozen=True, slots=True)
class Snapshot:
    version: int
    next_end_ms: int | None  # from now until the next hold ends; None when there is none
    states: bytes


@dataclass(frozen=True, slots=True)
class Changes:
    version: int
    next_end_ms: int | None
    changes: Sequence[tuple[int, int]]  # (seat, state), in order


class SeatStore:
    """Raises Stale and StoreUnavailable everywhere, besides what a function names."""

    def __init__(self, redis: RunsScripts) -> None:
        self._scripts = {name: LuaScript("seatmap", name).bind(redis) for name in SCRIPTS}

    async def hold(
        self,
        at: At,
        *,
        hold_id: HoldId,
        subject: Subject,
        alternatives: Sequence[Alternative],
        max_tickets: int,
        booked: int,
        hold_ms: int,
        admission_key: str,
    ) -> tuple[int, Hold]:
        """Raises NotAdmitted, SeatsTaken, TooManyTickets; NoHold when the id is another fan's."""
        reply = await self._json(
            "hold",
            at,
            admission=admission_key,
            hold_id=hold_id,
            subject=subject,
            alternatives=_alternatives_json(alternatives),
            max_tickets=max_tickets,
            booked=booked,
            hold_ms=hold_ms,
            shop_after_ms=SHOP_AFTER_MS,
        )
        match reply.get("refused"):
            case "not_admitted":
                raise NotAdmitted(at.event_id)
            case "too_many_tickets":
                raise TooManyTickets(max_tickets)
            case "seats_taken":
                raise SeatsTaken(at.event_id, [int(seat) for seat in reply["seats"]])
            case "no_hold":
                raise NoHold(hold_id)
        return reply["version"], _hold(hold_id, reply["hold"])

    async def release(self, at: At, *, hold_id: HoldId, subject: Subject) -> tuple[int, bool]:
        """False when there was nothing to release. Raises HoldEnded when it is pinned."""
        reply = await self._json("release", at, hold_id=hold_id, subject=subject)
        if "refused" in reply:
            raise HoldEnded(hold_id)
        return reply["version"], reply["released"]

    async def pin(
        self,
        at: At,
        *,
        hold_id: HoldId,
        subject: Subject,
        fence: str,
        pin_ms: int,
        admission_key: str,
    ) -> tuple[int, Hold]:
        """Raises HoldEnded when owner, fence, end or a lock is not as it was."""
        reply = await self._json(
            "pin",
            at,
            admission=admission_key,
            hold_id=hold_id,
            subject=subject,
            fence=fence,
            pin_ms=pin_ms,
            shop_after_ms=SHOP_AFTER_MS,
        )
        if "refused" in reply:
            raise HoldEnded(hold_id)
        return reply["version"], _hold(hold_id, reply["hold"])

    async def unpin(self, at: At, *, hold_id: HoldId, fence: str) -> tuple[int, bool]:
        reply = await self._json("unpin", at, hold_id=hold_id, fence=fence)
        return reply["version"], reply["unpinned"]

    async def apply(
        self, at: At, *, hold_id: str, state: int, fates: Sequence[Fate]
    ) -> tuple[int, int]:
        """How many of the fates were news."""
        assert len(fates) <= MAX_FATES
        numbers = [number for fate in fates for number in (fate.seat, fate.rev)]
        reply = await self._json("apply", at, hold_id=hold_id, state=chr(state), fates=numbers)
        return reply["version"], reply["applied"]

    async def mine(self, at: At, *, subject: Subject) -> tuple[int, Hold | None]:
        reply = await self._json("mine", at, subject=subject)
        found = "hold" in reply
        return reply["version"], _hold(reply["holdId"], reply["hold"]) if found else None

    async def put_off(
        self, at: At, *, since_ms: int, until_ms: int, most: int = HOLDS_MAX
    ) -> tuple[int, tuple[int, bool]]:
        """(holds put off, whether there are more): those of `since` get the time until `until`."""
        reply = await self._json("put_off", at, since_ms=since_ms, until_ms=until_ms, most=most)
        return reply["version"], (int(reply["moved"]), reply["left"])

    async def snapshot(self, at: At) -> Snapshot:
        version, next_end, states = await self._run("snapshot", at)
        return Snapshot(version, _ms(next_end), states)

    async def changes(self, at: At, *, after: int) -> Changes | None:
        """At most MAX_LOG_ENTRIES entries after a version; None: gone, take a snapshot."""
        reply = await self._run("changes", at, after=after, count=MAX_LOG_ENTRIES)
        if reply[0] < 0:
            return None
        return Changes(reply[0], _ms(reply[1]), unpack_changes(reply[2]))

    async def lay(self, event_id: str, epoch: Epoch, states: bytes, revs: bytes) -> None:
        """Lay PostgreSQL's truth over the whole event, in chunks. Raises Stale when overtaken.

        Only for a repair: nobody else works meanwhile, since the epoch key is gone.
        """
        keys = every_key(event_id) | {"revs": key(event_id, "revs")}
        await self._bound("lay_begin")(
            **{name: keys[name] for name in ("states", "revs", "meta", "log")},
            epoch_text=epoch.text,
            seats=len(states),
            ahead=REPAIR_JUMP,
        )
        names = ("states", "revs", "meta", "holds", "holders", "ends", "lock")
        for first in range(0, len(states), LAY_CHUNK):
            await self._bound("lay")(
                **{name: keys[name] for name in names},
                epoch_text=epoch.text,
                first=first,
                states_chunk=states[first : first + LAY_CHUNK],
                revs_chunk=revs[first * 4 : (first + LAY_CHUNK) * 4],
            )

    def _bound(self, name: str) -> BoundScript:
        return self._scripts[name]

    async def _run(self, name: str, at: At, **given: Any) -> Any:
        keys = every_key(at.event_id)
        if name == "apply":
            keys["revs"] = key(at.event_id, "revs")
        else:
            keys.pop("revs")
        return await self._bound(name)(
            **keys,
            epoch_text=at.epoch.text,
            floor=at.floor,
            now_ms="" if at.now_ms is None else at.now_ms,
            **given,
        )

    async def _json(self, name: str, at: At, **given: Any) -> dict[str, Any]:
        reply: dict[str, Any] = orjson.loads(await self._run(name, at, **given))
        return reply


def unpack_changes(packed: bytes) -> list[tuple[int, int]]:
    words = array.array("I", packed)
    if sys.byteorder == "little":
        words.byteswap()
    return [(word >> 8, word & 0xFF) for word in words]


def _alternatives_json(alternatives: Sequence[Alternative]) -> bytes:
    """The quote travels as a string: Lua's JSON can't tell an empty list from an empty object."""
    return orjson.dumps(
        [
            {"seats": list(one.seats), "quote": orjson.dumps(one.quote).decode()}
            for one in alternatives
        ]
    )


def _hold(hold_id: str, found: dict[str, Any]) -> Hold:
    return Hold(
        hold_id=HoldId(hold_id),
        subject=Subject(found["subject"]),
        seats=tuple(int(seat) for seat in found["seats"]),
        fence=found["fence"],
        ends_ms=int(found["end"]),
        quote=orjson.loads(found["quote"]),
        pinned=found["pinned"] > 0,
    )


def _ms(reply: bytes) -> int | None:
    return int(reply) if reply else None
