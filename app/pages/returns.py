"""The way on to a shop elsewhere, for who came from there.

GET /e/{eventId}/queue?return=…   303 to the queue; where to go on to is remembered in a cookie
GET /e/{eventId}/queue/return     200 a page that goes on to the shop with an exchange code;
                                  303 to the queue for who is not in, 409 at_shop

The address is checked when it comes in and again when it is used, against the event's list of that
moment, so a cookie that somebody made up leads nowhere. It goes on by a page and not by a
redirect: pages may send their forms to this site only, and browsers hold redirects behind a form
to that, too.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.catalogue.model import Event
from app.pages.language import Language, language_of
from app.pages.render import NO_STORE, page
from core.cookies import cookies_of
from core.errors import NotAdmitted
from core.visitor import visitor_of
from waiting_room.shops.errors import ReturnRefused
from waiting_room.shops.service import Shops

PARAMETER = "return"
REMEMBERED_S = 24 * 3600
MAX_REMEMBERED_CHARACTERS = (
    1_000  # the cookie comes with every call, and proxies take heads of 8 KiB
)


class Returns:
    def __init__(
        self,
        shops: Shops,
        common: Callable[[Event, Language], dict[str, Any]],
        wanted: Callable[[Request], Awaitable[Event]],
    ) -> None:
        self._shops, self._common, self._wanted = shops, common, wanted

    def routes(self) -> list[Route]:
        return [Route("/e/{event_id}/queue/return", self.go_on)]

    async def remember(self, request: Request, event_id: str) -> Response:
        """Takes the address out of the URL. Raises ReturnRefused."""
        address = request.query_params[PARAMETER]
        if len(address) > MAX_REMEMBERED_CHARACTERS:
            raise ReturnRefused(address)
        await self._shops.require_allowed(event_id, address)
        reply = _to(event_id, "queue")
        text = base64.urlsafe_b64encode(address.encode()).decode()
        cookies_of(request).set(reply, "return", text, life_s=REMEMBERED_S, event_id=event_id)
        return reply

    def ahead(self, request: Request, event_id: str) -> Response | None:
        """For who is in: on to the shop they came from; None when they came from none."""
        return _to(event_id, "queue/return") if _remembered(request, event_id) else None

    async def go_on(self, request: Request) -> Response:
        event, words = await self._wanted(request), language_of(request)
        address = _remembered(request, event.event_id)
        if not address:
            return _to(event.event_id, "queue")
        try:
            onward = await self._shops.send_back(event.event_id, visitor_of(request), address)
        except NotAdmitted:
            return _to(event.event_id, "queue")
        shop = urlsplit(onward).hostname
        return page(request, "onward.html", **self._common(event, words), onward=onward, shop=shop)


def _remembered(request: Request, event_id: str) -> str:
    """What the cookie says, which may be anything; '' for none."""
    try:
        text = cookies_of(request).read(request, "return", event_id)
        return base64.urlsafe_b64decode(text).decode()
    except (binascii.Error, ValueError):
        return ""


def _to(event_id: str, name: str) -> Response:
    return Response(status_code=303, headers=NO_STORE | {"location": f"/e/{event_id}/{name}"})
