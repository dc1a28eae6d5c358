"""The page of a sale's draw: the fan's receipt and proof, and how to check them.

GET /e/{eventId}/draw               200; ?entry=en_… shows another entry than the visitor's own
GET /e/{eventId}/draw/receipt.txt   the visitor's receipt as a file; 404 for who has none here

Whose entry it is, the receipt in the visitor's cookie says: once the places are laid, no store
could tell it without reading the whole list.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.catalogue.model import Event
from app.pages.draw_view import Entrant, draw_view
from app.pages.language import Language, language_of
from app.pages.render import NO_STORE, page
from core.cookies import cookies_of
from core.errors import NotFound
from core.ids import is_id
from core.visitor import known_visitor
from waiting_room.draw.model import Draw, Proof
from waiting_room.draw.service import Draws
from waiting_room.errors import BadReceipt

PATH = "/e/{event_id}/draw"
MAX_TYPED_CHARACTERS = 40


class DrawPage:
    def __init__(
        self,
        draws: Draws,
        common: Callable[[Event, Language], dict[str, Any]],
        wanted: Callable[[Request], Awaitable[Event]],
    ) -> None:
        self._draws, self._common, self._wanted = draws, common, wanted

    def routes(self) -> list[Route]:
        return [Route(PATH, self.show), Route(f"{PATH}/receipt.txt", self.receipt)]

    async def show(self, request: Request) -> Response:
        event, words = await self._wanted(request), language_of(request)
        draw = await self._draws.rows.get(event.event_id)
        entrant = await self._entrant(request, event.event_id, draw)
        view = draw_view(draw, entrant, words, time_zone=event.venue.time_zone)
        return page(request, "draw.html", **self._common(event, words), draw=view)

    async def receipt(self, request: Request) -> Response:
        event = await self._wanted(request)
        receipt, _ = self._own(request, event.event_id)
        if not receipt:
            raise NotFound(event.event_id)
        headers = NO_STORE | {"content-disposition": 'attachment; filename="receipt.txt"'}
        return Response(receipt, headers=headers, media_type="text/plain; charset=ascii")

    async def _entrant(self, request: Request, event_id: str, draw: Draw) -> Entrant | None:
        receipt, own = self._own(request, event_id)
        entry_id = request.query_params.get("entry", "").strip()[:MAX_TYPED_CHARACTERS] or own
        if not entry_id:
            return None
        return Entrant(
            entry_id=entry_id,
            receipt=receipt if entry_id == own else "",
            proof=await self._proof(event_id, entry_id) if draw.root is not None else None,
        )

    async def _proof(self, event_id: str, entry_id: str) -> Proof | None:
        if not is_id("en", entry_id):
            return None
        try:
            return await self._draws.rows.proof(event_id, entry_id)
        except NotFound:
            return None

    def _own(self, request: Request, event_id: str) -> tuple[str, str]:
        """(receipt, entry id) of the visitor; '' each for who brings none."""
        kept, subject = (
            cookies_of(request).read(request, "receipt", event_id),
            known_visitor(request),
        )
        if not kept or subject is None:
            return "", ""
        try:
            entry, receipt = self._draws.receipts.kept(kept, event_id, subject)
        except BadReceipt:
            return "", ""
        return receipt, entry.entry_id
