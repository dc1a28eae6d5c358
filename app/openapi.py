"""GET /openapi.json: the JSON API in OpenAPI 3.1.

`OPERATIONS` is the table of every JSON route; a test walks the product's routes and requires each
to be in it, and each error code to be one of docs/protocol.md. Request bodies come from the
pydantic models that the routes parse with, so that they can't differ from what is accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final, get_args

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.admin.beacon import BeaconBody
from app.admin.model import FanNamed, Nothing, Revocation, RoomChange
from app.admin.shops import ShopBody
from app.catalogue.web import EventQuery, SearchQuery
from core.edge import HTTP_STATUS, json_reply
from waiting_room.draw.web import ProofQuery
from waiting_room.forecast.outlook import Reason
from waiting_room.shops.web import CheckQuery, ExchangeBody, ReturnBody
from waiting_room.web import JoinBody

Schema = dict[str, Any]

CACHE_CONTROL: Final = "public, max-age=60"
EVENT = "/events/{event_id}"
ADMIN = "/admin/events/{event_id}"
TEXT: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object"}
LIST: Schema = {"type": "array", "items": OBJECT}
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


def _fields(*names: str, **typed: Schema) -> Schema:
    """An object with these fields: text, unless said otherwise."""
    properties = dict.fromkeys(names, TEXT) | typed
    return {"type": "object", "properties": properties, "required": sorted(properties)}


QUEUE_STATE: Schema = {
    "type": "object",
    "required": ["state", "now"],
    "properties": {
        "state": {
            "enum": [*("none", "early", "lobby", "drawing"), "waiting", "called", "admitted"]
        },
        **dict.fromkeys(
            ("now", "opensAt", "perMinute", "pollMs", "place", "rank", "mark"), INTEGER
        ),
        "line": _fields(at=INTEGER, passed=INTEGER, perMinute=INTEGER),
        **{name: {"type": ["integer", "null"]} for name in ("etaLowMs", "etaHighMs")},
        "etaReason": {"enum": [*get_args(Reason), None]},
        **dict.fromkeys(("acceptBy", "endsAt", "inLobby"), INTEGER),
        **dict.fromkeys(("entryId", "receipt"), TEXT),
        **dict.fromkeys(("mode", "pauseReason", "slip", "admissionId", "pass"), TEXT),
        **dict.fromkeys(("paused", "stopped"), BOOLEAN),
        "message": TEXT,
        "allGone": {"type": "boolean"},
        "intake": {"enum": ["open", "closed", "draining", "drained"]},
    },
}
HEX_OR_NULL: Schema = {"type": ["string", "null"]}
DRAW = _fields(
    *("eventId", "state", "algorithm", "commitment"),
    draw=BOOLEAN,
    opensAt=INTEGER,
    **{name: {"type": ["integer", "null"]} for name in ("closedAt", "entries", "firstPlace")},
    beacon={"type": ["object", "null"]},
    root=HEX_OR_NULL,
    seed=HEX_OR_NULL,
)
TICKET_IDS: Schema = {"type": "array", "items": TEXT}
HOLD_REQUEST: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "holdId": {"type": "string", "pattern": "^hd_[a-z2-7]{26}$"},
        "ticketIds": TICKET_IDS,
        "alternatives": {"type": "array", "items": TICKET_IDS},
    },
}
HOLD = _fields("holdId", "eventId", "currency", tickets=LIST, totalMinor=INTEGER, endsAt=INTEGER)
BOOKING_REQUEST: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["email", "paymentDetails"],
    "properties": {
        "holdId": TEXT,
        "ticketIds": TICKET_IDS,
        "email": TEXT,
        "paymentDetails": _fields("token"),
    },
}
STATUS: Schema = {"enum": ["pending", "confirmed", "cancelled", "revoked"]}
BOOKING = _fields(
    *("bookingId", "eventId", "currency", "email"),
    status=STATUS,
    reason={"type": ["string", "null"]},
    totalMinor=INTEGER,
    tickets=LIST,
)
EVENT_PAGE = _fields("eventId", "title", venue=OBJECT, performers=LIST, priceCategories=LIST)
EVENTS_FOUND = _fields(events=LIST, page=INTEGER, pageSize=INTEGER, total=INTEGER, pages=INTEGER)
SHOP = _fields(returnUrls={"type": "array", "items": TEXT}, version=INTEGER)
OUTLOOK = _fields(
    **{
        name: {"type": ["integer", "null"]}
        for name in ("waitP50Ms", "waitP90Ms", "lobbyWaitP50Ms", "lobbyWaitP90Ms", "emptyMs")
    },
    **dict.fromkeys(("peakActive", "openInMs", "lobby"), INTEGER),
)
SNAPSHOT = _fields("epoch", "states", version=INTEGER)
HOLD_ERRORS = ("seats_taken", "other_event", "same_ticket_twice", "too_many_tickets")
KEY_ERRORS = ("key_missing", "key_reused", "key_in_use")
BOOKING_ERRORS = ("hold_ended", "hold_differs", "no_hold", "payment_declined")


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
        answer=_fields(cfWaitingRoom=OBJECT),
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
        answer=_fields("location"),
        body=ReturnBody,
    ),
    ("POST", "/admissions/exchange"): _shop(
        "A code for a pass, once",
        *("code_invalid", "code_other_event", "code_expired", "pass_exchanged", "pass_used"),
        *UNSAFE,
        answer=_fields(*("eventId", "admissionId", "subject", "pass"), now=INTEGER, endsAt=INTEGER),
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
        answer=_fields("bookingId", status=STATUS),
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
        _fields(now=OUTLOOK, then=OUTLOOK),
        *UNSAFE,
        body=RoomChange,
    ),
    ("POST", f"{ADMIN}/skip"): _operator(
        "Call a fan past the line",
        _fields("subject", "state"),
        *("sale_stopped", "not_open", "cap_reached", *UNSAFE),
        body=FanNamed,
    ),
    ("POST", f"{ADMIN}/revoke"): _operator(
        "End a fan's place, call or admission",
        _fields("subject", ended=OBJECT),
        *UNSAFE,
        body=Revocation,
    ),
    ("GET", f"{ADMIN}/numbers"): _operator("Queue and seats in numbers", OBJECT),
    ("GET", f"{ADMIN}/numbers/history"): _operator(
        "Some numbers of the last 15 minutes", _fields(everyMs=INTEGER, points=LIST)
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
        answer=_fields("path"),
        body=Nothing,
        errors=("not_operator", "store_unavailable", *UNSAFE),
    ),
    ("GET", "/health/live"): _public("The process runs", "Health", OBJECT),
    ("GET", "/health/ready"): _public("The node can serve", "Health", OBJECT),
    ("GET", "/health/dependencies"): _public("Redis and PostgreSQL answer", "Health", OBJECT),
    ("GET", "/openapi.json"): _public("This document", "Health", OBJECT),
}


def routes() -> list[Route]:
    return [Route("/openapi.json", _show, methods=["GET"])]


async def _show(_: Request) -> Response:
    return json_reply(document(), headers={"cache-control": CACHE_CONTROL})


@cache
def document() -> Schema:
    paths: dict[str, Schema] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(_camel(path), {})[method.lower()] = _operation(path, operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Onsale", "version": "1"},
        "paths": paths,
        "components": {"schemas": {"Problem": _problem()}},
    }


def _problem() -> Schema:
    codes = {"enum": sorted({*HTTP_STATUS, "method_not_allowed", "internal"})}
    return _fields("type", "title", code=codes, status=INTEGER, retry={"type": "boolean"})


def _operation(path: str, operation: Operation) -> Schema:
    found: Schema = {
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [*_in_path(path), *_in_query(operation), *_in_headers(operation)],
        "responses": _responses(operation),
    }
    if operation.body is not None:
        found["requestBody"] = {
            "content": {"application/json": {"schema": _schema(operation.body)}}
        }
    return found


def _responses(operation: Operation) -> Schema:
    answer = operation.answer
    content = {} if answer is None else {"content": {"application/json": {"schema": answer}}}
    found: Schema = {str(status): {"description": "Done", **content} for status in operation.ok}
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    by_status: dict[int, list[str]] = {}
    for code in ("bad_request", *operation.errors):
        by_status.setdefault(HTTP_STATUS[code], []).append(code)
    for status, codes in by_status.items():
        found[str(status)] = {
            "description": ", ".join(codes),
            "content": {"application/problem+json": problem},
        }
    return found


def _schema(body: type[BaseModel] | Schema) -> Schema:
    return body if isinstance(body, dict) else body.model_json_schema(by_alias=True)


def _in_path(path: str) -> list[Schema]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [
        {"name": _camel(name), "in": "path", "required": True, "schema": TEXT} for name in names
    ]


def _in_query(operation: Operation) -> list[Schema]:
    if operation.query is None:
        return []
    properties = operation.query.model_json_schema(by_alias=True)["properties"]
    return [{"name": name, "in": "query", "schema": properties[name]} for name in properties]


def _in_headers(operation: Operation) -> list[Schema]:
    return [
        {"name": name, "in": "header", "required": True, "schema": TEXT}
        for name in operation.headers
    ]


def _camel(path: str) -> str:
    """`event_id` → `eventId`, within a path too."""
    for name in ("event", "hold", "booking", "admission"):
        path = path.replace(f"{name}_id", f"{name}Id")
    return path
