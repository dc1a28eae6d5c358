"""The waiting room's Lua scripts as typed functions, for one event at a time.

`floor` is the highest log version this node has seen: a script that finds a lower one answers
STALE, since Redis must have lost writes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

import orjson

from core.generations import Epoch
from core.ids import new_id
from core.lua import LuaScript, RunsScripts
from waiting_room.keys import PAGES, key, revoked_key
from waiting_room.model import (
    Admission,
    Call,
    Counts,
    Entry,
    Join,
    Kind,
    RoomSettings,
    Slip,
    Standing,
)
from waiting_room.policy import KEPT_BEHIND
from waiting_room.ranks.index import bitmap_of

SCRIPTS = (
    *("join", "tick", "announce", "accept", "leave", "see", "age", "end", "where"),
    *("changes", "settings", "forget", "restore"),
    *("skip", "revoke", "holder", "refused"),
    *("put_off", "live"),
)
NUMBERS = (
    *("per_minute", "max_active", "accept_ms", "shop_ms", "grace_ms"),
    *("opens_at_ms", "version", "resume_at_ms"),
)
CHANGES_MAX = 5000  # entries a poll takes; more than that and the next poll goes on
ENDS_MAX = 1000  # put off, or read, by one call: some 2 ms of Redis' time
BACK_MAX = 4000  # fans that one call brings back into the ranks: some 10 ms of Redis' time


Ends = Literal["active", "calls"]  # of admissions, of accept windows


class Changes:
    """One look at an event: version, clock, numbers, and the log's entries since.

    `bitmap` is None, or the present places after the last change there is, in place of a node's
    copy; the entries, also those of the next look, are applied over it.
    """

    def __init__(self, reply: list[Any], *, whole: bool) -> None:
        version, now_ms, settings, state, counts, gap, entries, bitmap = reply
        self.version, self.now_ms, self.gap = int(version), int(now_ms), bool(gap) or whole
        self.settings = settings_of(_pairs(settings))
        self.state = {name: int(value) for name, value in _pairs(state).items()}
        self.counts = Counts(*map(int, counts))
        self.entries = [
            (int(entry_id.split(b"-")[1]), fields[0].decode(), fields[1].decode())
            for entry_id, fields in entries
        ]
        reloads = self.gap or any(field == "away" for _, field, _ in self.entries)
        self.bitmap: bytes | None = bitmap if reloads or bitmap else None
        last = self.entries[-1][0] if self.entries else self.version
        self.complete = last == self.version  # otherwise more entries are to come
        self.version = last


class QueueStore:
    def __init__(self, redis: RunsScripts) -> None:
        scripts = {name: LuaScript("waiting_room", name) for name in SCRIPTS}
        self._scripts = {name: script.bind(redis) for name, script in scripts.items()}
        self._keys = {name: script.keys for name, script in scripts.items()}

    async def _run(self, script: str, event_id: str, **args: Any) -> Any:
        names = [name for name in self._keys[script] if name not in args]
        keys = {name: key(event_id, name.removesuffix("_key")) for name in names}
        return await self._scripts[script](**keys, **args)

    async def join(
        self,
        event_id: str,
        epoch: Epoch,
        floor: int,
        joins: Sequence[Join],
        *,
        now_ms: int | None = None,
    ) -> list[Standing | int]:
        """Where each fan stands now; an int is the ceiling, which must be raised first."""
        flat = [part for join in joins for part in _flat(join, epoch)]
        caller = _caller(epoch, floor, now_ms)
        replies = await self._run("join", event_id, **caller, joins=flat)
        return [int(r[1]) if r[0] == b"ceiling" else _standing(r, epoch) for r in replies]

    async def where(
        self,
        event_id: str,
        epoch: Epoch,
        floor: int,
        subjects: Sequence[str],
        *,
        now_ms: int | None = None,
    ) -> list[Standing]:
        """Where each stands; who has nothing, with the reason if an operator ended it."""
        caller = _caller(epoch, floor, now_ms)
        revoked = [revoked_key(event_id, subject) for subject in subjects]
        replies = await self._run("where", event_id, **caller, subjects=subjects, revoked=revoked)
        return [replace(_standing(r[:3], epoch), revoked=r[3].decode()) for r in replies]

    async def tick(
        self,
        event_id: str,
        epoch: Epoch,
        floor: int,
        *,
        call_ids: Sequence[str],
        kept_behind: int = KEPT_BEHIND,
        now_ms: int | None = None,
    ) -> list[Call]:
        """Everybody called and not yet announced: insert them, then `announce`."""
        caller = _caller(epoch, floor, now_ms)
        args = {"kept_behind": kept_behind, "call_ids": call_ids}
        reply = await self._run("tick", event_id, **caller, **args)
        texts = [part.decode() for part in reply]
        return [Call(s, Admission.parse(a)) for s, a in zip(texts[::2], texts[1::2], strict=True)]

    async def announce(
        self,
        event_id: str,
        epoch: Epoch,
        floor: int,
        subjects: Sequence[str],
        *,
        now_ms: int | None = None,
    ) -> int:
        caller = _caller(epoch, floor, now_ms)
        return int(await self._run("announce", event_id, **caller, subjects=subjects))

    async def accept(
        self, event_id: str, epoch: Epoch, floor: int, subject: str, *, now_ms: int | None = None
    ) -> Standing | None:
        """The admission; None when there is no call to accept."""
        caller = _caller(epoch, floor, now_ms)
        reply = await self._run("accept", event_id, **caller, subject=subject)
        if not reply:
            return None
        return Standing("admitted", int(reply[0]), Admission.parse(reply[1].decode()))

    async def leave(
        self, event_id: str, epoch: Epoch, floor: int, subject: str
    ) -> Admission | None:
        """The admission that ended with it, if there was one."""
        args = {"epoch": epoch.text, "floor": floor, "subject": subject}
        held = (await self._run("leave", event_id, **args)).decode()
        return Admission.parse(held) if held else None

    async def see(self, event_id: str, epoch: Epoch, floor: int, places: Collection[int]) -> int:
        """The fans of these places are here. How many came back into the ranks."""
        first_byte, here = bitmap_of(places)
        seen = {"first_byte": first_byte, "here": here, "most": BACK_MAX}
        came = 0
        while True:
            back = int(await self._run("see", event_id, epoch=epoch.text, floor=floor, **seen))
            came += back
            if back < BACK_MAX:
                return came

    async def age(
        self, event_id: str, epoch: Epoch, floor: int, *, now_ms: int | None = None
    ) -> int:
        """How many went away, not seen for the grace; -1 when it is not time yet."""
        seen = [key(event_id, page) for page in PAGES]
        return int(await self._run("age", event_id, **_caller(epoch, floor, now_ms), seen=seen))

    async def end(
        self,
        event_id: str,
        epoch: Epoch,
        floor: int,
        subject: str,
        call_id: str,
        *,
        after_ms: int,
        now_ms: int | None = None,
    ) -> int | None:
        """The new end of this admission; None when the fan has none, or another."""
        args = {"subject": subject, "call_id": call_id, "after_ms": after_ms}
        reply = await self._run("end", event_id, **_caller(epoch, floor, now_ms), **args)
        return int(reply) if reply else None

    async def skip(
        self,
        event_id: str,
        epoch: Epoch,
        floor: int,
        subject: str,
        *,
        call_id: str,
        now_ms: int | None = None,
    ) -> tuple[str, int, Admission | None]:
        """(outcome, number, call) as skip.lua says. After 'skipped': insert it, then `announce`."""
        caller = _caller(epoch, floor, now_ms)
        reply = await self._run("skip", event_id, **caller, subject=subject, call_id=call_id)
        outcome, number, held = (part.decode() for part in reply)
        return outcome, int(number), Admission.parse(held) if held else None

    async def revoke(
        self, event_id: str, epoch: Epoch, floor: int, subject: str, *, reason: str, keep_ms: int
    ) -> Admission | None:
        """The admission that ended with it, if there was one."""
        ended = await self._run(
            "revoke",
            event_id,
            epoch=epoch.text,
            floor=floor,
            subject=subject,
            reason=reason,
            keep_ms=keep_ms,
            revoked=revoked_key(event_id, subject),
        )
        return Admission.parse(ended.decode()) if ended else None

    async def holder(self, event_id: str, epoch: Epoch, floor: int, place: int) -> str | None:
        """Who waits at a place."""
        at = {"epoch": epoch.text, "floor": floor}
        found = (await self._run("holder", event_id, **at, place=place)).decode()
        return found or None

    async def add_refusals(
        self, event_id: str, epoch: Epoch, floor: int, counts: Mapping[str, int]
    ) -> dict[str, int]:
        """The event's refusals by error code, with these added."""
        args = {"epoch": epoch.text, "floor": floor}
        flat = [part for pair in counts.items() for part in pair]
        reply = await self._run("refused", event_id, **args, counts=flat)
        return {code: int(count) for code, count in _pairs(reply).items()}

    async def changes(
        self,
        event_id: str,
        epoch: Epoch,
        floor: int,
        *,
        whole: bool = False,
        now_ms: int | None = None,
    ) -> Changes:
        """What happened after `floor`. `whole`: the caller has no copy yet, so begin with one."""
        args = {"limit": CHANGES_MAX, "whole": int(whole)}
        caller = _caller(epoch, floor, now_ms)
        return Changes(await self._run("changes", event_id, **caller, **args), whole=whole)

    async def copy_settings(
        self,
        event_id: str,
        epoch: Epoch,
        floor: int,
        room: RoomSettings,
        ceiling: int,
        *,
        now_ms: int | None = None,
    ) -> bool:
        plain = _plain(room)
        named = {name: plain.pop(name) for name in ("version", "stopped")}
        fields = [part for pair in plain.items() for part in pair]
        caller = _caller(epoch, floor, now_ms)
        return bool(
            await self._run("settings", event_id, **caller, **named, ceiling=ceiling, fields=fields)
        )

    async def put_off(
        self,
        event_id: str,
        epoch: Epoch,
        floor: int,
        which: Ends,
        *,
        since_ms: int,
        until_ms: int,
        most: int = ENDS_MAX,
    ) -> tuple[int, bool]:
        """(ends put off, whether there are more): those who were there at `since` get that time."""
        moved, left = await self._run(
            "put_off",
            event_id,
            epoch=epoch.text,
            floor=floor,
            ends=key(event_id, which),
            which=which,
            since_ms=since_ms,
            until_ms=until_ms,
            most=most,
        )
        return int(moved), bool(left)

    async def live(
        self,
        event_id: str,
        epoch: Epoch,
        floor: int,
        after_ms: int,
        *,
        most: int = ENDS_MAX,
        now_ms: int | None = None,
    ) -> list[tuple[Call, int]]:
        """Admissions that end later, with their ends, the earliest first; [] for none."""
        caller = _caller(epoch, floor, now_ms)
        reply = await self._run("live", event_id, **caller, after_ms=after_ms, most=most)
        texts = [part.decode() for part in reply]
        rows = zip(texts[::3], texts[1::3], texts[2::3], strict=True)
        return [(Call(who, Admission.parse(held)), int(ends)) for who, held, ends in rows]

    async def forget(self, event_id: str, places: Sequence[int]) -> int:
        """Called by a repair, before `restore`: places that are over. How many still stood."""
        return int(await self._run("forget", event_id, places=places)) if places else 0

    async def restore(
        self,
        event_id: str,
        room: RoomSettings,
        ceiling: int,
        calls: Sequence[tuple[str, Admission, int]],
        draw: Mapping[str, int] | None = None,
        *,
        now_ms: int | None = None,
    ) -> int:
        """Called by a repair, while the epoch key is absent. How many places survived."""
        reply = await self._run(
            "restore",
            event_id,
            now_ms="" if now_ms is None else now_ms,
            ceiling=ceiling,
            settings_json=orjson.dumps(_plain(room)),
            calls_json=orjson.dumps([[s, str(a), ends] for s, a, ends in calls]),
            draw_json=orjson.dumps(draw or {}),
        )
        return int(reply)


