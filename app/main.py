"""The composition root: the only place that builds clients, stores, services and tasks.

`Node` is one server process; all are equal. `Node.open` builds it, `Node.app` is the ASGI
application, whose lifespan starts and stops the services.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.middleware import Middleware

from app import metrics
from app.admin.beacon import BeaconAdmin
from app.admin.service import Admin
from app.admin.shops import ShopsAdmin
from app.catalogue import demo
from app.catalogue.store import Catalogue
from app.catalogue.web import CatalogueWeb
from app.checkout.service import Checkout
from app.crew import Crew
from app.health import Health
from app.pages.language import Languages
from app.pages.web import Pages
from app.payments.gateway import SandboxGateway
from app.routes import Services, every_route, exception_handlers
from app.sale import Sale
from app.standstill import Standstill
from config.settings import Settings
from core import db as postgres
from core import redis as redis_client
from core.clients import Clients, parse_networks
from core.cookies import Cookies
from core.db import Db
from core.edge import HTTP_STATUS
from core.errors import AppError
from core.guards import Guards
from core.ids import Subject
from core.live.connection import REFUSALS
from core.live.hub import Hub
from core.live.shares import Shares
from core.migrate import require_schema
from core.refusals import Refusals
from core.signing import Keys
from core.visitor import VisitorMiddleware
from seatmap.service import SeatMap
from seatmap.web import SeatMapWeb
from waiting_room.draw.web import DrawWeb
from waiting_room.gate import Gate
from waiting_room.limits import JoinLimits
from waiting_room.node.stock import Stock
from waiting_room.passes.keyring import KeyRing
from waiting_room.service import WaitingRoom
from waiting_room.shops.service import Shops
from waiting_room.shops.web import ShopsWeb
from waiting_room.web import QueueWeb


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where the stores are, once it is settled who runs them."""

    redis_url: str
    database_url: str
    gateway_socket: Path


class Node:
    """One server process. Open it, serve `app`, close it."""

    def __init__(self, redis: Redis, db: Db, services: Services, app: Starlette) -> None:
        self._redis, self._db, self.services, self.app = redis, db, services, app
        self.live = services.live

    @classmethod
    async def open(
        cls,
        settings: Settings,
        addresses: Addresses,
        *,
        secret: str,
        admin_token: str,
        crew: Crew | None = None,
    ) -> Node:
        """Connects and checks versions; starts nothing. Raises TooOld or StoreUnavailable.

        `crew`: the workers that this node is one of.
        """
        redis = redis_client.connect(addresses.redis_url)
        await redis_client.require_version(redis)
        db = await Db.open(addresses.database_url)
        await postgres.require_version(db)
        keys = Keys(secret)
        await require_schema(db)
        built = _build(redis, db, keys, addresses, admin_token, settings, crew)
        return cls(redis, db, built, _application(built, keys, settings))

    async def seed_demo(self) -> None:
        """The demo events, once. Before `app` is served: tasks look at events at their start."""
        await demo.seed(self._db, datetime.now(UTC))

    async def send_home(self, event_id: str, fans: Collection[Subject]) -> None:
        """End what these fans have here. Before `app` is served, so that nobody waits for them.

        Who can't be sent home now (a store is being repaired) goes when their time is over.
        """
        for fan in fans:
            with contextlib.suppress(AppError):
                await self.services.waiting_room.leave(event_id, fan)

    async def close(self) -> None:
        await self._db.close()
        await self._redis.aclose()


