"""The queue page, whole without JavaScript: the state as text, and forms to act on it.

GET  /e/{eventId}/queue    200, or 303 to the map for whoever is in; without scripts it asks again
POST /e/{eventId}/queue    do = join, accept or leave; 303 back to the page, or to the map

Scripts take over from the state that came with the page, so it asks nothing twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.catalogue.model import Event
from app.pages.forms import read_form
from app.pages.language import Language, language_of
from app.pages.queue_view import queue_view
from app.pages.render import NO_STORE, page
from app.pages.returns import PARAMETER, Returns
from core.errors import BadRequest, StoreUnavailable
from core.visitor import visitor_of
from waiting_room.draw.receipts import keep_receipt
from waiting_room.errors import NotCalled, NotOpen
from waiting_room.model import RoomSettings
from waiting_room.service import WaitingRoom

RequireJoin = Callable[[Request, str, str], Awaitable[None]]  # request, event id, subject

PATH = "/e/{event_id}/queue"


class QueuePage:
    """`common`: what every page of an event shows. `wanted`: the event in the path, or NotFound.

    `require_join`: whether one more place may go to that address, or TooMany.
    """

    def __init__(
        self,
        room: WaitingRoom,
        common: Callable[[Event, Language], dict[str, Any]],
        wanted: Callable[[Request], Awaitable[Event]],
        require_join: RequireJoin,
        returns: Returns,
    ) -> None:
        self._room, self._common, self._wanted = room, common, wanted
        self._require_join, self._returns = require_join, returns

    def routes(self) -> list[Route]:
        return [Route(PATH, self.show), Route(PATH, self.act, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        event, words = await self._wanted(request), language_of(request)
        if PARAMETER in request.query_params:
            return await self._returns.remember(request, event.event_id)
        state, settings, drawn = await self._state(event.event_id, visitor_of(request))
        if state is not None and state["state"] == "admitted":
            return _to(event, "seats")
        venue_zone = event.venue.time_zone
        view = queue_view(state, settings, words, time_zone=venue_zone)
        reply = page(
            request, "queue.html", **self._common(event, words), queue=view | {"drawn": drawn}
        )
        if state is not None and "receipt" in state:
            keep_receipt(request, reply, event.event_id, state["receipt"])
        return reply

    async def act(self, request: Request) -> Response:
        event, subject = await self._wanted(request), visitor_of(request)
        form = await read_form(request)
        steps = {"join": self._room.join, "accept": self._room.accept, "leave": self._room.leave}
        step = steps.get(form.get("do", ""))
        if step is None:
            raise BadRequest("join, accept or leave", where="do")
        if form["do"] == "join":
            await self._require_join(request, event.event_id, subject)
        try:
            state = await step(event.event_id, subject)
        except (NotOpen, NotCalled):  # the page says how things stand
            return _to(event, "queue")
        return _to(event, "seats" if state["state"] == "admitted" else "queue")

    async def _state(
        self, event_id: str, subject: str
    ) -> tuple[dict[str, Any] | None, RoomSettings | None, bool]:
        """(state, settings, whether there is a draw to read of).

        None while the room does not answer: the page then asks by itself until it does.
        """
        room = self._room
        try:
            state = await room.state(event_id, subject)
            return state, await room.copied(event_id), await room.has_draw(event_id)
        except StoreUnavailable:
            return None, None, False


def _to(event: Event, name: str) -> Response:
    return Response(status_code=303, headers=NO_STORE | {"location": f"/e/{event.event_id}/{name}"})
