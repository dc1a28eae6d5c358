"""What a page says about a sale is so: its line, and where its button leads."""

import pytest

from app.pages.language import Languages
from app.pages.words import Sale, countdown, interval, ordinal, truth, whole_sentence

NOW_MS = 1_000_000
ENGLISH, GERMAN = Languages(pseudo=False).spoken.values()
OPEN = {"opens_at_ms": 0, "seats": 100, "free": 50}


@pytest.mark.parametrize(
    ("sale", "text", "next_page"),
    [
        ({"mode": "off"}, "on sale, no queue", "seats"),
        ({"mode": "auto"}, "on sale, no queue", "queue"),
        ({"mode": "on"}, "queue: nobody waiting", "queue"),
        ({"mode": "on", "free": 4}, "few left", "queue"),
        ({"mode": "on", "free": 0}, "sold out or in baskets", "seats"),
        ({"mode": "on", "free": None}, "queue: nobody waiting", "queue"),
        ({"mode": "on", "paused": True}, "queue paused, 0 waiting", "queue"),
        (
            {"mode": "on", "waiting": 1201, "per_minute": 120},
            "queue: about 11 min, 1,201 waiting",
            "queue",
        ),
        ({"mode": "on", "waiting": 3}, "queue: not moving, 3 waiting", "queue"),
        ({"mode": "on", "opens_at_ms": NOW_MS + 61_000}, "opens in 01:01", "queue"),
        ({"mode": "on", "cancelled": True}, "cancelled", ""),
    ],
)
def test_the_line_about_a_sale_and_its_button_agree(sale, text, next_page):
    said = truth(Sale(**(OPEN | sale)), NOW_MS, ENGLISH)
    assert (said.text, said.next) == (text, next_page)
    assert bool(said.button) == bool(next_page)


@pytest.mark.parametrize(
    ("low_ms", "high_ms", "english", "german"),
    [
        (None, None, "not known yet", "noch offen"),
        (0, 59_999, "under a minute", "unter einer Minute"),
        (30_000, 60_000, "about 1 min", "etwa 1 Min."),
        (61_000, 150_000, "1–3 min", "1–3 Min."),
    ],
)
def test_a_wait_is_an_interval_of_whole_minutes(low_ms, high_ms, english, german):
    assert interval(low_ms, high_ms, ENGLISH) == english
    assert interval(low_ms, high_ms, GERMAN) == german


def test_a_rank_is_an_ordinal():
    ranks = (1, 2, 3, 4, 11, 12, 13, 21, 4212)
    said = ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "4,212th"]
    assert [ordinal(n, ENGLISH) for n in ranks] == said
    assert [ordinal(n, GERMAN) for n in (1, 2, 4212)] == ["1.", "2.", "4.212."]


def test_a_countdown_names_the_days_and_never_runs_below_nothing():
    assert countdown(2 * 86_400_000 + 3_661_000, ENGLISH) == "2 d 01:01:01"
    assert countdown(86_400_001, GERMAN) == "1 T. 00:00:01"
    assert countdown(3_600_000, ENGLISH) == "01:00:00"
    assert countdown(3_599_000, ENGLISH) == "59:59"
    assert countdown(-5, ENGLISH) == "00:00"


@pytest.mark.parametrize(("said", "whole"), [("Soon ", "Soon."), ("Soon!", "Soon!")])
def test_an_operators_words_end_as_a_sentence(said, whole):
    assert whole_sentence(said) == whole