def _build(
    redis: Redis,
    db: Db,
    keys: Keys,
    addresses: Addresses,
    admin_token: str,
    settings: Settings,
    crew: Crew | None,
) -> Services:
    catalogue, refused = Catalogue(db), Refusals([*HTTP_STATUS, *REFUSALS])
    live = Hub(drain_s=settings.drain_s, beat_every_s=settings.beat_every_s, refused=refused)
    room = WaitingRoom.build(redis, db, keys, restore_ms=round(settings.restore_s * 1000))
    seat_map = SeatMap.build(redis, db)
    sale = Sale(room, seat_map)
    gateway = SandboxGateway(addresses.gateway_socket)
    checkout = Checkout(db, catalogue, seat_map, room, gateway, keys)
    room.on_left = checkout.holds.give_back
    shops = Shops(redis, db, room)
    admin = Admin(
        *(db, keys, room, live),
        seat_counts=seat_map.counts,
        give_back=checkout.holds.give_back,
        admin_token=admin_token,
    )

    async def free(event_id: str) -> int:
        return (await seat_map.counts(event_id))["available"]

    clients = Clients(parse_networks(settings.trusted_proxies))
    limits = _join_limits(redis, room, clients, settings)
    sockets, streams = _shares(clients, settings)
    return Services(
        catalogue=CatalogueWeb(catalogue),
        waiting_room=room,
        stock=Stock(room.hub.views, free),
        keyring=KeyRing(db, room.passes, days=settings.pass_key_days),
        live=live,
        queue=QueueWeb(room, live, limits, sockets),
        seat_map=seat_map,
        draw=DrawWeb(room.draws.rows),
        beacon=BeaconAdmin(db, room.draws.rows, admin),
        shops=ShopsWeb(shops),
        shops_admin=ShopsAdmin(db, shops, admin),
        map=SeatMapWeb(seat_map, Gate(room).stream, live, streams, sale.opened),
        sale=sale,
        standstill=Standstill(db, room, seat_map),
        checkout=checkout,
        admin=admin,
        pages=_pages(settings, catalogue, room, checkout, admin, shops, limits, free),
        refused=refused,
        health=Health(redis, db, live, metrics.registry(room, live, refused), crew),
    )


def _pages(
    settings: Settings,
    catalogue: Catalogue,
    room: WaitingRoom,
    checkout: Checkout,
    admin: Admin,
    shops: Shops,
    limits: JoinLimits,
    free: Callable[[str], Awaitable[int]],
) -> Pages:
    return Pages(
        catalogue,
        numbers=room.numbers,
        free=free,
        booking=checkout.web.own_booking,
        require_operator=admin.require_operator,
        room=room,
        shops=shops,
        require_join=limits.require,
        demo=settings.demo,
        crowd=frozenset({demo.CROWD_EVENT} if settings.demo and settings.crowd else ()),
    )


def _application(services: Services, keys: Keys, settings: Settings) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as running:
            for service in services.in_order():
                await service.start()
                running.push_async_callback(service.stop)
            services.health.started = True
            yield

    app = Starlette(
        routes=every_route(services),
        exception_handlers=exception_handlers(services.waiting_room.refusals.count),
        middleware=[
            Middleware(
                Guards,
                public_url=settings.public_url,
                max_connections=settings.max_connections,
                live=services.live,
                refused=services.refused,
            ),
            Middleware(VisitorMiddleware, keys),
        ],
        lifespan=lifespan,
    )
    app.state.cookies = Cookies(secure=settings.secure_cookies)
    app.state.languages = Languages(pseudo=settings.env != "production")
    app.router.redirect_slashes = False  # it would redirect to whatever the Host header names
    app.state.refused = services.refused
    return app


def _shares(clients: Clients, settings: Settings) -> tuple[Shares, Shares]:
    """Of the queue's sockets, and of the map's streams."""
    sockets = Shares(
        *(clients, "sockets"),
        per_visitor=settings.max_sockets_per_visitor,
        per_address=settings.max_sockets_per_address,
    )
    streams = Shares(
        *(clients, "streams"),
        per_visitor=settings.max_streams_per_visitor,
        per_address=settings.max_streams_per_address,
    )
    return sockets, streams


def _join_limits(
    redis: Redis, room: WaitingRoom, clients: Clients, settings: Settings
) -> JoinLimits:
    return JoinLimits(
        *(redis, room, clients),
        per_address=settings.joins_per_address,
        per_network=settings.joins_per_network,
    )
