"""Every JSON operation of the product, in one table.

A test walks the product's routes and requires each to be in it, and each error code to be one of
docs/protocol.md. Request bodies come from the pydantic models that the routes parse with, so that
they can't differ from what is accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from app.admin.beacon import BeaconBody
from app.admin.model import FanNamed, Nothing, Revocation, RoomChange
from app.admin.shops import ShopBody
from app.catalogue.web import EventQuery, SearchQuery
from app.openapi.schemas import (
    BOOKING,
    BOOKING_REQUEST,
    DRAW,
    EVENT_PAGE,
    EVENTS_FOUND,
    HOLD,
    HOLD_REQUEST,
    INTEGER,
    LIST,
    OBJECT,
    OUTLOOK,
    QUEUE_STATE,
    SHOP,
    SNAPSHOT,
    STATUS,
    TEXT,
    Schema,
    fields,
)
from waiting_room.draw.web import ProofQuery
from waiting_room.shops.web import CheckQuery, ExchangeBody, ReturnBody
from waiting_room.web import JoinBody

EVENT = "/events/{event_id}"
ADMIN = "/admin/events/{event_id}"
STORES = ("store_unavailable", "repairing")
PASSES = (
    *("not_admitted", "pass_invalid", "pass_expired", "pass_other_fan", "pass_other_event"),
    *("pass_used", "no_visitor"),
)
SLIPS = (
    *("bad_slip", "slip_other_fan", "slip_other_event", "slip_used", "slip_expired"),
    "bad_receipt",
)
UNSAFE = ("bad_origin", "body_too_long")
HOLD_ERRORS = ("seats_taken", "other_event", "same_ticket_twice", "too_many_tickets")
KEY_ERRORS = ("key_missing", "key_reused", "key_in_use")
BOOKING_ERRORS = ("hold_ended", "hold_differs", "no_hold", "payment_declined")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One JSON route. `errors` are the codes it may answer with, besides bad_request."""

    summary: str
    tag: str
    ok: tuple[int, ...] = (200,)
    answer: Schema | None = None  # None: no body
    body: type[BaseModel] | Schema | None = None
    query: type[BaseModel] | None = None
    headers: tuple[str, ...] = ()  # required ones
    errors: tuple[str, ...] = ()


def _queue(summary: str, *errors: str, body: type[BaseModel] | None = None) -> Operation:
    errors = ("not_found", *errors, *STORES)
    return Operation(
        summary=summary, tag="Waiting room", answer=QUEUE_STATE, body=body, errors=errors
    )


def _operator(summary: str, answer: Schema, *errors: str, **more: Any) -> Operation:
    errors = ("not_operator", "not_found", *errors, *STORES)
    return Operation(summary=summary, tag="Operators", answer=answer, errors=errors, **more)


def _checkout(summary: str, *errors: str, **more: Any) -> Operation:
    return Operation(summary=summary, tag="Checkout", errors=(*errors, *STORES), **more)


def _draw(summary: str, answer: Schema, *errors: str, **more: Any) -> Operation:
    return _public(summary, "Draw", answer, "not_found", "store_unavailable", *errors, **more)


def _shop(summary: str, *errors: str, **more: Any) -> Operation:
    return Operation(summary=summary, tag="Shops elsewhere", errors=(*errors, *STORES), **more)


def _public(summary: str, tag: str, answer: Schema, *errors: str, **more: Any) -> Operation:
    return Operation(summary=summary, tag=tag, answer=answer, errors=errors, **more)


