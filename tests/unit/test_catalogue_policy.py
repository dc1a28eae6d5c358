"""What a search word and a date mean."""

import pytest

from app.catalogue.policy import DAY_MS, fold, parse_instant, prefix_query

MAY_1ST_2027_MS = 1_809_129_600_000


def test_words_match_without_case_and_accents():
    assert fold("SÓLVEIG Straße") == "solveig strasse"


@pytest.mark.parametrize(
    ("keyword", "query"),
    [
        ("north li", "north:* & li:*"),
        ("  a' | !b:* & (c) ", "a:* & b:* & c:*"),
        ("\x00:&|!", ""),
        ("a " * 50, " & ".join(["a:*"] * 8)),
    ],
)
def test_a_keyword_can_hold_no_operator(keyword, query):
    assert prefix_query(keyword) == query


def test_a_date_is_its_midnight_in_utc_and_as_an_end_the_next_one():
    assert parse_instant("2027-05-01") == MAY_1ST_2027_MS
    assert parse_instant("2027-05-01", end=True) == MAY_1ST_2027_MS + DAY_MS
    assert parse_instant(str(MAY_1ST_2027_MS), end=True) == MAY_1ST_2027_MS


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2027-13-01", "2027-5-1", "-1", "1e3", "9" * 15, "9" * 5000, "٢"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_instant(text)
