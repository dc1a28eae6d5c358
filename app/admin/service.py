"""The operator's side: a room's settings, its numbers and calls, and who changed what."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from typing import Final

from starlette.requests import HTTPConnection
from starlette.routing import Route

from app.admin.drains import Drains
from app.admin.feed import Feeds
from app.admin.model import named, shown
from app.admin.operators import Operators
from app.admin.past import Past
from app.admin.previews import Previews
from app.admin.sessions import Sessions
from app.admin.store import AdminStore, AuditRow
from app.admin.web import CONSOLE_DOOR, AdminWeb
from core.db import Connection, Db
from core.ids import Subject
from core.live.channel import Channel
from core.live.hub import Hub
from core.signing import Keys
from waiting_room.history.lines import export
from waiting_room.interventions import Fan, Noted
from waiting_room.model import RoomSettings, Standing
from waiting_room.numbers.waits import percentile
from waiting_room.rooms import Note, Record
from waiting_room.service import WaitingRoom

SeatCounts = Callable[[str], Awaitable[Mapping[str, object]]]
GiveBack = Callable[[str, Subject], Awaitable[None]]  # event id, fan

ROOM_CHANGED: Final = "room changed"
CHANGE_UNDONE: Final = "change undone"
ROOM_DRAINED: Final = "room drained"
BY_NODE: Final = "node"


class Admin:
    """`seat_counts` is `SeatMap.counts`, `give_back` is `Holds.give_back`."""

    def __init__(
        self,
        db: Db,
        keys: Keys,
        waiting_room: WaitingRoom,
        live: Hub,
        *,
        seat_counts: SeatCounts,
        give_back: GiveBack,
        admin_token: str,
    ) -> None:
        self._store = AdminStore(db)
        self._waiting_room, self._seat_counts = waiting_room, seat_counts
        self._give_back = give_back
        self.sessions = Sessions(self._store, keys)
        self.operators = Operators(self._store, self.sessions, admin_token)
        self._drains = Drains(waiting_room, self.end_drain)
        self._previews = Previews(waiting_room)
        self._feeds = Feeds(self.numbers)
        self._past = Past(
            *(db, waiting_room.hub.all_numbers, seat_counts),
            *(waiting_room.refusals.share, self._feeds.looked_at),
        )
        self.live = live

    async def start(self) -> None:
        await self.sessions.start()
        await self._drains.start()
        await self._past.start()

    async def stop(self) -> None:
        await self._feeds.stop()
        await self._past.stop()
        await self._drains.stop()
        await self.sessions.stop()

    def routes(self) -> list[Route]:
        return AdminWeb(self).routes()

    async def make_link(self, url: str) -> str:
        """A console link under the server's `url`: it works once, within LINK_LIFE_S."""
        return f"{url}{CONSOLE_DOOR}{await self.operators.make_link_token()}"

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
        recorded = self._recorded(event_id, who, ROOM_CHANGED, changes)
        return await self._waiting_room.change_settings(
            event_id, version, record=recorded, **changes
        )

    async def undo(self, event_id: str, version: int, *, who: str) -> RoomSettings:
        """Take the last change back; the next undo takes this one back.

        Raises NotFound, NothingToUndo, Changed.
        """
        await self._waiting_room.settings(event_id)
        changes = named(await self._store.last_change(event_id, ROOM_CHANGED, CHANGE_UNDONE))
        recorded = self._recorded(event_id, who, CHANGE_UNDONE, changes)
        return await self._waiting_room.change_settings(
            event_id, version, record=recorded, **changes
        )

    async def skip(self, event_id: str, fan: Fan, *, who: str) -> tuple[str, Standing]:
        """Call a fan past the line. The fan, and where the fan stands then.

        Raises NotFound, SaleStopped, NotOpen, CapReached.
        """
        await self._waiting_room.settings(event_id)
        desk = self._waiting_room.interventions
        subject = await desk.subject(event_id, fan)
        return subject, await desk.skip(event_id, subject, self._noted(event_id, who))

    async def revoke(
        self, event_id: str, fan: Fan, reason: str, *, who: str
    ) -> tuple[str, Standing]:
        """End what a fan has, and give the seats back that the fan holds but is not paying for.

        The fan, and what it was that ended. Raises NotFound when there was nothing.
        """
        await self._waiting_room.settings(event_id)
        desk = self._waiting_room.interventions
        subject = await desk.subject(event_id, fan)
        ended = await desk.revoke(event_id, subject, reason, self._noted(event_id, who))
        await self._give_back(event_id, Subject(subject))
        return subject, ended

    async def end_drain(self, event_id: str, version: int) -> None:
        """Nobody is left in a draining room. Raises Changed when another node was faster."""
        recorded = self._recorded(event_id, BY_NODE, ROOM_DRAINED, ["intake"])
        await self._waiting_room.change_settings(
            event_id, version, record=recorded, intake="drained"
        )

    def _noted(self, event_id: str, who: str) -> Noted:
        def noted(action: str, facts: Mapping[str, object]) -> Note:
            async def note(connection: Connection) -> None:
                await self._store.record(connection, who, action, event_id, before={}, after=facts)

            return note

        return noted

    def _recorded(self, event_id: str, who: str, action: str, names: Iterable[str]) -> Record:
        """Writes the audit row within the change's transaction."""

        async def record(connection: Connection, before: RoomSettings, after: RoomSettings) -> None:
            was, now = shown(before, names), shown(after, names)
            await self._store.record(connection, who, action, event_id, before=was, after=now)

        return record

    # An event that is not there is NotFound for each of these.

    async def numbers(self, event_id: str) -> dict[str, object]:
        """The queue's and the seats' numbers together, as the protocol names them."""
        await self._waiting_room.settings(event_id)
        queue = await self._waiting_room.numbers(event_id)
        seats = await self._seat_counts(event_id)
        waits = await self._waiting_room.waits.of(event_id)
        return {
            **queue,
            **seats,
            "waitP50Ms": percentile(waits, 50),
            "waitP90Ms": percentile(waits, 90),
            "refused": await self._waiting_room.refusals.share(event_id),
        }

    async def preview(
        self, event_id: str, changes: Mapping[str, object]
    ) -> tuple[dict[str, object], dict[str, object]]:
        """(as things are, with the changes): waits, time to empty, most shoppers at once."""
        return await self._previews.compare(event_id, changes)

    async def numbers_channel(self, event_id: str) -> Channel:
        """The numbers each second, to be joined at once."""
        return await self._feeds.channel(event_id)

    async def numbers_lately(self, event_id: str) -> list[dict[str, int]]:
        """What the console's charts begin with."""
        await self._waiting_room.settings(event_id)
        return await self._past.of(event_id)

    async def calls(self, event_id: str, after: int) -> list[dict[str, object]]:
        await self._waiting_room.settings(event_id)
        return await self._waiting_room.calls(event_id, after)

    async def log(self, event_id: str) -> AsyncGenerator[bytes]:
        """The sale's log as lines of JSON, some at a time. Raises NotFound before the first."""
        async with self._waiting_room.history.recording(event_id) as recording:
            async for some in export(recording):
                yield some

    async def audit(self, event_id: str) -> list[AuditRow]:
        await self._waiting_room.settings(event_id)
        return await self._store.audit(event_id)
