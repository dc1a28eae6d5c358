"""GET /events/search and GET /events/{eventId}: public, the same for everybody, cacheable.

    GET /events/search?keyword=&start=&end=&pageSize=&page=    200, 422 bad_request
    GET /events/{eventId}?ticketsAfter=<seatIndex>             200, 304, 404, 422

Both carry an ETag of their bytes; a room's mode may lag by `s-maxage`, which the queue corrects.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, TypeVar

import orjson
from pydantic import BeforeValidator, Field, model_validator
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.catalogue.model import Event, Found, Search, Ticket
from app.catalogue.policy import MAX_INSTANT_MS, parse_instant
from app.catalogue.store import TICKETS_PER_PAGE, Catalogue
from core.edge import Body, event_id_of, parse_body
from core.errors import BadRequest
from core.ids import ticket_id

CACHE_CONTROL = "public, max-age=2, s-maxage=5, stale-while-revalidate=30"
MAX_PAGE_SIZE = 100
MAX_PAGE = 10_000
MAX_KEYWORD_CHARACTERS = 100
MAX_SEAT_INDEX = 999_999

_DIGITS = re.compile(r"\d{1,6}", re.ASCII)


def _number(text: str) -> int:
    if not _DIGITS.fullmatch(text):
        raise ValueError("a whole number in digits is expected")
    return int(text)


def _end(text: str) -> int:
    return parse_instant(text, end=True)


Number = Annotated[int, BeforeValidator(_number)]
Instant = Annotated[int, Field(le=MAX_INSTANT_MS), BeforeValidator(parse_instant)]
End = Annotated[int, Field(le=MAX_INSTANT_MS), BeforeValidator(_end)]


class SearchQuery(Body):
    """A date is a day in UTC; `end` includes its day. Digits are Unix ms; `end` is not within."""

    keyword: str = Field("", max_length=MAX_KEYWORD_CHARACTERS)
    start: Instant | None = None
    end: End | None = None
    page_size: Number = Field(20, ge=1, le=MAX_PAGE_SIZE)
    page: Number = Field(1, ge=1, le=MAX_PAGE)

    @model_validator(mode="after")
    def _in_order(self) -> SearchQuery:
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError("end must be after start")
        return self


class EventQuery(Body):
    tickets_after: Number = Field(-1, le=MAX_SEAT_INDEX)


class CatalogueWeb:
    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def routes(self) -> list[Route]:
        return [
            Route("/events/search", self.search, methods=["GET"]),
            Route("/events/{event_id}", self.event, methods=["GET"]),
        ]

    async def search(self, request: Request) -> Response:
        query = read_query(request, SearchQuery)
        found = await self._catalogue.search(
            Search(
                keyword=query.keyword,
                start_ms=query.start,
                end_ms=query.end,
                page_size=query.page_size,
                page=query.page,
            )
        )
        return _cacheable(request, found_json(found))

    async def event(self, request: Request) -> Response:
        event_id = event_id_of(request)
        after = read_query(request, EventQuery).tickets_after
        event = await self._catalogue.event(event_id)
        tickets = await self._catalogue.tickets(event, after)
        more = tickets[-1].seat_index if len(tickets) == TICKETS_PER_PAGE else None
        body = event_json(event) | {
            "tickets": [ticket_json(event, ticket) for ticket in tickets],
            "nextTicketsAfter": more,
        }
        return _cacheable(request, body)


Query = TypeVar("Query", bound=Body)


def read_query(request: Request, model: type[Query]) -> Query:
    """The query string as `model`. Raises BadRequest, also for a field that comes twice."""
    fields = request.query_params.multi_items()
    if len(fields) != len(dict(fields)):
        raise BadRequest("a field comes more than once", where="query")
    return parse_body(orjson.dumps(dict(fields)), model)


def found_json(found: Found) -> dict[str, object]:
    return {
        "events": [event_json(event) for event in found.events],
        "page": found.page,
        "pageSize": found.page_size,
        "total": found.total,
        "pages": found.pages,
    }


def event_json(event: Event) -> dict[str, object]:
    venue = event.venue
    return {
        "eventId": event.event_id,
        "title": event.title,
        "description": event.description,
        "genre": event.genre,
        "startsAt": event.starts_at_ms,
        "opensAt": event.opens_at_ms,
        "mode": event.mode,
        "cancelled": event.cancelled,
        "seats": event.seats,
        "currency": event.currency,
        "fromPriceMinor": event.from_price_minor,
        "maxTickets": event.max_tickets,
        "planId": event.plan_id,
        "venue": {
            "venueId": venue.venue_id,
            "name": venue.name,
            "city": venue.city,
            "country": venue.country,
            "timeZone": venue.time_zone,
        },
        "performers": [{"performerId": p.performer_id, "name": p.name} for p in event.performers],
        "priceCategories": [
            {"category": c.category, "name": c.name, "priceMinor": c.price_minor}
            for c in event.price_categories
        ],
    }


def ticket_json(event: Event, ticket: Ticket) -> dict[str, object]:
    return {
        "ticketId": ticket_id(event.event_id, ticket.seat_index),
        "seatIndex": ticket.seat_index,
        "section": ticket.section,
        "row": ticket.row,
        "seat": ticket.seat,
        "category": ticket.category,
        "priceMinor": event.price_of(ticket.category),
    }


def _cacheable(request: Request, body: object) -> Response:
    payload = orjson.dumps(body)
    etag = f'"{hashlib.sha256(payload).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": CACHE_CONTROL}
    known = request.headers.get("if-none-match", "")
    if etag in {tag.strip().removeprefix("W/") for tag in known.split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(payload, headers=headers, media_type="application/json")
