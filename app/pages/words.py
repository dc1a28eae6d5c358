"""Money, dates and the truth about a sale, in the words of the pages. Pure: time is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}
FEW_LEFT_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A moment in the venue's zone."""

    day: str
    month: str
    hour: str
    short: str
    long: str
    iso: str
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """What is known of a running sale. `free` is None when the seat map does not answer."""

    mode: str
    opens_at_ms: int
    waiting: int = 0
    per_minute: int = 0
    paused: bool = False
    seats: int = 0
    free: int | None = None
    cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The line about a sale, and the page its button leads to ('' for no button)."""

    kind: str
    text: str
    next: str = ""
    button: str = ""
    note: str = ""
    opens_at_ms: int | None = None


def money(minor: int, currency: str) -> str:
    amount = f"{minor / 100:,.2f}" if minor % 100 else f"{minor // 100:,}"
    return f"{amount} {SYMBOLS.get(currency, currency)}"


def when(at_ms: int, time_zone: str) -> When:
    at = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(time_zone))
    return When(
        day=str(at.day),
        month=f"{at:%b}",
        hour=f"{at:%H:%M}",
        short=f"{at:%a} {at.day} {at:%b}, {at:%H:%M}",
        long=f"{at:%A} {at.day} {at:%B %Y}, {at:%H:%M}",
        iso=at.isoformat(),
        zone=f"{at:%Z}, time of the venue",
    )


def calendar_moment(at_ms: int) -> str:
    """RFC 5545, 3.3.5, form 2: a moment in UTC."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y%m%dT%H%M%SZ}"


def truth(sale: Sale, now_ms: int) -> Truth:
    """The first of these that holds is what a fan wants to know."""
    if sale.cancelled:
        return Truth(kind="out", text="cancelled")
    if now_ms < sale.opens_at_ms:
        return _soon(sale, now_ms)
    if sale.free == 0:
        return Truth(kind="out", text="sold out", next="seats", button="Watch for returned seats")
    if sale.waiting or (sale.paused and sale.mode == "on"):
        return _queue(sale)
    few = sale.free is not None and sale.free < sale.seats * FEW_LEFT_SHARE
    return _open(sale.mode, "few left" if few else "")


def _open(mode: str, few: str) -> Truth:
    """Nobody waits. Where everybody goes through the queue, "no queue" would not be true."""
    if mode == "on":
        text = few or "queue: nobody waiting"
        return Truth(kind="open", text=text, next="queue", button="Join the queue", note=LET_IN)
    text = few or "on sale, no queue"
    if mode == "auto":
        return Truth(kind="open", text=text, next="queue", button="Get tickets", note=MAYBE_QUEUE)
    return Truth(kind="open", text=text, next="seats", button="Choose seats", note=STRAIGHT_IN)


STRAIGHT_IN = "No queue: you go straight to the map."
MAYBE_QUEUE = "Straight to the map while there is room, a queue otherwise."
LET_IN = "The queue lets fans in at a steady pace. One place per person."


def _soon(sale: Sale, now_ms: int) -> Truth:
    return Truth(
        kind="soon",
        text=f"opens in {_clock(sale.opens_at_ms - now_ms)}",
        next="queue",
        button="Wait for the opening",
        note="The next page counts down and joins the queue for you.",
        opens_at_ms=sale.opens_at_ms,
    )


def _queue(sale: Sale) -> Truth:
    wait = f"about {-(-sale.waiting // sale.per_minute)} min" if sale.per_minute else "not moving"
    text = f"queue: {wait}, {sale.waiting:,} waiting"
    kind = "queue"
    if sale.paused:
        kind, text = "paused", f"queue paused, {sale.waiting:,} waiting"
    return Truth(kind=kind, text=text, next="queue", button="Join the queue", note=LET_IN)


def _clock(ms: int) -> str:
    days, seconds = divmod(-(-ms // 1000), 86_400)
    head = f"{days} d " if days else ""
    return f"{head}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
