"""The public number that goes into a draw, if an operator named one.

POST /admin/events/{id}/draw/beacon   BeaconBody → 200 the draw; 404, 409 beacon_refused, 422

Named before the list is fixed, given once it is fixed and the round is published: what is chosen
first can't be made to fit what comes later. We call no one: the operator brings the value, and
anybody can compare it with what the beacon published.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.admin.model import PRINTABLE
from app.admin.service import Admin
from app.admin.store import AdminStore
from app.admin.web import NO_STORE, route
from core.db import Connection, Db
from core.edge import Body, json_reply, read_body
from core.errors import BadRequest
from waiting_room.draw.rows import DrawRows
from waiting_room.draw.web import draw_json
from waiting_room.errors import BeaconRefused
from waiting_room.rooms import Note

BEACON_CHANGED = "beacon changed"
MAX_NAME_CHARACTERS = 120
HEX = r"^(?:[0-9a-fA-F]{2}){8,128}$"  # of 8 to 128 bytes

WHY = {
    "name": "It is named before the list is fixed, which happens at the opening.",
    "value": "It is given once: when one was named and the list is fixed, before the order is.",
    "give_up": "Only one that was named and not given yet is given up, once the list is fixed.",
}


class BeaconBody(Body):
    """Exactly one of these."""

    name: str | None = Field(None, max_length=MAX_NAME_CHARACTERS, pattern=PRINTABLE)
    value: str | None = Field(None, pattern=HEX)
    give_up: Literal[True] | None = None


class BeaconAdmin:
    def __init__(self, db: Db, rows: DrawRows, admin: Admin) -> None:
        self._audit, self._rows, self._admin = AdminStore(db), rows, admin

    def routes(self) -> list[Route]:
        return [route(self._admin, "POST", "draw/beacon", self.change)]

    async def change(self, request: Request, event_id: str, who: str) -> Response:
        body = await read_body(request, BeaconBody)
        given = body.model_dump(exclude_none=True)
        if len(given) != 1:
            raise BadRequest("one of name, value, giveUp", where="body")
        await self._rows.get(event_id)  # or it is not found
        (what,) = given
        note = self._note(who, event_id, given)
        if not await self._apply(event_id, body, note):
            raise BeaconRefused(WHY[what])
        return json_reply(draw_json(event_id, await self._rows.get(event_id)), headers=NO_STORE)

    async def _apply(self, event_id: str, body: BeaconBody, note: Note) -> bool:
        if body.name is not None:
            return await self._rows.name_beacon(event_id, body.name, note)
        if body.value is not None:
            return await self._rows.give_beacon(event_id, bytes.fromhex(body.value), note)
        return await self._rows.give_beacon_up(event_id, note)

    def _note(self, who: str, event_id: str, facts: Mapping[str, object]) -> Note:
        async def note(connection: Connection) -> None:
            await self._audit.record(
                connection, who, BEACON_CHANGED, event_id, before={}, after=facts
            )

        return note
