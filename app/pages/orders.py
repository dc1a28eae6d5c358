"""An order as its page shows it: headline, tickets with their codes, the calendar entry. Pure."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import segno
from markupsafe import Markup

from app.catalogue.model import Event
from app.pages.language import Language
from app.pages.words import N_, calendar_moment

EVENT_MS = 3 * 3600 * 1000  # how long the calendar entry lasts: the end is not known
SHORT_ID_CHARACTERS = 8

# tone, headline, text
STATUS = {
    "pending": (
        "warn",
        N_("Payment under way"),
        N_(
            "The bank has not answered yet. The seats are yours until it does. You may close this "
            "page: it shows the outcome whenever you come back."
        ),
    ),
    "confirmed": (
        "good",
        N_("Confirmed"),
        N_("You are going. Show one code per person at the door."),
    ),
    "cancelled": (
        "bad",
        N_("Cancelled"),
        N_("This order was not completed. Nothing was charged, and the seats are free again."),
    ),
    "revoked": (
        "bad",
        N_("Revoked"),
        N_("This order was taken back after it was confirmed. What was charged is refunded."),
    ),
}


def order_view(document: Mapping[str, Any], words: Language) -> dict[str, object]:
    """From the booking as `GET /bookings/{id}` gives it."""
    status, currency = document["status"], document["currency"]
    tone, headline, text = STATUS[status]
    tickets = document["tickets"]
    codes = sum(1 for ticket in tickets if ticket["entryCode"])
    ended = status in {"cancelled", "revoked"}
    return {
        "booking_id": document["bookingId"],
        "short_id": document["bookingId"].partition("_")[2][:SHORT_ID_CHARACTERS].upper(),
        "tone": tone,
        "headline": words.t(headline),
        "text": words.t(text),
        "confirmed": status == "confirmed",
        "ended": ended,
        "unsettled": not ended and codes < len(tickets),
        "looks": f"{status}-{codes}",  # the page reloads when this changes
        "no_code": words.t("No entry") if ended else words.t("The code appears here in a moment"),
        "email": document["email"],
        "total": words.money(document["totalMinor"], currency),
        "tickets": [_ticket_view(ticket, currency, words) for ticket in tickets],
    }


def _ticket_view(ticket: Mapping[str, Any], currency: str, words: Language) -> dict[str, object]:
    code = ticket["entryCode"]
    place = {name: ticket[name] for name in ("section", "row", "seat")}
    return place | {
        "price": words.money(ticket["priceMinor"], currency),
        "qr": qr_svg(code, words.t("Entry code")) if code else None,
    }


def qr_svg(code: str, title: str) -> Markup:
    """Black on white whatever the theme: gates read it from a dark phone too."""
    out = io.BytesIO()
    segno.make(code, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=False, omitsize=True, border=2, light="#ffffff",
        title=title, svgclass=None, lineclass=None,
    )  # fmt: skip
    return Markup(out.getvalue().decode())  # noqa: S704 (drawn by segno, the code is not in it)


def calendar(event: Event, booking_id: str, stamp_ms: int) -> str:
    """RFC 5545. `stamp_ms` is now; the entry's id stays, so that adding it twice makes one."""
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Onsale//Orders//EN",
        "BEGIN:VEVENT",
        f"UID:{booking_id}@onsale",
        f"DTSTAMP:{calendar_moment(stamp_ms)}",
        f"DTSTART:{calendar_moment(event.starts_at_ms)}",
        f"DTEND:{calendar_moment(event.starts_at_ms + EVENT_MS)}",
        f"SUMMARY:{_escaped(event.title)}",
        f"LOCATION:{_escaped(f'{event.venue.name}, {event.venue.city}')}",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return "\r\n".join(map(_folded, lines)) + "\r\n"


def _escaped(text: str) -> str:
    for mark in ("\\", ";", ","):
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.splitlines())


def _folded(line: str) -> str:
    """RFC 5545, 3.1: at most 75 octets a line; 18 characters of four octets always fit."""
    if len(line.encode()) <= 75:
        return line
    return "\r\n ".join(line[at : at + 18] for at in range(0, len(line), 18))
