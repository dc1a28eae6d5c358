"""The operator's side: a room's settings, its numbers and calls, and who changed what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from pydantic.alias_generators import to_camel
from starlette.requests import HTTPConnection
from starlette.routing import Route

from app.admin.operators import Operators
from app.admin.store import AdminStore, AuditRow
from app.admin.web import AdminWeb
from core.db import Db
from core.signing import Keys
from waiting_room.model import RoomSettings
from waiting_room.service import WaitingRoom

SeatCounts = Callable[[str], Awaitable[Mapping[str, object]]]

ROOM_CHANGED: Final = "room changed"


class Admin:
    """`seat_counts` is `SeatMap.counts`; `secure`: whether cookies are for https only."""

    def __init__(
        self,
        db: Db,
        keys: Keys,
        waiting_room: WaitingRoom,
        *,
        seat_counts: SeatCounts,
        admin_token: str,
        secure: bool,
    ) -> None:
        self._store = AdminStore(db)
        self._waiting_room, self._seat_counts = waiting_room, seat_counts
        self.operators = Operators(self._store, keys, admin_token, secure=secure)

    def routes(self) -> list[Route]:
        return AdminWeb(self).routes()

    async def make_link(self, url: str) -> str:
        """A console link under the server's `url`: it works once, within LINK_LIFE_S."""
        return f"{url}/console/enter/{await self.operators.make_link_token()}"

    def require_operator(self, connection: HTTPConnection) -> str:
        """Who is calling. Raises NotOperator."""
        return self.operators.require(connection)

    async def room(self, event_id: str) -> RoomSettings:
        """Raises NotFound."""
        return await self._waiting_room.settings(event_id)

    async def change_room(
        self, event_id: str, version: int, changes: Mapping[str, object], *, who: str
    ) -> RoomSettings:
        """The room after the change, which is in the audit log. Raises NotFound, Changed."""
        before = await self._waiting_room.settings(event_id)
        after = await self._waiting_room.change_settings(event_id, version, **changes)
        await self._store.record(
            who,
            ROOM_CHANGED,
            event_id,
            before=_shown(before, changes),
            after=_shown(after, changes),
        )
        return after

    # An event that is not there is NotFound for each of these.

    async def numbers(self, event_id: str) -> dict[str, object]:
        """The queue's and the seats' numbers together, as the protocol names them."""
        await self._waiting_room.settings(event_id)
        queue = await self._waiting_room.numbers(event_id)
        seats = await self._seat_counts(event_id)
        return {**queue, **seats}

    async def calls(self, event_id: str, after: int) -> list[dict[str, object]]:
        await self._waiting_room.settings(event_id)
        return await self._waiting_room.calls(event_id, after)

    async def audit(self, event_id: str) -> list[AuditRow]:
        await self._waiting_room.settings(event_id)
        return await self._store.audit(event_id)


def _shown(room: RoomSettings, names: Iterable[str]) -> dict[str, object]:
    """Settings as the API names them."""
    return {to_camel(name.replace("_at_ms", "_at")): getattr(room, name) for name in names}
