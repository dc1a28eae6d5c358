"""What a page says about a sale is so: its line, and where its button leads."""

import pytest

from app.pages.words import Sale, truth

NOW_MS = 1_000_000
OPEN = {"opens_at_ms": 0, "seats": 100, "free": 50}


@pytest.mark.parametrize(
    ("sale", "text", "next_page"),
    [
        ({"mode": "off"}, "on sale, no queue", "seats"),
        ({"mode": "auto"}, "on sale, no queue", "queue"),
        ({"mode": "on"}, "queue: nobody waiting", "queue"),
        ({"mode": "on", "free": 4}, "few left", "queue"),
        ({"mode": "on", "free": 0}, "sold out", "seats"),
        ({"mode": "on", "free": None}, "queue: nobody waiting", "queue"),
        ({"mode": "on", "paused": True}, "queue paused, 0 waiting", "queue"),
        (
            {"mode": "on", "waiting": 1201, "per_minute": 120},
            "queue: about 11 min, 1,201 waiting",
            "queue",
        ),
        ({"mode": "on", "waiting": 3}, "queue: not moving, 3 waiting", "queue"),
        ({"mode": "on", "opens_at_ms": NOW_MS + 61_000}, "opens in 00:01:01", "queue"),
        ({"mode": "on", "cancelled": True}, "cancelled", ""),
    ],
)
def test_the_line_about_a_sale_and_its_button_agree(sale, text, next_page):
    said = truth(Sale(**(OPEN | sale)), NOW_MS)
    assert (said.text, said.next) == (text, next_page)
    assert bool(said.button) == bool(next_page)
