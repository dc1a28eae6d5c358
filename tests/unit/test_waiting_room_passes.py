"""A pass and a slip are good for one fan, one event and a time; each other use is told apart."""

import base64
import hmac
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt

from core.signing import Keys
from waiting_room.errors import (
    BadSlip,
    PassExpired,
    PassInvalid,
    PassOtherEvent,
    PassOtherFan,
    SlipOtherEvent,
    SlipOtherFan,
)
from waiting_room.model import Slip
from waiting_room.passes.signed import MAX_PASS_CHARACTERS, MAX_SLIP_CHARACTERS, Passes

EVENT, FAN, CALL = "ev_gig", "vs_fan", "ad_1"
NOW_MS = 1_900_000_000_000
ENDS_MS = NOW_MS + 60_999


def encoded(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture
def passes():
    return Passes(Keys("s" * 32))


@pytest.fixture
def issued(passes):
    return passes.issue(EVENT, FAN, CALL, now_ms=NOW_MS, ends_ms=ENDS_MS)


def test_a_pass_names_its_admission_to_its_fan_at_its_event(passes, issued):
    assert passes.verify(issued, EVENT, FAN, now_ms=NOW_MS) == CALL


def test_a_pass_ends_no_later_than_its_admission(passes, issued):
    with pytest.raises(PassExpired):
        passes.verify(issued, EVENT, FAN, now_ms=ENDS_MS)
    passes.verify(issued, EVENT, FAN, now_ms=ENDS_MS - 1_000)


def test_a_pass_of_another_fan_or_event_is_told_apart(passes, issued):
    with pytest.raises(PassOtherFan):
        passes.verify(issued, EVENT, "vs_other", now_ms=NOW_MS)
    with pytest.raises(PassOtherEvent):
        passes.verify(issued, "ev_other", FAN, now_ms=NOW_MS)


@pytest.mark.parametrize("text", ["x", "a.b.c", "ä", "x" * (MAX_PASS_CHARACTERS + 1), "..", "{}"])
def test_what_is_no_pass_is_invalid(passes, text):
    with pytest.raises(PassInvalid):
        passes.verify(text, EVENT, FAN, now_ms=NOW_MS)


def test_a_pass_signed_by_another_house_is_invalid(passes):
    forged = Passes(Keys("t" * 32)).issue(EVENT, FAN, CALL, now_ms=NOW_MS, ends_ms=ENDS_MS)
    with pytest.raises(PassInvalid):
        passes.verify(forged, EVENT, FAN, now_ms=NOW_MS)


def test_a_pass_with_one_letter_changed_is_invalid(passes, issued):
    head, claims, signature = issued.split(".")
    changed = ("A" if claims[5] != "A" else "B").join((claims[:5], claims[6:]))
    with pytest.raises(PassInvalid):
        passes.verify(f"{head}.{changed}.{signature}", EVENT, FAN, now_ms=NOW_MS)


@pytest.mark.parametrize(
    "claims", [{"iss": "other"}, {"exp": "soon"}, {"exp": None}, {"sub": 7}, {"bnd": ["x"]}]
)
def test_claims_that_are_not_ours_are_invalid_although_the_key_is(claims):
    keys = Keys("s" * 32)
    full = {"iss": "onsale", "aud": EVENT, "sub": FAN, "jti": CALL, "exp": ENDS_MS // 1000}
    key = keys.pass_jwk(1)
    header = {"alg": "Ed25519", "typ": "JWT", "kid": key.kid}
    text = jwt.encode(header, full | claims, key, algorithms=["Ed25519"])
    with pytest.raises(PassInvalid):
        Passes(keys).verify(text, EVENT, FAN, now_ms=NOW_MS)


OURS = Keys("s" * 32)
KID = OURS.pass_jwk(1).kid
REAL = Ed25519PrivateKey.from_private_bytes(decoded(OURS.pass_jwk(1).as_dict(private=True)["d"]))
PUBLIC = OURS.pass_jwk(1).as_dict(private=False)
FORGER = Ed25519PrivateKey.generate()
FORGERS = {"kty": "OKP", "crv": "Ed25519", "x": encoded(FORGER.public_key().public_bytes_raw())}


def hs256(secret):
    return lambda signed: hmac.digest(secret, signed, "sha256")


@pytest.mark.parametrize(
    ("header", "sign"),
    [
        ({"alg": "none"}, lambda _: b""),
        ({"alg": "None"}, lambda _: b""),
        ({}, REAL.sign),
        ({"alg": ["Ed25519"]}, REAL.sign),
        ({"alg": "EdDSA"}, REAL.sign),  # one name for one algorithm
        ({"alg": "HS256"}, hs256(decoded(PUBLIC["x"]))),
        ({"alg": "HS256"}, hs256(json.dumps(PUBLIC).encode())),
        ({"alg": "Ed25519"}, FORGER.sign),
        ({"alg": "Ed25519", "kid": None}, REAL.sign),
        ({"alg": "Ed25519", "kid": "../../dev/null"}, REAL.sign),
        ({"alg": "Ed25519", "kid": "' or 1=1 --"}, REAL.sign),
        ({"alg": "Ed25519", "kid": [KID]}, REAL.sign),
        ({"alg": "Ed25519", "kid": {"x": KID}}, REAL.sign),
        ({"alg": "Ed25519", "kid": OURS.entry_jwk.kid}, REAL.sign),
        ({"alg": "Ed25519", "kid": OURS.pass_jwk(3).kid}, REAL.sign),
        ({"alg": "Ed25519", "jwk": FORGERS}, FORGER.sign),
        ({"alg": "Ed25519", "jku": "https://evil.example/jwks.json"}, FORGER.sign),
        ({"alg": "Ed25519", "x5u": "https://evil.example/cert"}, FORGER.sign),
        ({"alg": "Ed25519", "x5c": ["AAAA"]}, FORGER.sign),
        ({"alg": "Ed25519", "crit": ["exp"], "exp": 1}, REAL.sign),
        ({"alg": "Ed25519", "crit": ["made-up"], "made-up": 1}, REAL.sign),
        ({"alg": "Ed25519", "crit": ["b64"], "b64": False}, REAL.sign),
        ({"alg": "Ed25519", "zip": "DEF"}, REAL.sign),
        ({"alg": "Ed25519", "typ": "draw-receipt+jwt"}, REAL.sign),
        ({"alg": "Ed25519", "typ": None}, REAL.sign),
        ({"alg": "Ed25519", "enc": "A256GCM"}, lambda _: b""),
    ],
)
def test_no_header_talks_the_signature_away(passes, header, sign):
    claims = {"iss": "onsale", "aud": EVENT, "sub": FAN, "jti": CALL, "exp": ENDS_MS // 1000}
    full = {"typ": "JWT", "kid": KID} | header
    signed = ".".join(encoded(json.dumps(part).encode()) for part in (full, claims))
    with pytest.raises(PassInvalid):
        passes.verify(f"{signed}.{encoded(sign(signed.encode()))}", EVENT, FAN, now_ms=NOW_MS)


@pytest.mark.parametrize("change", ["{}=", "{}.", "{}\n", " {}", "{}.x", "{}\0", ".{}"])
def test_a_pass_is_written_in_one_way(passes, issued, change):
    with pytest.raises(PassInvalid):
        passes.verify(change.format(issued), EVENT, FAN, now_ms=NOW_MS)


def test_no_bit_of_a_pass_can_be_changed(passes, issued):
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for at, letter in enumerate(issued):
        if letter != ".":
            other = letters[(letters.index(letter) ^ 32) % 64]
            with pytest.raises(PassInvalid):
                passes.read(issued[:at] + other + issued[at + 1 :], now_ms=NOW_MS)


def test_the_published_keys_hold_no_secret(passes):
    for published in passes.public_keys(now_ms=NOW_MS)["keys"]:
        assert published["crv"] == "Ed25519"
        assert "d" not in published


def test_a_pass_can_be_read_after_its_end_by_whoever_wants_to_end_its_admission(passes, issued):
    claims = passes.read(issued, now_ms=ENDS_MS + 1)
    assert (claims.event_id, claims.subject, claims.call_id) == (EVENT, FAN, CALL)


def test_a_slip_gives_back_its_place_and_generation(passes):
    slip = passes.slip(EVENT, FAN, 41, 3)
    assert passes.read_slip(slip, EVENT, FAN) == Slip(41, 3)


def test_the_longest_slip_is_within_what_a_join_takes(passes):
    longest = "ev_" + "a" * 40, "vs_" + "a" * 26, 10**15 - 1, 10**15 - 1
    assert len(passes.slip(*longest)) <= MAX_SLIP_CHARACTERS


@pytest.mark.parametrize(
    "change",
    [
        lambda slip: slip.replace("41.", "40.", 1),
        lambda slip: slip.replace(".3.", ".2.", 1),
        lambda slip: slip.replace(EVENT, "ev_other"),
        lambda slip: slip.replace(FAN, "vs_other"),
        lambda slip: slip.replace(".", "", 1),
        lambda slip: slip + ".x",
        lambda slip: slip[:-1],
        lambda slip: "41",
        lambda slip: "",
        lambda slip: "4" * 5000 + ".3.x",
        lambda slip: "٤١" + slip[2:],
        lambda slip: slip + "ä",
    ],
)
def test_a_slip_that_was_changed_is_refused(passes, change):
    with pytest.raises(BadSlip):
        passes.read_slip(change(passes.slip(EVENT, FAN, 41, 3)), EVENT, FAN)


def test_a_slip_of_another_fan_or_event_is_told_apart(passes):
    slip = passes.slip(EVENT, FAN, 41, 3)
    with pytest.raises(SlipOtherFan):
        passes.read_slip(slip, EVENT, "vs_other")
    with pytest.raises(SlipOtherEvent):
        passes.read_slip(slip, "ev_other", FAN)
