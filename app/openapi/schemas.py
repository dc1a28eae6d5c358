"""The shapes of what the JSON API takes and answers, as JSON Schema."""

from __future__ import annotations

from typing import Any, get_args

from waiting_room.forecast.outlook import Reason
from waiting_room.model import Intake, State

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object"}
LIST: Schema = {"type": "array", "items": OBJECT}


def fields(*names: str, **typed: Schema) -> Schema:
    """An object with these fields: text, unless said otherwise."""
    properties = dict.fromkeys(names, TEXT) | typed
    return {"type": "object", "properties": properties, "required": sorted(properties)}


QUEUE_STATE: Schema = {
    "type": "object",
    "required": ["state", "now"],
    "properties": {
        "state": {"enum": [*get_args(State)]},
        **dict.fromkeys(
            ("now", "opensAt", "perMinute", "pollMs", "place", "rank", "mark"), INTEGER
        ),
        "line": fields(at=INTEGER, passed=INTEGER, perMinute=INTEGER),
        **{name: {"type": ["integer", "null"]} for name in ("etaLowMs", "etaHighMs")},
        "etaReason": {"enum": [*get_args(Reason), None]},
        **dict.fromkeys(("acceptBy", "endsAt", "inLobby"), INTEGER),
        **dict.fromkeys(("entryId", "receipt"), TEXT),
        **dict.fromkeys(("mode", "pauseReason", "slip", "admissionId", "pass"), TEXT),
        **dict.fromkeys(("paused", "stopped"), BOOLEAN),
        "message": TEXT,
        "allGone": {"type": "boolean"},
        "intake": {"enum": [*get_args(Intake)]},
    },
}
HEX_OR_NULL: Schema = {"type": ["string", "null"]}
DRAW = fields(
    *("eventId", "state", "algorithm", "commitment"),
    draw=BOOLEAN,
    opensAt=INTEGER,
    **{name: {"type": ["integer", "null"]} for name in ("closedAt", "entries", "firstPlace")},
    beacon={"type": ["object", "null"]},
    root=HEX_OR_NULL,
    seed=HEX_OR_NULL,
)
TICKET_IDS: Schema = {"type": "array", "items": TEXT}
HOLD_REQUEST: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "holdId": {"type": "string", "pattern": "^hd_[a-z2-7]{26}$"},
        "ticketIds": TICKET_IDS,
        "alternatives": {"type": "array", "items": TICKET_IDS},
    },
}
HOLD = fields("holdId", "eventId", "currency", tickets=LIST, totalMinor=INTEGER, endsAt=INTEGER)
BOOKING_REQUEST: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["email", "paymentDetails"],
    "properties": {
        "holdId": TEXT,
        "ticketIds": TICKET_IDS,
        "email": TEXT,
        "paymentDetails": fields("token"),
    },
}
STATUS: Schema = {"enum": ["pending", "confirmed", "cancelled", "revoked"]}
BOOKING = fields(
    *("bookingId", "eventId", "currency", "email"),
    status=STATUS,
    reason={"type": ["string", "null"]},
    totalMinor=INTEGER,
    tickets=LIST,
)
EVENT_PAGE = fields("eventId", "title", venue=OBJECT, performers=LIST, priceCategories=LIST)
EVENTS_FOUND = fields(events=LIST, page=INTEGER, pageSize=INTEGER, total=INTEGER, pages=INTEGER)
SHOP = fields(returnUrls={"type": "array", "items": TEXT}, version=INTEGER)
OUTLOOK = fields(
    **{
        name: {"type": ["integer", "null"]}
        for name in ("waitP50Ms", "waitP90Ms", "lobbyWaitP50Ms", "lobbyWaitP90Ms", "emptyMs")
    },
    **dict.fromkeys(("peakActive", "openInMs", "lobby"), INTEGER),
)
SNAPSHOT = fields("epoch", "states", version=INTEGER)
