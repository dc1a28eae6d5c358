"""What binds is what keeps the next fan from being called: lift it, and it binds no more."""

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from waiting_room.model import RoomSettings
from waiting_room.policy import BINDINGS, FAN, Limits, Pace, binding, calls_open, plan_calls

NOW_MS = 1_000_000
small = st.integers(0, 3)
ROOMS = st.builds(
    RoomSettings,
    mode=st.sampled_from(["off", "auto", "on"]),
    per_minute=st.sampled_from([0, 60, 600]),
    max_active=small,
    accept_ms=st.just(60_000),
    shop_ms=st.just(900_000),
    grace_ms=st.just(120_000),
    paused=st.booleans(),
    pause_reason=st.just(""),
    opens_at_ms=st.sampled_from([0, NOW_MS, NOW_MS + 1]),
    version=st.just(1),
    intake=st.sampled_from(["open", "closed", "draining", "drained"]),
    stopped=st.booleans(),
    resume_at_ms=st.sampled_from([0, NOW_MS, NOW_MS + 1]),
)
EASY = RoomSettings(
    mode="on",
    per_minute=60,
    max_active=3,
    accept_ms=60_000,
    shop_ms=900_000,
    grace_ms=120_000,
    paused=False,
    pause_reason="",
    opens_at_ms=0,
    version=1,
)


def called(room, *, present, busy, tokens):
    """How many the policy calls now with that many tokens."""
    limits = Limits(
        per_minute=room.per_minute,
        max_active=room.max_active,
        open=calls_open(room, now_ms=NOW_MS),
    )
    pace = Pace(tokens=tokens, tokens_at_ms=NOW_MS)
    fresh, replacements, _ = plan_calls(
        pace, limits, now_ms=NOW_MS, busy=busy, present=present, room=10
    )
    return fresh + replacements


@example(room=EASY, present=1, busy=3)
@example(room=EASY, present=0, busy=0)
@example(room=EASY, present=1, busy=0)
@example(room=replace(EASY, stopped=True), present=1, busy=0)
@example(room=replace(EASY, opens_at_ms=NOW_MS + 1), present=1, busy=0)
@example(room=replace(EASY, resume_at_ms=NOW_MS + 1), present=1, busy=0)
@example(room=replace(EASY, paused=True), present=1, busy=0)
@example(room=replace(EASY, mode="off"), present=1, busy=0)
@given(room=ROOMS, present=small, busy=small)
def test_with_a_token_in_hand_somebody_is_called_exactly_where_the_pace_binds(room, present, busy):
    binds = binding(room, now_ms=NOW_MS, present=present, busy=busy)
    may = called(room, present=present, busy=busy, tokens=FAN)
    assert (binds == "pace") == (may == 1)
    assert called(room, present=present, busy=busy, tokens=0) == 0


LIFTED = {
    "stopped": {"stopped": False},
    "early": {"opens_at_ms": 0},
    "restoring": {"resume_at_ms": 0},
    "paused": {"paused": False},
    "off": {"mode": "on"},
}


@given(room=ROOMS, present=small, busy=small)
def test_what_binds_is_one_thing_and_once_lifted_it_binds_no_more(room, present, busy):
    binds = binding(room, now_ms=NOW_MS, present=present, busy=busy)
    assert binds in BINDINGS
    if binds == "cap":
        room = replace(room, max_active=busy + 1)
    elif binds in {"empty", "closed"}:
        present += 1
    elif binds != "pace":
        room = replace(room, **LIFTED[binds])
    after = binding(room, now_ms=NOW_MS, present=present, busy=busy)
    assert BINDINGS.index(after) >= BINDINGS.index(binds)
    assert after != binds or binds == "pace"


@given(room=ROOMS, present=small, busy=small)
def test_whatever_else_holds_a_store_that_does_not_answer_binds_first(room, present, busy):
    told = binding(room, now_ms=NOW_MS, present=present, busy=busy, store_down=True)
    assert told == "store_down"


@given(room=ROOMS, busy=small)
def test_an_empty_queue_that_takes_nobody_new_is_closed_and_not_just_empty(room, busy):
    told = binding(room, now_ms=NOW_MS, present=0, busy=busy)
    assert told != "empty" or room.intake == "open"
    assert told != "closed" or room.intake != "open"