OPERATIONS: Final[dict[tuple[str, str], Operation]] = {
    ("GET", "/events/search"): _public(
        "Find events", "Catalogue", EVENTS_FOUND, "store_unavailable", query=SearchQuery
    ),
    ("GET", EVENT): _public(
        "An event and a page of its tickets",
        "Catalogue",
        EVENT_PAGE,
        "not_found",
        "store_unavailable",
        query=EventQuery,
    ),
    ("POST", f"{EVENT}/queue"): _queue(
        "Join; idempotent by fan", "not_open", "queue_closed", *SLIPS, *UNSAFE, body=JoinBody
    ),
    ("GET", f"{EVENT}/queue"): _queue("Where the fan stands; renews the pass", "no_visitor"),
    ("GET", f"{EVENT}/queue/status.json"): Operation(
        summary="Where the fan stands, as Cloudflare's waiting room says it",
        tag="Waiting room",
        answer=fields(cfWaitingRoom=OBJECT),
        errors=("not_found", *STORES),
    ),
    ("POST", f"{EVENT}/queue/accept"): _queue("Accept the call; idempotent", "not_called", *UNSAFE),
    ("POST", f"{EVENT}/queue/leave"): _queue("Give the place or the admission up", *UNSAFE),
    ("GET", "/.well-known/jwks.json"): _public("Keys that verify passes", "Waiting room", OBJECT),
    ("GET", f"{EVENT}/queue/draw"): _draw("What is published of the draw", DRAW),
    ("GET", f"{EVENT}/queue/draw/entries"): _draw(
        "Its entry ids, sorted, one a line", TEXT, "not_drawn", "too_many"
    ),
    ("GET", f"{EVENT}/queue/draw/places"): _draw(
        "The place of each entry, one a line", TEXT, "not_drawn", "too_many"
    ),
    ("GET", f"{EVENT}/queue/draw/proof"): _draw(
        "That an entry is in the list, and its place", OBJECT, "not_drawn", query=ProofQuery
    ),
    ("GET", "/verify_draw.py"): _public("The program that checks a draw", "Draw", TEXT),
    ("POST", f"{EVENT}/queue/return"): _shop(
        "Where an admitted fan goes on to, with an exchange code",
        *("not_admitted", "return_refused", "at_shop", "not_found", *UNSAFE),
        answer=fields("location"),
        body=ReturnBody,
    ),
    ("POST", "/admissions/exchange"): _shop(
        "A code for a pass, once",
        *("code_invalid", "code_other_event", "code_expired", "pass_exchanged", "pass_used"),
        *UNSAFE,
        answer=fields(*("eventId", "admissionId", "subject", "pass"), now=INTEGER, endsAt=INTEGER),
        body=ExchangeBody,
    ),
    ("GET", "/admissions/check"): _shop(
        "Whether the admission of a pass lives",
        *("not_admitted", "pass_invalid", "pass_expired", "pass_other_event", "pass_used"),
        "not_found",
        ok=(204,),
        query=CheckQuery,
        headers=("Authorization",),
    ),
    ("POST", "/admissions/{admission_id}/end"): _shop(
        "End the admission of a pass; idempotent",
        *("pass_invalid", "not_found", "bad_origin"),
        ok=(204,),
        headers=("Authorization",),
    ),
    ("GET", f"{EVENT}/plan"): _public(
        "The immutable plan", "Seat map", OBJECT, "not_found", "store_unavailable"
    ),
    ("GET", f"{EVENT}/seats"): _public(
        "State of every seat, one digit each", "Seat map", SNAPSHOT, "not_found", *STORES
    ),
    ("GET", f"{EVENT}/seats/stream"): _public(
        "Changes after a version, as server-sent events", "Seat map", TEXT, *PASSES, *STORES
    ),
    ("POST", f"{EVENT}/holds"): _checkout(
        "Hold tickets, all or none",
        *(*PASSES, *HOLD_ERRORS, *UNSAFE, "not_found", "event_closed", "sale_stopped"),
        ok=(201,),
        answer=HOLD,
        body=HOLD_REQUEST,
    ),
    ("GET", f"{EVENT}/holds/mine"): _checkout("The fan's hold", *PASSES, "no_hold", answer=HOLD),
    ("DELETE", f"{EVENT}/holds/{{hold_id}}"): _checkout(
        "Let the seats go", *PASSES, "no_hold", "bad_origin", ok=(204,)
    ),
    ("POST", "/bookings/{event_id}"): _checkout(
        "Pay for a hold",
        *(*PASSES, *HOLD_ERRORS, *KEY_ERRORS, *BOOKING_ERRORS, *UNSAFE),
        *("not_found", "event_closed", "sale_stopped"),
        ok=(201, 202),
        answer=fields("bookingId", status=STATUS),
        body=BOOKING_REQUEST,
        headers=("Idempotency-Key",),
    ),
    ("GET", "/bookings/{booking_id}"): _checkout("One's own booking", "not_found", answer=BOOKING),
    ("GET", f"{ADMIN}/admission"): _operator("The room's settings", OBJECT),
    ("PATCH", f"{ADMIN}/admission"): _operator(
        "Change the room", OBJECT, "changed", *UNSAFE, body=RoomChange, headers=("If-Match",)
    ),
    ("POST", f"{ADMIN}/admission/undo"): _operator(
        "Take the last change back",
        OBJECT,
        "changed",
        "nothing_to_undo",
        *UNSAFE,
        headers=("If-Match",),
    ),
    ("POST", f"{ADMIN}/draw/beacon"): _operator(
        "Name the public number of a draw, give it, or give it up",
        DRAW,
        *("beacon_refused", *UNSAFE),
        body=BeaconBody,
    ),
    ("GET", f"{ADMIN}/shop"): _operator("Where fans may be sent back to", SHOP),
    ("PUT", f"{ADMIN}/shop"): _operator(
        "Set where fans may be sent back to",
        SHOP,
        *("changed", *UNSAFE),
        body=ShopBody,
        headers=("If-Match",),
    ),
    ("POST", f"{ADMIN}/shop/undo"): _operator(
        "Take the last change of the shop's addresses back",
        SHOP,
        *("changed", "nothing_to_undo", *UNSAFE),
        headers=("If-Match",),
    ),
    ("POST", f"{ADMIN}/admission/preview"): _operator(
        "What a change would do; changes nothing",
        fields(now=OUTLOOK, then=OUTLOOK),
        *UNSAFE,
        body=RoomChange,
    ),
    ("POST", f"{ADMIN}/skip"): _operator(
        "Call a fan past the line",
        fields("subject", "state"),
        *("sale_stopped", "not_open", "cap_reached", *UNSAFE),
        body=FanNamed,
    ),
    ("POST", f"{ADMIN}/revoke"): _operator(
        "End a fan's place, call or admission",
        fields("subject", ended=OBJECT),
        *UNSAFE,
        body=Revocation,
    ),
    ("GET", f"{ADMIN}/numbers"): _operator("Queue and seats in numbers", OBJECT),
    ("GET", f"{ADMIN}/numbers/history"): _operator(
        "Some numbers of the last 15 minutes", fields(everyMs=INTEGER, points=LIST)
    ),
    ("GET", f"{ADMIN}/numbers/stream"): _operator(
        "The numbers each second, as server-sent events", TEXT
    ),
    ("GET", f"{ADMIN}/calls"): _operator("The calls after a place", LIST),
    ("GET", f"{ADMIN}/log"): _operator("The log of the sale, a line of JSON each", TEXT),
    ("GET", f"{ADMIN}/audit"): _operator("Who changed what", LIST),
    ("POST", "/admin/console-links"): Operation(
        summary="A one-time link to the console, by the admin token only",
        tag="Operators",
        answer=fields("path"),
        body=Nothing,
        errors=("not_operator", "store_unavailable", *UNSAFE),
    ),
    ("GET", "/health/live"): _public("The process runs", "Health", OBJECT),
    ("GET", "/health/ready"): _public("The node can serve", "Health", OBJECT),
    ("GET", "/health/dependencies"): _public("Redis and PostgreSQL answer", "Health", OBJECT),
    ("GET", "/openapi.json"): _public("This document", "Health", OBJECT),
}
