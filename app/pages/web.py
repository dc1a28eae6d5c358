"""The HTML pages. They show what the services say; everything that changes is done by the API.

GET /                                 search and events
GET /e/{eventId}                      facts, prices, the one button
GET, POST /e/{eventId}/queue          app/pages/queue_page.py
GET /e/{eventId}/queue/return         app/pages/returns.py
GET /e/{eventId}/draw…                app/pages/draw_page.py
GET /e/{eventId}/seats                sets the visitor cookie
GET /orders/{bookingId}               one's own only, else 404
GET /orders/{bookingId}/calendar.ics
GET /console?event=                   401 without a console session
POST /language                        to, back: the language chosen by hand; 303 back
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from app.catalogue.model import Event, Found, Search
from app.catalogue.policy import parse_instant
from app.catalogue.store import Catalogue
from app.pages.covers import cover
from app.pages.draw_page import DrawPage
from app.pages.forms import read_form
from app.pages.language import Language, language_of, languages_of
from app.pages.orders import calendar, order_view
from app.pages.queue_page import QueuePage, RequireJoin
from app.pages.render import NO_STORE, page
from app.pages.returns import Returns
from app.pages.words import N_, Sale, Truth, truth
from core.cookies import cookies_of
from core.edge import event_id_of
from core.errors import AppError, BadRequest, NotFound, titles
from core.visitor import known_visitor, visitor_of
from waiting_room.service import WaitingRoom
from waiting_room.shops.service import Shops

CARDS = 12
MAX_SALES = 100  # the console lists no more
MAX_PAGE = 1_000
MAX_KEYWORD_CHARACTERS = 100
LANGUAGE_LIFE_S = 365 * 24 * 3600
LOCAL_ADDRESS = re.compile(r"/[\w./?&=%+~:-]{0,500}", re.ASCII)

Numbers = Callable[[str], Awaitable[Mapping[str, Any]]]  # event id → numbers of its queue
Free = Callable[[str], Awaitable[int]]  # event id → seats that are available
Booking = Callable[[str, str], Awaitable[Mapping[str, Any]]]  # booking id, subject → as the API
RequireOperator = Callable[[HTTPConnection], str]  # raises when it is none

TEST_CARDS = (
    ("tok_approve", N_("Approved"), N_("pays at once")),
    ("tok_decline", N_("Declined"), N_("charges nothing")),
    ("tok_slow", N_("Slow"), N_("the bank takes its time")),
    ("tok_unsure", N_("Unsure"), N_("pays, but does not answer")),
    ("tok_unsure_declined", N_("Unsure, declined"), N_("declines, without an answer")),
)


class Pages:
    """`crowd`: event ids that simulated fans are sent to, which their pages say."""

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        numbers: Numbers,
        free: Free,
        booking: Booking,
        require_operator: RequireOperator,
        room: WaitingRoom,
        shops: Shops,
        require_join: RequireJoin,
        demo: bool = False,
        crowd: frozenset[str] = frozenset(),
    ) -> None:
        self._catalogue, self._numbers, self._free = catalogue, numbers, free
        self._booking, self._require_operator = booking, require_operator
        self._demo, self._crowd = demo, crowd
        self._returns = Returns(shops, self._common, self._wanted)
        self._draw = DrawPage(room.draws, self._common, self._wanted)
        self._queue = QueuePage(room, self._common, self._wanted, require_join, self._returns)

    def routes(self) -> list[Route]:
        return [
            Route("/", self.home),
            Route("/e/{event_id}", self.event),
            *self._queue.routes(),
            *self._returns.routes(),
            *self._draw.routes(),
            Route("/e/{event_id}/seats", self.seats),
            Route("/orders/{booking_id}", self.order),
            Route("/orders/{booking_id}/calendar.ics", self.calendar),
            Route("/console", self.console),
            Route("/language", self.language, methods=["POST"]),
        ]

    async def home(self, request: Request) -> Response:
        asked = {name: request.query_params.get(name, "") for name in ("keyword", "start", "end")}
        found = await self._catalogue.search(_search(asked, request.query_params.get("page", "1")))
        words = language_of(request)
        cards = [await self._card(event, words) for event in found.events]
        earlier, later = ("/?" + urlencode(asked | {"page": found.page + n}) for n in (-1, 1))
        return page(
            request,
            "home.html",
            demo=self._demo,
            asked=asked,
            found=_found_view(found, cards),
            earlier=earlier,
            later=later,
        )

    async def event(self, request: Request) -> Response:
        event, words = await self._wanted(request), language_of(request)
        return page(
            request,
            "event.html",
            **self._common(event, words),
            truth=await self._truth(event, words),
            cover=cover(event.event_id),
            hold_minutes=event.hold_ms // 60_000,
        )

    async def seats(self, request: Request) -> Response:
        event, words = await self._wanted(request), language_of(request)
        visitor_of(request)
        if ahead := self._returns.ahead(request, event.event_id):
            return ahead
        return page(request, "seats.html", **self._common(event, words), test_cards=TEST_CARDS)

    async def order(self, request: Request) -> Response:
        booking, words = await self._own_booking(request), language_of(request)
        event = await self._catalogue.event(booking["eventId"])
        view = order_view(booking, words)
        return page(request, "order.html", **self._common(event, words), order=view)

    async def calendar(self, request: Request) -> Response:
        booking = await self._own_booking(request)
        event = await self._catalogue.event(booking["eventId"])
        text = calendar(event, booking["bookingId"], _now_ms())
        return Response(text, headers=NO_STORE, media_type="text/calendar")

    async def console(self, request: Request) -> Response:
        self._require_operator(request)
        sales = (await self._catalogue.search(Search(page_size=MAX_SALES))).events
        chosen = request.query_params.get("event", sales[0].event_id if sales else "")
        event = next((sale for sale in sales if sale.event_id == chosen), None)
        if event is None and chosen:
            raise NotFound(chosen)
        words = language_of(request)
        common = self._common(event, words) if event else {"event": None}
        rows = [self._common(sale, words) for sale in sales]
        told = {code: words.t(title) for code, title in titles().items()}
        return page(request, "console.html", **common, sales=rows, refusals=told)

    async def language(self, request: Request) -> Response:
        """A language the server does not speak changes nothing."""
        form = await read_form(request)
        reply = Response(status_code=303, headers={"location": _local(form.get("back", ""))})
        chosen = languages_of(request).get(form.get("to", ""))
        if chosen is not None:
            cookies_of(request).set(reply, "language", chosen.tag, life_s=LANGUAGE_LIFE_S)
        return reply

    async def _wanted(self, request: Request) -> Event:
        return await self._catalogue.event(event_id_of(request))

    async def _own_booking(self, request: Request) -> Mapping[str, Any]:
        booking_id, subject = request.path_params["booking_id"], known_visitor(request)
        if subject is None:
            raise NotFound(booking_id)
        return await self._booking(booking_id, subject)

    def _common(self, event: Event, words: Language) -> dict[str, Any]:
        return {
            "event": _event_view(event, words),
            "when": words.when(event.starts_at_ms, event.venue.time_zone),
            "demo": self._demo,
            "crowd": event.event_id in self._crowd,
        }

    async def _card(self, event: Event, words: Language) -> dict[str, object]:
        return {
            "event": _event_view(event, words),
            "cover": cover(event.event_id),
            "when": words.when(event.starts_at_ms, event.venue.time_zone),
            "from_price": words.money(event.from_price_minor, event.currency),
            "truth": await self._truth(event, words),
        }

    async def _truth(self, event: Event, words: Language) -> Truth:
        """The catalogue's part of the truth is shown even when the live part does not answer."""
        sale = Sale(
            mode=event.mode,
            opens_at_ms=event.opens_at_ms,
            seats=event.seats,
            cancelled=event.cancelled,
        )
        try:
            numbers, free = await self._numbers(event.event_id), await self._free(event.event_id)
        except AppError:
            return truth(sale, _now_ms(), words)
        live = replace(
            sale,
            waiting=numbers["waiting"],
            per_minute=numbers["perMinute"],
            paused=numbers["paused"],
            free=free,
        )
        return truth(live, _now_ms(), words)


