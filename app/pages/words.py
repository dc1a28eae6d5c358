"""The truth about a sale, and times of the queue, in words. Pure: time is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from app.pages.language import Language

FEW_LEFT_SHARE = 0.05
MINUTE_MS = 60_000
HOUR_S = 3_600


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


def calendar_moment(at_ms: int) -> str:
    """RFC 5545, 3.3.5, form 2: a moment in UTC."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y%m%dT%H%M%SZ}"


def truth(sale: Sale, now_ms: int, words: Language) -> Truth:
    """The first of these that holds is what a fan wants to know."""
    if sale.cancelled:
        return Truth(kind="out", text=words.t("cancelled"))
    if now_ms < sale.opens_at_ms:
        return _soon(sale, now_ms, words)
    if sale.free == 0:
        text, button = words.t("sold out or in baskets"), words.t("Watch for returned seats")
        return Truth(kind="out", text=text, next="seats", button=button)
    if sale.waiting or (sale.paused and sale.mode == "on"):
        return _queue(sale, words)
    few = sale.free is not None and sale.free < sale.seats * FEW_LEFT_SHARE
    return _open(sale.mode, words.t("few left") if few else "", words)


def _open(mode: str, few: str, words: Language) -> Truth:
    """Nobody waits. Where everybody goes through the queue, "no queue" would not be true."""
    if mode == "on":
        text, next_page, button = words.t("queue: nobody waiting"), "queue", "Join the queue"
        note = words.t("The queue lets fans in at a steady pace. One place per person.")
    elif mode == "auto":
        text, next_page, button = words.t("on sale, no queue"), "queue", "Get tickets"
        note = words.t("Straight to the map while there is room, a queue otherwise.")
    else:
        text, next_page, button = words.t("on sale, no queue"), "seats", "Choose seats"
        note = words.t("No queue: you go straight to the map.")
    return Truth(kind="open", text=few or text, next=next_page, button=words.t(button), note=note)


def _soon(sale: Sale, now_ms: int, words: Language) -> Truth:
    return Truth(
        kind="soon",
        text=words.t("opens in {time}", time=countdown(sale.opens_at_ms - now_ms, words)),
        next="queue",
        button=words.t("Wait for the opening"),
        note=words.t("The next page counts down and joins the queue for you."),
        opens_at_ms=sale.opens_at_ms,
    )


def _queue(sale: Sale, words: Language) -> Truth:
    kind = "queue"
    if sale.paused:
        kind, text = "paused", words.t("queue paused, {waiting} waiting", waiting=sale.waiting)
    elif sale.per_minute:
        minutes = -(-sale.waiting // sale.per_minute)
        text = words.t(
            "queue: about {minutes} min, {waiting} waiting", minutes=minutes, waiting=sale.waiting
        )
    else:
        text = words.t("queue: not moving, {waiting} waiting", waiting=sale.waiting)
    note = words.t("The queue lets fans in at a steady pace. One place per person.")
    return Truth(kind=kind, text=text, next="queue", button=words.t("Join the queue"), note=note)


def countdown(ms: int, words: Language) -> str:
    """2 d 02:14:09, or 14:09 under an hour; as `countdown` of static/js/lib/words.js."""
    days, seconds = divmod(-(-max(0, ms) // 1000), 86_400)
    clock = f"{seconds // 60 % 60:02}:{seconds % 60:02}"
    if days or seconds >= HOUR_S:
        clock = f"{seconds // HOUR_S:02}:{clock}"
    return words.t("{days} d {clock}", days=days, clock=clock) if days else clock


def interval(low_ms: int | None, high_ms: int | None, words: Language) -> str:
    """As `interval` of static/js/lib/words.js."""
    if low_ms is None or high_ms is None:
        return words.t("not known yet")
    if high_ms < MINUTE_MS:
        return words.t("under a minute")
    low = max(1, low_ms // MINUTE_MS)
    high = max(low, -(-high_ms // MINUTE_MS))
    if low == high:
        return words.t("about {n} min", n=low)
    return words.t("{low}–{high} min", low=low, high=high)


def ordinal(n: int, words: Language) -> str:
    return words.t(ORDINALS[words.locale.ordinal_form(n)], n=n)


def whole_sentence(text: str) -> str:
    """Words of an operator, to which more is added."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def N_(text: str) -> str:  # noqa: N802 (the name that gettext's tools know)
    """Marks a text for the catalogues where it is only named; `t` says it."""
    return text


BUTTONS = (N_("Join the queue"), N_("Get tickets"), N_("Choose seats"))
ORDINALS = {"one": N_("{n}st"), "two": N_("{n}nd"), "few": N_("{n}rd"), "other": N_("{n}th")}
