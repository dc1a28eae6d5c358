"""The draw's Lua scripts as typed functions. They share keys and epoch with the queue's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from core.generations import Epoch
from core.lua import LuaScript
from waiting_room.draw.model import line_of
from waiting_room.keys import key
from waiting_room.model import Entry

SCRIPTS = tuple(f"draw_{name}" for name in ("close", "entries", "lay", "places", "done", "refill"))
SCAN_COUNT = 1000
MAX_SUBJECTS = 2000  # of one script: it must stay below 20 ms


@dataclass(frozen=True, slots=True)
class Closed:
    """What was fixed at the opening, and how far the queue is laid."""

    entries: int
    base: int  # the place below the first of the draw
    drawn_up_to: int

    @property
    def ends(self) -> int:
        return self.base + self.entries


class DrawStore:
    def __init__(self, redis: Redis) -> None:
        scripts = [LuaScript("waiting_room", name) for name in SCRIPTS]
        self._scripts = {script.name: (script.bind(redis), script.keys) for script in scripts}

    async def close(
        self, event_id: str, epoch: Epoch, floor: int, *, now_ms: int | None = None
    ) -> Closed | None:
        """None while the lobby is open. Safe to repeat."""
        now = "" if now_ms is None else now_ms
        reply = await self._run("close", event_id, epoch=epoch.text, floor=floor, now_ms=now)
        return Closed(*map(int, reply)) if reply else None

    async def lines(self, event_id: str, epoch: Epoch, floor: int) -> list[bytes]:
        """The closed lobby's list, unsorted. Like HSCAN, it may repeat itself."""
        lines: list[bytes] = []
        cursor = "0"
        while True:
            at = {"epoch": epoch.text, "floor": floor}
            reply = await self._run("entries", event_id, **at, cursor=cursor, count=SCAN_COUNT)
            cursor, flat = reply[0].decode(), reply[1]
            lines += map(line_of, flat[::2], flat[1::2])
            if cursor == "0":
                return lines

    async def lay(
        self,
        event_id: str,
        epoch: Epoch,
        floor: int,
        first: int,
        subjects: Sequence[bytes],
    ) -> int:
        """The place up to which the queue is laid now. Safe to repeat, on any node."""
        at = {"epoch": epoch.text, "floor": floor}
        together = b" ".join(subjects)
        return int(await self._run("lay", event_id, **at, first=first, subjects=together))

    async def places(
        self, event_id: str, epoch: Epoch, floor: int, subjects: Sequence[str]
    ) -> list[int]:
        """The place of each, 0 for who has none yet."""
        at = {"epoch": epoch.text, "floor": floor}
        return [
            int(place) for place in await self._run("places", event_id, **at, subjects=subjects)
        ]

    async def done(self, event_id: str, epoch: Epoch, floor: int) -> bool:
        """False while places are still to be laid. Safe to repeat."""
        return bool(await self._run("done", event_id, epoch=epoch.text, floor=floor))

    async def refill(self, event_id: str, fans: Sequence[tuple[bytes, Entry | None]]) -> int:
        """Called by a repair, while the epoch key is absent. How many are to be drawn again.

        An entry is None for a fan who left or had a turn.
        """
        flat = [part for subject, entry in fans for part in (subject, str(entry or ""))]
        return int(await self._run("refill", event_id, subjects_and_entries=flat)) if flat else 0

    async def _run(self, name: str, event_id: str, **args: Any) -> Any:
        script, names = self._scripts[f"draw_{name}"]
        keys = {name: key(event_id, name.removesuffix("_key")) for name in names}
        return await script(**keys, **args)
