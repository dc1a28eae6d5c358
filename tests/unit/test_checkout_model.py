"""The booking's state machine as a table, and what a fan is told in each state."""

from typing import get_args

import orjson
import pytest

from app.checkout.bookings.model import MOVES, STATUS, Booking, State
from app.checkout.bookings.service import answer_of

STATES = set(get_args(State))


def booking(state, reason=None):
    return Booking(
        booking_id="bk_1",
        event_id="ev_gig",
        subject="vs_fan",
        hold_id="hd_1",
        state=state,
        reason=reason,
        email="fan@example.org",
        currency="EUR",
        total_minor=1000,
        token="tok_approve",
        payment_id=None,
        attempt=1,
        age_s=0.0,
    )


def reachable(state):
    return {state}.union(*(reachable(after) for after in MOVES[state]))


def test_every_state_is_reached_from_a_claim_and_has_a_status():
    assert set(MOVES) == set(STATUS) == STATES == reachable("claimed")


def test_from_every_state_there_is_a_way_to_an_end():
    ends = {state for state in STATES if not MOVES[state]}
    assert ends == {"captured", "cancelled", "revoked"}
    assert all(reachable(state) & ends for state in STATES)


def test_what_was_captured_is_never_given_away_and_what_is_freed_never_sold():
    assert reachable("captured") == {"captured"}
    assert "captured" not in reachable("cancelling") | reachable("revoking")


def test_a_claim_that_was_given_up_is_never_confirmed():
    assert "confirmed" not in reachable("cancelling")


@pytest.mark.parametrize(
    ("state", "reason", "status", "word"),
    [
        ("claimed", None, 202, "pending"),
        ("cancelling", "payment_declined", 202, "pending"),
        ("confirmed", None, 201, "confirmed"),
        ("captured", None, 201, "confirmed"),
        ("cancelled", "payment_timeout", 201, "cancelled"),
        ("revoked", "not_captured", 201, "revoked"),
        ("cancelled", "payment_declined", 402, 402),
        ("cancelled", "event_closed", 409, 409),
    ],
)
def test_the_answer_tells_how_the_booking_stands(state, reason, status, word):
    told, body = answer_of(booking(state, reason))
    assert (told, orjson.loads(body)["status"]) == (status, word)
