"""Values of the catalogue: what is sold, where, who plays, at what price.

An `Event` is complete: pages and API take from it what they show. Its tickets are not in it;
they are read a page at a time.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    venue_id: str
    name: str
    city: str
    country: str
    time_zone: str  # IANA name; pages show times in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Performer:
    performer_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceCategory:
    category: int
    name: str
    price_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    event_id: str
    title: str
    description: str
    genre: str
    starts_at_ms: int
    currency: str
    max_tickets: int
    hold_ms: int
    cancelled: bool
    plan_id: str
    venue: Venue
    performers: tuple[Performer, ...]  # in order of billing
    price_categories: tuple[PriceCategory, ...]
    seats: int
    mode: str  # of the waiting room: off, auto, on
    opens_at_ms: int

    @property
    def from_price_minor(self) -> int:
        """The lowest price, for "from 29 €"."""
        return min(category.price_minor for category in self.price_categories)

    def price_of(self, category: int) -> int:
        return next(c.price_minor for c in self.price_categories if c.category == category)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One sellable unit. Whether it is sold is not the catalogue's to say."""

    seat_index: int
    category: int
    section: str
    row: str
    seat: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """`start_ms` is within, `end_ms` is not; None leaves that side open."""

    keyword: str = ""
    start_ms: int | None = None
    end_ms: int | None = None
    page_size: int = 20
    page: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    events: tuple[Event, ...]
    page: int
    page_size: int
    total: int

    @property
    def pages(self) -> int:
        return -(-self.total // self.page_size)
