"""Ids and ticket ids: what is accepted is exactly what was made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import is_id, new_id, parse_ticket_id, ticket_id


def test_a_new_id_is_an_id_of_its_prefix_only():
    made = new_id("hd")
    assert is_id("hd", made)
    assert not is_id("bk", made)
    assert made != new_id("hd")


@given(st.integers(0, 999_999))
def test_a_ticket_id_reads_back_as_its_event_and_seat(seat):
    assert parse_ticket_id(ticket_id("ev_arena", seat)) == ("ev_arena", seat)


@pytest.mark.parametrize(
    "text",
    [
        *("", "ev_arena", "ev_arena-", "ev_arena-01", "ev_arena--1", "ev_arena-1e3", "-1"),
        *("arena-1", "ev_arena-" + "9" * 7, "ev_arena-٣", "ev_ARENA-1", "ev_arena-1\n"),
        "ev_" + "a" * 41 + "-1",
    ],
)
def test_what_is_no_ticket_id_is_refused(text):
    assert parse_ticket_id(text) is None


@given(st.text())
def test_parsing_never_raises_whatever_a_client_sends(text):
    parse_ticket_id(text)
