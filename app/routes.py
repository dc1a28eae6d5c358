"""Every route of the product on one screen.

Who may call what: `GATED` names the routes behind the gate; a test walks all routes and requires
each to be gated, an operator's, one's own, or on the public list below. A new route that is on
no list fails that test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.admin.beacon import BeaconAdmin
from app.admin.service import Admin
from app.admin.shops import ShopsAdmin
from app.catalogue.web import CatalogueWeb
from app.checkout.service import Checkout
from app.health import Health
from app.openapi import document
from app.pages.assets import assets
from app.pages.render import as_page
from app.pages.web import Pages
from app.sale import Sale
from app.standstill import Standstill
from core.edge import on_app_error, on_bug, on_http_error
from core.errors import AppError
from core.live.hub import Hub
from core.refusals import Refusals
from seatmap.service import SeatMap
from seatmap.web import SeatMapWeb
from waiting_room.draw.web import DrawWeb
from waiting_room.node.stock import Stock
from waiting_room.passes.keyring import KeyRing
from waiting_room.service import WaitingRoom
from waiting_room.shops.web import ShopsWeb
from waiting_room.web import QueueWeb

Refused = Callable[[str, str], None]  # event id, code

GATED = {
    ("GET", "/events/{event_id}/seats/stream"),
    ("POST", "/events/{event_id}/holds"),
    ("GET", "/events/{event_id}/holds/mine"),
    ("DELETE", "/events/{event_id}/holds/{hold_id}"),
    ("POST", "/bookings/{event_id}"),
}
BY_PASS = {  # behind the gate too, for shops elsewhere: they show the pass, not the visitor
    ("GET", "/admissions/check"),
    ("POST", "/admissions/{admission_id}/end"),
}
OWN = {("GET", "/bookings/{booking_id}")}  # needs only ownership; anything else is a 404


class Service(Protocol):
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything that routes may use."""

    catalogue: CatalogueWeb
    waiting_room: WaitingRoom
    stock: Stock
    keyring: KeyRing
    live: Hub
    queue: QueueWeb
    draw: DrawWeb
    beacon: BeaconAdmin
    shops: ShopsWeb
    shops_admin: ShopsAdmin
    seat_map: SeatMap
    map: SeatMapWeb
    sale: Sale
    standstill: Standstill
    checkout: Checkout
    admin: Admin
    pages: Pages
    refused: Refusals
    health: Health

    def in_order(self) -> tuple[Service, ...]:
        """Those with tasks of their own, as they are started; they are stopped in reverse."""
        return (
            self.live,
            self.keyring,
            self.seat_map,
            self.waiting_room,
            self.stock,
            self.sale,
            self.standstill,
            self.checkout,
            self.admin,
        )


def every_route(services: Services) -> list[BaseRoute]:
    return [
        # What all fans ask for at once comes first: each route is tried in this order.
        *services.queue.routes(),  # /events/{event_id}/queue…, /.well-known/jwks.json
        *services.map.routes(),  # /events/{event_id}/plan, /seats, /seats/stream
        *services.health.routes(),  # /health/*, /metrics
        *services.catalogue.routes(),  # /events/search, /events/{event_id}
        *services.draw.routes(),  # /events/{event_id}/queue/draw…, /verify_draw.py
        *services.shops.routes(),  # /events/{event_id}/queue/return, /admissions/…
        *services.checkout.routes(),  # /events/{event_id}/holds…, /bookings/…
        *services.beacon.routes(),  # /admin/events/{event_id}/draw/beacon
        *services.shops_admin.routes(),  # /admin/events/{event_id}/shop
        *services.admin.routes(),  # /admin/…, /console/enter/{token}
        *document.routes(),  # /openapi.json
        *services.pages.routes(),  # /, /e/…, /orders/…, /console, /language
        Route("/static/{path:path}", assets().serve),
    ]


def exception_handlers(refused: Refused | None = None) -> Mapping[Any, Callable[..., Any]]:
    """Browsers get a page that says what happened, all others problem details.

    `refused` hears of each refusal to a fan: event id, code.
    """

    async def on_refusal(request: Request, exc: Exception) -> Response:
        event_id = request.path_params.get("event_id")
        if refused and event_id and not request.scope["path"].startswith("/admin/"):
            assert isinstance(exc, AppError)
            refused(event_id, exc.code)
        return await on_app_error(request, exc)

    handlers = {AppError: on_refusal, HTTPException: on_http_error, Exception: on_bug}
    return {kind: as_page(handler) for kind, handler in handlers.items()}
