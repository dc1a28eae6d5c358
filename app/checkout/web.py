"""The checkout's addresses. All but one's own booking are behind the gate.

POST   /events/{event_id}/holds             201, 403, 409 seats_taken | too_many_tickets, 422
GET    /events/{event_id}/holds/mine        200, 404 no_hold
DELETE /events/{event_id}/holds/{hold_id}   204, 409 hold_ended while it is being booked
POST   /bookings/{event_id}                 201 settled, 202 pending, 400 key_missing, 402, 409, 422
GET    /bookings/{booking_id}               200, 404
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from pydantic import Field, model_validator
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.catalogue.store import Catalogue
from app.checkout.bookings.model import Booking
from app.checkout.bookings.service import Bookings, Order
from app.checkout.errors import KeyMissing
from app.checkout.holds.service import Holds, hold_json
from core.edge import MAX_BODY_BYTES, Body, event_id_of, json_reply, parse_body
from core.errors import BadRequest, BodyTooLong, NotFound
from core.ids import HoldId, Subject, is_id, new_id, ticket_id
from core.visitor import visitor_of
from seatmap.errors import NoHold
from seatmap.model import MAX_ALTERNATIVES, MAX_SEATS_A_HOLD
from waiting_room.gate import Gate

MAX_EMAIL_CHARACTERS = 254
MAX_KEY_CHARACTERS = 64
MAX_TICKET_ID_CHARACTERS = 64

TicketIdText = Annotated[str, Field(max_length=MAX_TICKET_ID_CHARACTERS)]
TicketIds = Annotated[list[TicketIdText], Field(min_length=1, max_length=MAX_SEATS_A_HOLD)]
HoldIdText = Annotated[str, Field(pattern=r"^hd_[a-z2-7]{26}$")]


class HoldBody(Body):
    hold_id: HoldIdText | None = None
    ticket_ids: TicketIds | None = None
    alternatives: list[TicketIds] | None = Field(None, min_length=1, max_length=MAX_ALTERNATIVES)

    @model_validator(mode="after")
    def _one_kind(self) -> HoldBody:
        if (self.ticket_ids is None) == (self.alternatives is None):
            raise ValueError("send ticketIds or alternatives, and not both")
        return self


class PaymentDetails(Body):
    token: str = Field(min_length=1, max_length=64, pattern=r"^tok_[a-z_]+$")


class BookingBody(Body):
    hold_id: HoldIdText | None = None
    ticket_ids: TicketIds | None = None
    email: str = Field(max_length=MAX_EMAIL_CHARACTERS, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    payment_details: PaymentDetails

    @model_validator(mode="after")
    def _one_kind(self) -> BookingBody:
        if (self.hold_id is None) == (self.ticket_ids is None):
            raise ValueError("send holdId or ticketIds, and not both")
        return self


class CheckoutWeb:
    def __init__(self, catalogue: Catalogue, gate: Gate, holds: Holds, bookings: Bookings) -> None:
        self._catalogue, self._gate = catalogue, gate
        self._holds, self._bookings = holds, bookings

    def routes(self) -> list[Route]:
        holds = "/events/{event_id}/holds"
        return [
            Route(holds, self.hold, methods=["POST"]),
            Route(f"{holds}/mine", self.mine, methods=["GET"]),
            Route(f"{holds}/{{hold_id}}", self.release, methods=["DELETE"]),
            Route("/bookings/{event_id}", self.book, methods=["POST"]),
            Route("/bookings/{booking_id}", self.booking, methods=["GET"]),
        ]

    async def hold(self, request: Request) -> Response:
        event_id, subject = await self._admitted(request)
        body = parse_body(await read_bytes(request), HoldBody)
        choices = body.alternatives or [body.ticket_ids or []]
        hold_id = HoldId(body.hold_id or new_id("hd"))
        held = await self._holds.hold(event_id, subject, hold_id, choices)
        return json_reply(hold_json(event_id, held), 201)

    async def mine(self, request: Request) -> Response:
        event_id, subject = await self._admitted(request)
        held = await self._holds.mine(event_id, subject)
        if held is None:
            raise NoHold(event_id)
        return json_reply(hold_json(event_id, held), headers={"cache-control": "no-store"})

    async def release(self, request: Request) -> Response:
        event_id, subject = await self._admitted(request)
        hold_id = request.path_params["hold_id"]
        if not is_id("hd", hold_id):
            raise BadRequest("not a hold id", where="holdId")
        await self._holds.release(event_id, subject, HoldId(hold_id))
        return Response(status_code=204)

    async def book(self, request: Request) -> Response:
        event_id, subject = await self._admitted(request)
        raw = await read_bytes(request)
        body = parse_body(raw, BookingBody)
        key = request.headers.get("idempotency-key", "")
        if not key:
            raise KeyMissing
        if len(key) > MAX_KEY_CHARACTERS or not key.isprintable():
            raise BadRequest(f"at most {MAX_KEY_CHARACTERS} characters", where="Idempotency-Key")
        fingerprint = hashlib.sha256(event_id.encode() + b"\0" + raw).hexdigest()
        tickets = None if body.ticket_ids is None else tuple(body.ticket_ids)
        order = Order(body.hold_id, tickets, body.email, body.payment_details.token)
        status, answer = await self._bookings.book(event_id, subject, key, fingerprint, order)
        kind = "application/json" if status < 400 else "application/problem+json"
        return Response(answer, status, media_type=kind)

    async def booking(self, request: Request) -> Response:
        body = await self.own_booking(request.path_params["booking_id"], visitor_of(request))
        return json_reply(body, headers={"cache-control": "no-store"})

    async def own_booking(self, booking_id: str, subject: str) -> dict[str, Any]:
        """One's own booking as the API shows it. Raises NotFound for anybody else's."""
        if not is_id("bk", booking_id):
            raise NotFound(booking_id)
        booking, tickets = await self._bookings.own(booking_id, subject)
        event = await self._catalogue.event(booking.event_id)
        names = await self._catalogue.seat_names(event.plan_id)
        return booking_json(booking, tickets, names)

    async def _admitted(self, request: Request) -> tuple[str, Subject]:
        event_id = event_id_of(request)
        return event_id, await self._gate(request, event_id)


def booking_json(booking: Booking, tickets: list[Any], names: Any) -> dict[str, Any]:
    """`names`: seat index → (section, row, seat)."""
    return {
        "bookingId": booking.booking_id,
        "eventId": booking.event_id,
        "status": booking.status,
        "reason": booking.reason,
        "totalMinor": booking.total_minor,
        "currency": booking.currency,
        "email": booking.email,
        "tickets": [
            {
                "ticketId": ticket_id(booking.event_id, row["seat_index"]),
                **dict(zip(("section", "row", "seat"), names[row["seat_index"]], strict=True)),
                "priceMinor": row["price_minor"],
                "entryCode": row["entry_code"],
            }
            for row in tickets
        ],
    }


async def read_bytes(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLong(MAX_BODY_BYTES)
    return body or b"{}"
