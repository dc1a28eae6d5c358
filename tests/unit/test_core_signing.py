"""Keys: a MAC is for one purpose and one tuple of fields."""

from hypothesis import given
from hypothesis import strategies as st

from core.signing import Keys
from core.visitor import cookie_value, read_cookie

KEYS = Keys("k" * 32)
FIELDS = st.lists(st.text(max_size=8), min_size=1, max_size=4)


@given(mine=FIELDS, theirs=FIELDS)
def test_a_mac_fits_its_own_fields_and_no_others(mine, theirs):
    mac = KEYS.mac("slip", *mine)
    assert KEYS.mac_ok(mac, "slip", *mine)
    assert KEYS.mac_ok(mac, "slip", *theirs) == (mine == theirs)


def test_moving_a_letter_from_one_field_to_the_next_makes_another_mac():
    assert KEYS.mac("slip", "ab", "c") != KEYS.mac("slip", "a", "bc")


def test_a_mac_of_one_purpose_is_none_of_another():
    assert not KEYS.mac_ok(KEYS.mac("visitor", "x"), "slip", "x")


def test_another_secret_makes_other_macs_and_another_signing_key():
    other = Keys("o" * 32)
    assert other.mac("slip", "x") != KEYS.mac("slip", "x")
    assert other.entry_jwk.kid != KEYS.entry_jwk.kid


def test_a_visitor_cookie_reads_back_and_a_forged_one_does_not():
    subject = "vs_" + "a" * 26
    value = cookie_value(KEYS, subject)
    assert read_cookie(KEYS, value) == subject
    assert read_cookie(KEYS, value.replace("a", "b", 1)) is None
    assert read_cookie(Keys("o" * 32), value) is None


@given(st.text(max_size=80))
def test_reading_a_cookie_never_raises_and_never_trusts(text):
    assert read_cookie(KEYS, text) is None