def _local(address: str) -> str:
    """An address of ours, or the front page: nobody is sent elsewhere by a form of ours."""
    ours = LOCAL_ADDRESS.fullmatch(address) and not address.startswith("//")
    return address if ours else "/"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _search(asked: Mapping[str, str], page_text: str) -> Search:
    """Raises BadRequest. Without dates, what has not begun yet."""
    digits = page_text.isascii() and page_text.isdigit() and len(page_text) <= len(str(MAX_PAGE))
    if not digits or not 1 <= int(page_text) <= MAX_PAGE:
        raise BadRequest("a page number", where="page")
    try:
        start = parse_instant(asked["start"]) if asked["start"] else _today_ms()
        end = parse_instant(asked["end"], end=True) if asked["end"] else None
    except ValueError as exc:
        raise BadRequest(str(exc), where="dates") from exc
    keyword = asked["keyword"].strip()[:MAX_KEYWORD_CHARACTERS]
    return Search(keyword=keyword, start_ms=start, end_ms=end, page_size=CARDS, page=int(page_text))


def _today_ms() -> int:
    return int(datetime.now(UTC).replace(hour=0, minute=0, second=0).timestamp()) * 1000


def _found_view(found: Found, cards: list[dict[str, object]]) -> dict[str, object]:
    return {"events": cards, "page": found.page, "pages": found.pages, "total": found.total}


def _event_view(event: Event, words: Language) -> dict[str, object]:
    return {
        "event_id": event.event_id,
        "title": event.title,
        "description": event.description,
        "venue": event.venue.name,
        "city": event.venue.city,
        "currency": event.currency,
        "max_tickets": event.max_tickets,
        "performers": [performer.name for performer in event.performers],
        "categories": [
            {
                "category": category.category,
                "name": category.name,
                "price_minor": category.price_minor,
                "price": words.money(category.price_minor, event.currency),
            }
            for category in event.price_categories
        ],
    }
