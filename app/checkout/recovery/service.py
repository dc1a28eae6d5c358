"""Recovery: bookings that stand still are taken over and driven to their end.

Every node looks once a second. Taking over raises the attempt, so that a slow owner that wakes
up later can write nothing. Driving asks the gateway's own record first; see bookings/drive.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from app.checkout.bookings.drive import Driver
from app.checkout.bookings.model import Booking
from app.checkout.bookings.store import BookingStore, Overtaken
from app.payments.gateway import Unsure
from core.errors import StoreUnavailable
from core.tasks import Repeated

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
UNTOUCHED_S = 15.0  # longer than a healthy owner takes between two writes
AT_ONCE = 20


class Recovery(Repeated):
    def __init__(
        self,
        store: BookingStore,
        driver: Driver,
        kick_relay: Callable[[], None],
        *,
        untouched_s: float = UNTOUCHED_S,
        on_captured: Callable[[Booking], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(self.once, every_s=LOOK_EVERY_S)
        self._store, self._driver, self._kick_relay = store, driver, kick_relay
        self._untouched_s, self._on_captured = untouched_s, on_captured

    async def once(self) -> int:
        """Take over what stands still; how many reached an end."""
        taken = await self._store.take_over(untouched_s=self._untouched_s, limit=AT_ONCE)
        ends = await asyncio.gather(
            *(self._driver.drive(booking) for booking in taken), return_exceptions=True
        )
        for booking, end in zip(taken, ends, strict=True):
            if isinstance(end, Unsure | Overtaken | StoreUnavailable):
                log.info(
                    "recovery comes back",
                    extra={"booking_id": booking.booking_id, "why": str(end)},
                )
            elif isinstance(end, BaseException):
                log.error("recovery failed", exc_info=end, extra={"booking_id": booking.booking_id})
            elif end.state == "captured" and self._on_captured is not None:
                await self._on_captured(end)
        if taken:
            self._kick_relay()
        return sum(not isinstance(end, BaseException) for end in ends)
