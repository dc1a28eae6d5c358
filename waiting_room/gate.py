"""The gate: nobody comes further without a good pass and a live admission."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from core.cookies import cookies_of
from core.ids import Subject
from core.visitor import known_visitor, visitor_of
from waiting_room.service import WaitingRoom


class Gate:
    """Raises NotAdmitted, a Pass… error, or StoreUnavailable when the check can't be made."""

    def __init__(self, room: WaitingRoom) -> None:
        self._room = room

    async def __call__(self, connection: HTTPConnection, event_id: str) -> Subject:
        """The fan who may go on. For holds and bookings."""
        subject = visitor_of(connection)
        await self._room.require_admission(event_id, subject, pass_of(connection, event_id))
        return subject

    async def stream(self, connection: HTTPConnection, event_id: str) -> Subject | None:
        """For the live map, which is open to everybody while the room is off; None: a stranger."""
        if (await self._room.mode(event_id)) == "off":
            return known_visitor(connection)
        return await self(connection, event_id)


def pass_of(connection: HTTPConnection, event_id: str) -> str:
    """The pass a caller presents: a bearer token, else the cookie; '' for none."""
    return bearer_of(connection) or cookies_of(connection).read(connection, "pass", event_id)


def bearer_of(connection: HTTPConnection) -> str:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""
