"""The checkout, assembled: holds, bookings, and the tasks that every node runs."""

from __future__ import annotations

import asyncio

from starlette.routing import Route

from app.catalogue.store import Catalogue
from app.checkout.bookings.drive import Driver
from app.checkout.bookings.service import Bookings
from app.checkout.bookings.store import BookingStore
from app.checkout.holds.service import Holds
from app.checkout.recovery.service import Recovery
from app.checkout.relay import Relay
from app.checkout.web import CheckoutWeb
from app.payments.gateway import SandboxGateway
from core.db import Db
from core.signing import Keys
from core.tasks import end
from seatmap.service import SeatMap
from waiting_room.gate import Gate
from waiting_room.service import WaitingRoom


class Checkout:
    def __init__(
        self,
        db: Db,
        catalogue: Catalogue,
        seat_map: SeatMap,
        room: WaitingRoom,
        gateway: SandboxGateway,
        keys: Keys,
    ) -> None:
        self.relay = Relay(db, seat_map)
        store = BookingStore(db)
        driver = Driver(store, gateway, keys)
        self._gateway = gateway
        self.holds = Holds(db, seat_map, room)
        self.bookings = Bookings(db, seat_map, room, self.holds, store, driver, self.relay.kick)
        self.recovery = Recovery(
            store, driver, self.relay.kick, on_captured=self.bookings.end_admission
        )
        self.web = CheckoutWeb(catalogue, Gate(room), self.holds, self.bookings)
        self._relaying: asyncio.Task[None] | None = None

    def routes(self) -> list[Route]:
        return self.web.routes()

    async def start(self) -> None:
        self._relaying = asyncio.create_task(self.relay.run())
        await self.recovery.start()

    async def stop(self) -> None:
        """Bookings under way are finished first. Stopping twice is fine."""
        await self.bookings.stop()
        await self.recovery.stop()
        if self._relaying is not None:
            await end(self._relaying)
            self._relaying = None
        await self._gateway.aclose()
