"""Keys of passes rotate, and nobody is dropped: laws over all rotations and times."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.signing import Keys
from waiting_room.errors import PassInvalid
from waiting_room.passes.policy import (
    CLOCKS_APART_MS,
    DAY_MS,
    MAX_PASS_MS,
    PUBLISH_AHEAD_MS,
    PassKey,
    rotation_due,
    signing,
    verifying,
)
from waiting_room.passes.signed import Passes

KEYS = Keys("s" * 32)
EVENT, FAN, CALL = "ev_gig", "vs_fan", "ad_1"
DAY_ONE = 1_900_000_000_000

GAPS = st.lists(st.integers(1, 3 * MAX_PASS_MS), max_size=5)
LATER = st.integers(0, 12 * MAX_PASS_MS)


def rotations(gaps):
    """Key 1, then one more after each gap."""
    keys = [PassKey(1, DAY_ONE)]
    for gap_ms in gaps:
        keys.append(PassKey(len(keys) + 1, keys[-1].signs_from_ms + gap_ms))
    return keys


def passes_of(keys):
    passes = Passes(KEYS)
    passes.use_keys(keys)
    return passes


def kids(passes, now_ms):
    return {key["kid"] for key in passes.public_keys(now_ms=now_ms)["keys"]}


@given(gaps=GAPS, issued=LATER, age_ms=st.integers(0, MAX_PASS_MS - 1))
def test_a_pass_verifies_until_its_end_whatever_rotates_meanwhile(gaps, issued, age_ms):
    passes, now_ms = passes_of(rotations(gaps)), DAY_ONE + issued
    issued_pass = passes.issue(EVENT, FAN, CALL, now_ms=now_ms, ends_ms=now_ms + 10 * MAX_PASS_MS)
    ends_ms = passes.read(issued_pass, now_ms=now_ms).ends_ms
    then_ms = min(now_ms + age_ms, ends_ms - 1)
    assert passes.verify(issued_pass, EVENT, FAN, now_ms=then_ms) == CALL


@given(gaps=GAPS, now=LATER, apart_ms=st.integers(-CLOCKS_APART_MS, CLOCKS_APART_MS))
def test_what_signs_is_published_also_by_a_node_whose_clock_differs(gaps, now, apart_ms):
    keys, now_ms = rotations(gaps), DAY_ONE + now
    assert signing(keys, now_ms) in verifying(keys, now_ms + apart_ms)


@given(gaps=GAPS, now=LATER)
def test_a_key_is_retired_once_its_last_pass_has_ended(gaps, now):
    keys, now_ms = rotations(gaps), DAY_ONE + now
    for key, successor in pairwise(keys):
        gone_ms = successor.signs_from_ms + MAX_PASS_MS + CLOCKS_APART_MS
        assert (key in verifying(keys, now_ms)) == (now_ms < gone_ms)


def test_a_key_is_published_before_it_signs():
    keys = [PassKey(1, 0), PassKey(2, DAY_ONE + PUBLISH_AHEAD_MS)]
    passes = passes_of(keys)
    assert KEYS.pass_jwk(2).kid in kids(passes, DAY_ONE)
    assert signing(keys, DAY_ONE).number == 1
    assert signing(keys, DAY_ONE + PUBLISH_AHEAD_MS).number == 2


def test_a_node_that_has_not_heard_of_the_rotation_accepts_the_next_key_and_no_further():
    behind = passes_of([PassKey(1, 0)])
    for number, good in ((2, True), (3, False)):
        ahead = passes_of([PassKey(1, 0), PassKey(number, 1)])
        text = ahead.issue(EVENT, FAN, CALL, now_ms=DAY_ONE, ends_ms=DAY_ONE + 60_000)
        if good:
            assert behind.verify(text, EVENT, FAN, now_ms=DAY_ONE) == CALL
        else:
            with pytest.raises(PassInvalid):
                behind.verify(text, EVENT, FAN, now_ms=DAY_ONE)


def test_a_pass_of_a_retired_key_is_refused_although_its_signature_is_good():
    text = Passes(KEYS).issue(EVENT, FAN, CALL, now_ms=DAY_ONE, ends_ms=DAY_ONE + 60_000)
    long_after = DAY_ONE + MAX_PASS_MS + CLOCKS_APART_MS
    with pytest.raises(PassInvalid):
        passes_of([PassKey(1, 0), PassKey(2, DAY_ONE)]).read(text, now_ms=long_after)


@pytest.mark.parametrize(
    ("age_ms", "days", "due"),
    [(DAY_MS - 1, 1, False), (DAY_MS, 1, True), (10 * DAY_MS, 0, False), (-1, 1, False)],
)
def test_a_rotation_is_due_by_age_unless_that_is_switched_off(age_ms, days, due):
    assert rotation_due([PassKey(1, DAY_ONE)], DAY_ONE + age_ms, days=days) == due


def test_keys_of_two_numbers_or_secrets_differ():
    made = {KEYS.pass_jwk(n).kid for n in (1, 2)} | {Keys("t" * 32).pass_jwk(1).kid}
    assert len({*made, KEYS.entry_jwk.kid}) == 4