def settings_of(fields: dict[str, str]) -> RoomSettings:
    return RoomSettings(
        mode=cast("Any", fields["mode"]),
        paused=fields["paused"] == "1",
        pause_reason=fields["pause_reason"],
        message=fields.get("message", ""),  # a copy made by an older version lacks these five
        intake=cast("Any", fields.get("intake", "open")),
        stopped=fields.get("stopped") == "1",
        draw=fields.get("draw") == "1",
        lobby_opens_at_ms=int(fields.get("lobby_opens_at_ms", 0)),
        **{name: int(fields[name]) for name in NUMBERS},
    )


def _plain(room: RoomSettings) -> dict[str, str]:
    """As the hash holds it: text, booleans as 0 and 1."""
    values = {name: getattr(room, name) for name in RoomSettings.__slots__}
    return {n: str(int(v)) if isinstance(v, bool) else str(v) for n, v in values.items()}


def _caller(epoch: Epoch, floor: int, now_ms: int | None) -> dict[str, Any]:
    return {"epoch": epoch.text, "floor": floor, "now_ms": "" if now_ms is None else now_ms}


def _flat(join: Join, epoch: Epoch) -> tuple[str | int, ...]:
    entry = join.entry or Entry(new_id("en"))
    return join.subject, join.call_id, _slip(join.slip, epoch), str(entry)


def _slip(slip: Slip | None, epoch: Epoch) -> str | int:
    """A place may be lost by a repair only; in its own generation it is there or it is spent."""
    if slip is None:
        return ""
    return "spent" if slip.over or slip.generation >= epoch.generation else slip.place


def _standing(reply: list[Any], epoch: Epoch) -> Standing:
    kind, held = cast("Kind", reply[0].decode()), reply[2].decode()
    new = len(reply) > 3 and bool(reply[3])
    if kind in {"lobby", "drawing"}:
        return Standing(kind, new=new, entry=Entry.parse(held))
    admission = Admission.parse(held) if held else None
    return Standing(kind, int(reply[1]), admission, new=new, generation=epoch.generation)


def _pairs(flat: list[bytes]) -> dict[str, str]:
    texts = [part.decode() for part in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))
