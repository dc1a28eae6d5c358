"""The queue state as the page shows it, in words. Pure. static/js/queue.js says the same, live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.pages.language import Language
from app.pages.words import N_, countdown, interval, ordinal, whole_sentence
from waiting_room.model import RoomSettings

MINUTE_MS = 60_000
DEFAULT_MS = 2 * MINUTE_MS  # of accept window and grace, while the room does not answer
FIRST_REFRESH_S, NEAR_REFRESH_S, FAR_REFRESH_S = 3, 5, 15
NEAR_RANK = 1_000
PAUSABLE = {"none", "drawing", "waiting"}  # elsewhere a standstill changes nothing
NOT_FOR_PAGES = {"slip", "pass"}  # a page is compressed: it holds no secret

TITLES = {
    "early": N_("The sale has not opened yet"),
    "lobby": N_("You are in the lobby"),
    "called": N_("Your turn"),
}
# By `etaReason`, as in an attribute: static/js/queue.js finds them there.
REASONS = {
    "pace": N_("The organiser changed the pace."),
    "paused": N_("Calling was paused."),
    "cap": N_("Room in the shop comes up faster or slower than before."),
    "no-shows": N_("More fans than before answer their call, or fewer."),
    "returns": N_("Fans ahead of you came back."),
    "repair": N_("The queue was repaired. Everybody gets their place back first."),
}


def queue_view(
    state: Mapping[str, Any] | None, room: RoomSettings | None, words: Language, *, time_zone: str
) -> dict[str, Any]:
    """`state` as docs/protocol.md has it; None while nothing is known."""
    known = state or {}
    name = _shown(known)
    lobby_open = name == "none" and known["opensAt"] > known["now"]
    accept_ms, grace_ms = (room.accept_ms, room.grace_ms) if room else (DEFAULT_MS, DEFAULT_MS)
    return {
        "state": name,
        "lobby_open": lobby_open,
        "before": name not in {"waiting", "called"},  # the opening may be still to come
        "title": _title(name, known, words),
        "refresh_s": _refresh_s(name, known),
        "message": known.get("message") or "",
        "reasons": {name: words.t(reason) for name, reason in REASONS.items()},
        "revoked": whole_sentence(known["revokedReason"]) if known.get("revokedReason") else "",
        "over": known.get("intake") == "drained",
        "paused": _paused(known, words) if name in PAUSABLE and not lobby_open else "",
        "all_gone": bool(known.get("allGone")) and name in {"none", "waiting"},
        "accept_ms": accept_ms,
        "accept_minutes": _minutes(accept_ms),
        "grace_minutes": _minutes(grace_ms),
        "wire": {k: v for k, v in known.items() if k not in NOT_FOR_PAGES} if state else None,
        **_times(name, known, words, time_zone),
        **_waiting(known, words),
        **_lobby(known, words),
    }


def _shown(state: Mapping[str, Any]) -> str:
    name = str(state.get("state", "loading"))
    return "closed" if name == "none" and state.get("intake", "open") != "open" else name


def _title(name: str, state: Mapping[str, Any], words: Language) -> str:
    if name == "waiting":
        return ordinal(state["rank"], words)
    return words.t(TITLES[name]) if name in TITLES else words.t("Queue")


def _refresh_s(name: str, state: Mapping[str, Any]) -> int:
    """How soon a page without scripts asks again: sooner where a turn may be near."""
    if name == "loading":
        return FIRST_REFRESH_S
    far = name == "waiting" and state["rank"] > NEAR_RANK
    return FAR_REFRESH_S if far or name == "none" else NEAR_REFRESH_S


def _paused(state: Mapping[str, Any], words: Language) -> str:
    if not state.get("paused"):
        return ""
    reason = state.get("pauseReason") or N_("The organiser has paused it.")
    return f"{whole_sentence(words.t(reason))} {words.t('Your place is kept.')}"


def _times(name: str, state: Mapping[str, Any], words: Language, time_zone: str) -> dict[str, str]:
    opens_in = opens_at = left = ""
    if name in {"early", "lobby"}:
        opens_in = countdown(state["opensAt"] - state["now"], words)
        opens = words.when(state["opensAt"], time_zone)
        opens_at = f"{opens.short} ({opens.zone})"
    if name == "called":
        left = countdown(state["acceptBy"] - state["now"], words)
    return {"opens_in": opens_in, "opens_at": opens_at, "accept_left": left}


def _waiting(state: Mapping[str, Any], words: Language) -> dict[str, str]:
    if state.get("state") != "waiting":
        return {"rank": "–", "eta": "–", "eta_why": "", "per_minute": "–"}
    reason = REASONS.get((state.get("etaReason") or "").replace("_", "-"))
    return {
        "rank": ordinal(state["rank"], words),
        "eta": interval(state["etaLowMs"], state["etaHighMs"], words),
        "eta_why": words.t(reason) if reason and not state.get("paused") else "",
        "per_minute": words.number(state["perMinute"]),
    }


def _lobby(state: Mapping[str, Any], words: Language) -> dict[str, str]:
    there = state.get("inLobby")
    line = words.tn("{n} fan is here.", "{n} fans are here.", there) if there else ""
    return {"in_lobby": line}


def _minutes(ms: int) -> int:
    return max(1, round(ms / MINUTE_MS))
