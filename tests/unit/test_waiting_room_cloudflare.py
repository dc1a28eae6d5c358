"""The status in Cloudflare's shape: their published example, and what our states become."""

import pytest

from waiting_room.cloudflare import cf_waiting_room

EXAMPLE = {
    "inWaitingRoom": True,
    "waitTimeKnown": True,
    "waitTime": 10,
    "waitTime25Percentile": 0,
    "waitTime50Percentile": 0,
    "waitTime75Percentile": 0,
    "waitTimeFormatted": "10 minutes",
    "queueIsFull": False,
    "queueAll": False,
    "lastUpdated": "2020-08-03T23:46:00.000Z",
    "refreshIntervalSeconds": 20,
    "queueingMethod": "fifo",
    "isFIFOQueue": True,
    "isRandomQueue": False,
    "isPassthroughQueue": False,
    "isRejectQueue": False,
    "isEventActive": False,
    "isEventPrequeueing": False,
    "timeUntilEventStart": 0,
    "timeUntilEventStartFormatted": "unavailable",
    "timeUntilEventEnd": 0,
    "timeUntilEventEndFormatted": "unavailable",
    "shuffleAtEventStart": False,
    "turnstile": "",
    "infiniteQueue": False,
}
NOW_MS = 1_596_498_360_000  # the example's instant
WAITING = {
    "state": "waiting",
    "now": NOW_MS,
    "mode": "on",
    "opensAt": NOW_MS - 1,
    "perMinute": 60,
    "paused": False,
    "pollMs": 20_000,
    "place": 7,
    "rank": 7,
    "etaLowMs": 8 * 60_000,
    "etaHighMs": 12 * 60_000,
}


def said(**changes):
    return cf_waiting_room(WAITING | changes)["cfWaitingRoom"]


def test_a_fan_who_waits_ten_minutes_reads_exactly_the_published_example():
    assert cf_waiting_room(WAITING) == {"cfWaitingRoom": EXAMPLE}
    assert len(EXAMPLE) == 25


UNKNOWN = {"waitTimeKnown": False, "waitTime": 0, "waitTimeFormatted": "unavailable"}
AT_ONCE = {"waitTime": 0, "waitTimeFormatted": "0 minutes"}
RANDOM = {"queueingMethod": "random", "isFIFOQueue": False, "isRandomQueue": True}
REJECT = {"queueingMethod": "reject", "isFIFOQueue": False, "isRejectQueue": True}
THROUGH = {"queueingMethod": "passthrough", "isFIFOQueue": False, "isPassthroughQueue": True}
TO_OPEN = {
    "isEventActive": True,
    "isEventPrequeueing": True,
    "timeUntilEventStart": 61,
    "timeUntilEventStartFormatted": "1 hour 1 minute",
}
SOON = {"opensAt": NOW_MS + 61 * 60_000}
NO_ETA = {"etaLowMs": None, "etaHighMs": None}

# What the queue says, and in what the answer differs from the published example: all 25 fields.
STATES = {
    "waits": ({}, {}),
    "called": ({"state": "called"} | NO_ETA, AT_ONCE),
    "is in": ({"state": "admitted"} | NO_ETA, UNKNOWN | {"inWaitingRoom": False}),
    "has no place": ({"state": "none"} | NO_ETA, UNKNOWN),
    "early": ({"state": "early"} | SOON | NO_ETA, UNKNOWN | TO_OPEN),
    "may go into the lobby": (
        {"state": "none"} | SOON | NO_ETA,
        UNKNOWN | TO_OPEN | RANDOM | {"shuffleAtEventStart": True},
    ),
    "in the lobby": (
        {"state": "lobby"} | SOON | NO_ETA,
        UNKNOWN | TO_OPEN | RANDOM | {"shuffleAtEventStart": True},
    ),
    "being drawn": ({"state": "drawing"} | NO_ETA, UNKNOWN | RANDOM),
    "paused": ({"paused": True} | NO_ETA, UNKNOWN | {"queueAll": True}),
    "stopped": ({"paused": True, "stopped": True} | NO_ETA, UNKNOWN | {"queueAll": True}),
    "at a pace of 0": ({"perMinute": 0} | NO_ETA, UNKNOWN | {"queueAll": True}),
    "waits while the room drains": ({"intake": "draining"}, {"queueIsFull": True}),
    "comes to a closed room": (
        {"state": "none", "intake": "closed"} | NO_ETA,
        UNKNOWN | REJECT | {"queueIsFull": True, "refreshIntervalSeconds": 0},
    ),
    "comes to a drained room that is off": (
        {"state": "none", "intake": "drained", "mode": "off"} | NO_ETA,
        UNKNOWN | REJECT | {"queueIsFull": True, "refreshIntervalSeconds": 0},
    ),
    "comes to a room that is off": (
        {"state": "none", "mode": "off"} | NO_ETA,
        UNKNOWN | THROUGH | {"inWaitingRoom": False},
    ),
    "comes to a room that is off and has a pace of 0": (
        {"state": "none", "mode": "off", "perMinute": 0, "paused": True} | NO_ETA,
        UNKNOWN | THROUGH | {"inWaitingRoom": False},
    ),
    "comes to a room that is off and stopped": (
        {"state": "none", "mode": "off", "paused": True, "stopped": True} | NO_ETA,
        UNKNOWN | {"queueAll": True},
    ),
    "is to ask again in 2.5 s": ({"pollMs": 2_500}, {"refreshIntervalSeconds": 3}),
    "a few ms later": ({"now": NOW_MS + 7}, {"lastUpdated": "2020-08-03T23:46:00.007Z"}),
}


@pytest.mark.parametrize(("changes", "differs"), STATES.values(), ids=STATES)
def test_in_each_state_all_fields_say_what_cloudflare_means_by_them(changes, differs):
    shown = said(**changes)
    assert shown == EXAMPLE | differs
    assert {name: type(value) for name, value in shown.items()} == {
        name: type(value) for name, value in EXAMPLE.items()
    }
    methods = [f"is{name}Queue" for name in ("FIFO", "Random", "Passthrough", "Reject")]
    assert sum(shown[method] for method in methods) == 1


@pytest.mark.parametrize(
    ("eta_ms", "minutes", "text"),
    [
        (0, 0, "0 minutes"),
        (1, 1, "1 minute"),
        (60_001, 2, "2 minutes"),
        (3_600_000, 60, "1 hour"),
        (7_320_000, 122, "2 hours 2 minutes"),
    ],
)
def test_a_wait_is_rounded_up_to_whole_minutes(eta_ms, minutes, text):
    shown = said(etaLowMs=eta_ms, etaHighMs=eta_ms)
    assert (shown["waitTime"], shown["waitTimeFormatted"]) == (minutes, text)
