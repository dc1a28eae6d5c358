"""The fan's state in the shape of Cloudflare's waiting room, for clients that know it. Pure.

The 25 fields of `cfWaitingRoom`, as Cloudflare's API reference describes `json_response_enabled`.
Where the two rooms differ, the field says what a client should do, not what Cloudflare would have
computed: docs/protocol.md lists it. Texts are English there, so they are here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

MINUTE_MS = 60_000
UNAVAILABLE = "unavailable"
BEFORE_OPENING = {"early", "lobby", "none"}


def cf_waiting_room(state: Mapping[str, Any]) -> dict[str, Any]:
    """`state` is the queue state of docs/protocol.md."""
    method, wait = _method(state), _minutes(_expected_ms(state))
    left_ms = state["opensAt"] - state["now"]
    prequeueing = state["state"] in BEFORE_OPENING and left_ms > 0
    start = _minutes(left_ms) if prequeueing else None
    fields = {
        "inWaitingRoom": state["state"] != "admitted" and method != "passthrough",
        "waitTimeKnown": wait is not None,
        "waitTime": wait or 0,
        "waitTime25Percentile": 0,  # of random queues only
        "waitTime50Percentile": 0,
        "waitTime75Percentile": 0,
        "waitTimeFormatted": _formatted(wait),
        "queueIsFull": state.get("intake", "open") != "open",
        "queueAll": _stands_still(state, method),
        "lastUpdated": _instant(state["now"]),
        "refreshIntervalSeconds": 0 if method == "reject" else -(-state["pollMs"] // 1000),
        "queueingMethod": method,
        "isFIFOQueue": method == "fifo",
        "isRandomQueue": method == "random",
        "isPassthroughQueue": method == "passthrough",
        "isRejectQueue": method == "reject",
        "isEventActive": prequeueing,
        "isEventPrequeueing": prequeueing,
        "timeUntilEventStart": start or 0,
        "timeUntilEventStartFormatted": _formatted(start),
        "timeUntilEventEnd": 0,  # a sale has no end that is known before
        "timeUntilEventEndFormatted": UNAVAILABLE,
        "shuffleAtEventStart": _in_lobby(state),
        "turnstile": "",
        "infiniteQueue": False,
    }
    return {"cfWaitingRoom": fields}


def _method(state: Mapping[str, Any]) -> str:
    if state["state"] == "none" and state.get("intake", "open") != "open":
        return "reject"
    if state["state"] == "none" and state["mode"] == "off" and not state.get("stopped", False):
        return "passthrough"
    # Until a draw is done, the order is not that of arrival.
    return "random" if _in_lobby(state) or state["state"] == "drawing" else "fifo"


def _in_lobby(state: Mapping[str, Any]) -> bool:
    """The fan is, or would be on joining: before the opening there is no place but in a lobby."""
    joins: bool = state["state"] == "none" and state["opensAt"] > state["now"]
    return joins or state["state"] == "lobby"


def _stands_still(state: Mapping[str, Any], method: str) -> bool:
    """Pause and pace do not concern who goes straight through."""
    held_up = state["paused"] or state.get("stopped", False) or state["perMinute"] == 0
    return bool(held_up) and method != "passthrough"


def _expected_ms(state: Mapping[str, Any]) -> int | None:
    """The middle of the interval; None when it is unknown."""
    low_ms, high_ms = state.get("etaLowMs"), state.get("etaHighMs")
    if state["state"] == "called":
        return 0
    return None if low_ms is None or high_ms is None else (low_ms + high_ms) // 2


def _minutes(ms: int | None) -> int | None:
    """Rounded up: nobody is promised less than it takes."""
    return None if ms is None else -(-ms // MINUTE_MS)


def _formatted(minutes: int | None) -> str:
    if minutes is None:
        return UNAVAILABLE
    hours, rest = divmod(minutes, 60)
    parts = [(hours, "hour"), (rest, "minute")] if hours else [(rest, "minute")]
    return " ".join(f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in parts if n or not hours)


def _instant(ms: int) -> str:
    """As JavaScript's toISOString."""
    at = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"
