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


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"state": "admitted"}, {"inWaitingRoom": False}),
        ({"state": "none", "mode": "off"}, {"inWaitingRoom": False, "isPassthroughQueue": True}),
        ({"state": "none", "mode": "auto"}, {"inWaitingRoom": True, "isFIFOQueue": True}),
        ({"state": "called", "etaLowMs": None}, {"waitTimeKnown": True, "waitTime": 0}),
        ({"etaLowMs": None}, {"waitTimeKnown": False, "waitTimeFormatted": "unavailable"}),
        ({"paused": True}, {"queueAll": True}),
        ({"stopped": True}, {"queueAll": True}),
        ({"perMinute": 0}, {"queueAll": True}),
        ({"intake": "draining"}, {"queueIsFull": True, "isFIFOQueue": True}),
        ({"state": "none", "intake": "closed"}, {"queueIsFull": True, "isRejectQueue": True}),
        ({"state": "drawing"}, {"isRandomQueue": True, "isEventPrequeueing": False}),
        ({"pollMs": 2_500}, {"refreshIntervalSeconds": 3}),
        ({"now": NOW_MS + 7}, {"lastUpdated": "2020-08-03T23:46:00.007Z"}),
    ],
)
def test_each_state_says_what_a_client_should_do(changes, wanted):
    assert said(**changes).items() >= wanted.items()


def test_before_the_opening_the_time_until_it_is_told():
    early = said(state="early", opensAt=NOW_MS + 61 * 60_000)
    assert (early["isEventActive"], early["isEventPrequeueing"]) == (True, True)
    assert early["timeUntilEventStart"] == 61
    assert early["timeUntilEventStartFormatted"] == "1 hour 1 minute"
    assert not early["shuffleAtEventStart"]
    assert said(state="lobby", opensAt=NOW_MS + 1)["shuffleAtEventStart"]


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
