"""The draw of a sale in words: how far it is, what it shows and what it does not. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.pages.language import Language
from app.pages.words import N_
from waiting_room.draw.model import Draw, Proof
from waiting_room.draw.policy import commitment

EXAMPLE = "en_…"
COMMAND = "python verify_draw.py draw.json entries.txt places.txt proof.json receipt.txt jwks.json"
COULD_STEER = N_(
    "It does not show that every entry is another person, nor that nobody steered: order and list "
    "were fixed, but the organiser, who knew the number, could have added entries until the "
    "outcome pleased."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """Whose part of the draw the page tells: the visitor's own, or of whoever typed an entry in."""

    entry_id: str
    receipt: str  # '' for an entry that was typed in
    proof: Proof | None  # None before the list is fixed, and for an entry that is not in it


def draw_view(
    draw: Draw, entrant: Entrant | None, words: Language, *, time_zone: str
) -> dict[str, Any]:
    return {
        "stage": _stage(draw),
        "news": _news(draw, words, time_zone),
        "shows": _shows(draw, words),
        "beacon": _beacon(draw, words),
        "mine": _mine(draw, entrant, words),
        "published": _published(draw, words),
        "command": COMMAND,
        "example": EXAMPLE,
    }


def _stage(draw: Draw) -> str:
    if not draw.entries and (draw.root is not None or not draw.draw):
        return "none"
    if draw.root is None:
        return "open"
    return "drawn" if draw.ordered else "fixed"


def _news(draw: Draw, words: Language, time_zone: str) -> str:
    count = words.tn("{n} entry", "{n} entries", draw.entries or 0)
    match _stage(draw):
        case "none":
            return words.t("Nobody was in the lobby: places come in the order of arrival.")
        case "open":
            opens = words.when(draw.opens_at_ms, time_zone)
            moment = f"{opens.short} ({opens.zone})"
            return words.t("The order is drawn when the sale opens: {time}.", time=moment)
        case "fixed" if draw.waits_for_beacon:
            return words.t(
                "The list is fixed: {entries}. The draw waits for the public number {name}.",
                entries=count,
                name=draw.beacon_name,
            )
        case "fixed":
            return words.t("The list is fixed: {entries}. The order is drawn now.", entries=count)
        case _:
            return words.t("The order is drawn: {entries}.", entries=count)


def _shows(draw: Draw, words: Language) -> list[str]:
    """Three sentences: what it shows, what the fan holds, and what it does not show."""
    unbiased = draw.beacon_name and not draw.beacon_given_up
    return [
        words.t(
            "The list of entries and a secret number are fixed before the order is known, and both "
            "are published: anybody can compute the order again."
        ),
        words.t(
            "Your receipt proves that your entry was taken, and the proof that it is in the list."
        ),
        words.t(
            "A public number that nobody could know beforehand goes into the order, so nobody can "
            "steer it; that every entry is another person it does not show."
        )
        if unbiased
        else words.t(COULD_STEER),
    ]


def _beacon(draw: Draw, words: Language) -> str:
    if not draw.beacon_name:
        return words.t("No public number is used.")
    if draw.beacon_given_up:
        return words.t("{name} was named and then given up.", name=draw.beacon_name)
    if draw.beacon_value is None:
        return words.t("{name}, still to come", name=draw.beacon_name)
    return f"{draw.beacon_name}: {draw.beacon_value.hex()}"


def _mine(draw: Draw, entrant: Entrant | None, words: Language) -> dict[str, str] | None:
    if entrant is None:
        return None
    text, proof = "", entrant.proof
    if draw.root is None:
        text = words.t("It is in the lobby.") if entrant.receipt else ""
    elif proof is None:
        text = words.t("This entry is not in the list.")
    elif proof.place is not None and draw.base is not None:
        drawn, of = words.number(draw.base + proof.place), words.number(draw.entries or 0)
        text = words.t("It drew place {place}. There were {of} entries.", place=drawn, of=of)
    else:
        text = words.t("It is in the list.")
    return {
        "entry_id": entrant.entry_id,
        "text": text,
        "receipt": entrant.receipt,
        "proof": entrant.entry_id if proof is not None else "",
    }


def _published(draw: Draw, words: Language) -> list[tuple[str, str]]:
    later = words.t("not yet")
    return [
        (words.t("Seal of the secret number"), commitment(draw.seed).hex()),
        (words.t("Root of the list"), draw.root.hex() if draw.root is not None else later),
        (words.t("Public number"), _beacon(draw, words)),
        (words.t("Secret number"), draw.seed.hex() if draw.ordered else later),
    ]
