"""Ids: a prefix that says what it names, then 128 random bits that nobody can guess.

Lower-case base32, so that an id is safe in a URL, a cookie, a Redis key and a file name, and
can be read out on the phone. Event ids are chosen by people (`ev_arena`): they are no secret.
"""

from __future__ import annotations

import base64
import re
import secrets
from typing import NewType

EventId = NewType("EventId", str)  # ev_…
Subject = NewType("Subject", str)  # vs_…: who places, admissions, holds and bookings belong to
HoldId = NewType("HoldId", str)  # hd_…
BookingId = NewType("BookingId", str)  # bk_…
TicketId = NewType("TicketId", str)  # {eventId}-{seatIndex}

EVENT_ID = re.compile(r"ev_[a-z0-9_]{1,40}", re.ASCII)
RANDOM_ID = re.compile(r"[a-z]{2}_[a-z2-7]{26}", re.ASCII)
MAX_SEAT_DIGITS = 6


def new_id(prefix: str) -> str:
    """`prefix` is two letters, as in DESIGN: `vs`, `hd`, `bk`, …"""
    return f"{prefix}_{base64.b32encode(secrets.token_bytes(16)).decode().rstrip('=').lower()}"


def is_id(prefix: str, text: str) -> bool:
    return text.startswith(prefix + "_") and RANDOM_ID.fullmatch(text) is not None


def ticket_id(event_id: str, seat_index: int) -> TicketId:
    return TicketId(f"{event_id}-{seat_index}")


def parse_ticket_id(text: str) -> tuple[EventId, int] | None:
    """(event id, seat index), or None for anything that is no ticket id."""
    event_id, dash, digits = text.rpartition("-")
    plain = digits.isascii() and digits.isdigit() and len(digits) <= MAX_SEAT_DIGITS
    if not (dash and plain and EVENT_ID.fullmatch(event_id) and str(int(digits)) == digits):
        return None
    return EventId(event_id), int(digits)
