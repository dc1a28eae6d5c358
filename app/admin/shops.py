"""Where an event's fans may be sent back to: the list of a shop elsewhere.

GET /admin/events/{id}/shop   200 the list, ETag
PUT /admin/events/{id}/shop   If-Match; ShopBody → 200 the list; 412 changed; 422
POST /admin/events/{id}/shop/undo   If-Match → 200 the list; 409 nothing_to_undo; 412 changed
"""

from __future__ import annotations

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.admin.model import Nothing
from app.admin.service import Admin
from app.admin.store import AdminStore
from app.admin.web import NO_STORE, if_match, route
from core.db import Connection, Db
from core.edge import Body, json_reply, read_body
from waiting_room.shops.policy import MAX_RETURN_URLS
from waiting_room.shops.service import Shops
from waiting_room.shops.store import Record, Shop

SHOP_CHANGED = "shop changed"
SHOP_UNDONE = "shop change undone"


class ShopBody(Body):
    return_urls: list[str] = Field(max_length=MAX_RETURN_URLS)


class ShopsAdmin:
    def __init__(self, db: Db, shops: Shops, admin: Admin) -> None:
        self._audit, self._shops, self._admin = AdminStore(db), shops, admin

    def routes(self) -> list[Route]:
        return [
            route(self._admin, "GET", "shop", self.show),
            route(self._admin, "PUT", "shop", self.change),
            route(self._admin, "POST", "shop/undo", self.undo),
        ]

    async def show(self, _: Request, event_id: str, __: str) -> Response:
        return _reply(await self._shops.shop(event_id))

    async def change(self, request: Request, event_id: str, who: str) -> Response:
        version, urls = if_match(request), (await read_body(request, ShopBody)).return_urls
        record = self._recorded(event_id, who, SHOP_CHANGED)
        return _reply(await self._shops.change(event_id, version, urls, record))

    async def undo(self, request: Request, event_id: str, who: str) -> Response:
        """The list before the last change; undone once more, it is as it was."""
        version = if_match(request)
        await read_body(request, Nothing)
        await self._shops.shop(event_id)  # or it is not found
        before = await self._audit.last_change(event_id, SHOP_CHANGED, SHOP_UNDONE)
        record = self._recorded(event_id, who, SHOP_UNDONE)
        return _reply(await self._shops.change(event_id, version, before["returnUrls"], record))

    def _recorded(self, event_id: str, who: str, action: str) -> Record:
        """Writes the audit row within the change's transaction."""

        async def record(connection: Connection, before: Shop, after: Shop) -> None:
            was, now = ({"returnUrls": list(shop.return_urls)} for shop in (before, after))
            await self._audit.record(connection, who, action, event_id, before=was, after=now)

        return record


def _reply(shop: Shop) -> Response:
    body = {"returnUrls": list(shop.return_urls), "version": shop.version}
    return json_reply(body, headers={"etag": f'"{shop.version}"', **NO_STORE})
