"""The lobby and draw of a rehearsal: fans gather, the sale opens, everybody is called as drawn.

The draw is checked from outside, by the program that fans are given (`verify_draw.py`), with the
receipt of each fan; and the calls are held against the places that it published.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections.abc import Sequence
from http import HTTPStatus

import httpx

from app.rehearsal import policy
from app.rehearsal.fan import Diary, Sale
from app.rehearsal.policy import Call, Violation
from waiting_room.draw import verify_draw

MOMENT_MS = 1_000
MAX_TRIES = 5  # to change the opening, should an operator change the room meanwhile


class NoLobby(Exception):
    """The event's sale has opened already, or has no draw."""


class Lobby:
    def __init__(self, sale: Sale, admin: httpx.AsyncClient, diary: Diary, fans: int) -> None:
        self._sale, self._admin, self._diary, self._fans = sale, admin, diary, fans
        self._room_path = f"/admin/events/{sale.event_id}/admission"

    async def require(self) -> None:
        """Raises NoLobby."""
        room = (await self._admin.get(self._room_path)).raise_for_status().json()
        opened = room["opensAt"] <= time.time_ns() // 1_000_000 + MOMENT_MS
        if opened or not room["draw"] or room["mode"] == "off":
            raise NoLobby(self._sale.event_id)

    async def open_when_all_are_in(self) -> None:
        """Moves the opening to now, as an operator would."""
        for _ in range(self._fans):
            await self._diary.arrivals.acquire()
        for _ in range(MAX_TRIES):
            room = (await self._admin.get(self._room_path)).raise_for_status()
            version = {"if-match": room.headers["etag"]}
            now = {"opensAt": time.time_ns() // 1_000_000}
            reply = await self._admin.patch(self._room_path, json=now, headers=version)
            if reply.status_code != HTTPStatus.PRECONDITION_FAILED:
                break
        reply.raise_for_status()

    async def audit(self, calls: Sequence[Call]) -> list[Violation]:
        """Once the last fan is through."""
        address = f"{self._sale.base_url}{self._sale.path}/queue/draw"
        try:
            given = await asyncio.to_thread(verify_draw.load, [address])
        except verify_draw.CannotCheck as exc:
            return [Violation("the draw can be checked", str(exc))]
        given.receipts.extend(self._diary.receipts)
        drawn = policy.drawn_places(given.entries or [], given.places or [])
        return [
            *policy.misfits(await asyncio.to_thread(_verdict, given)),
            *policy.not_as_drawn(self._diary.entries, drawn, calls),
            *policy.never_called(self._diary.entries, calls),
        ]


def _verdict(given: verify_draw.Given) -> str:
    """What the verifier says, line by line."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        verify_draw.verify(given, verify_draw.Report())
    return said.getvalue()
