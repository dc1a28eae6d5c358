"""Admission passes and slips: what a fan carries to prove a right without us asking a store.

A **pass** is a JWT (RFC 7519) signed with Ed25519, so that a shop elsewhere verifies it with the
public key of /.well-known/jwks.json. It is bound to fan and event and never outlives the
admission. A **slip** is the signed copy of a place, for the day Redis loses the queue.
"""

from __future__ import annotations

from joserfc import jwt
from joserfc.errors import JoseError

from core.signing import Keys
from waiting_room.errors import BadSlip, PassExpired, PassInvalid, PassOtherEvent, PassOtherFan

ISSUER = "onsale"
ALGORITHMS = ["Ed25519"]  # RFC 9864 names what RFC 8037 called EdDSA
MAX_PASS_CHARACTERS = 1024
MAX_SLIP_CHARACTERS = 128
MAX_DIGITS = 15


class Passes:
    def __init__(self, keys: Keys) -> None:
        self._keys, self._jwk = keys, keys.ed25519_jwk

    def issue(self, event_id: str, subject: str, call_id: str, *, now_ms: int, ends_ms: int) -> str:
        claims = {
            "iss": ISSUER,
            "aud": event_id,
            "sub": subject,
            "jti": call_id,
            "iat": now_ms // 1000,
            "exp": ends_ms // 1000,  # rounded down: never after the admission's end
        }
        header = {"alg": "Ed25519", "typ": "JWT", "kid": self._jwk.kid}
        return jwt.encode(header, claims, self._jwk, algorithms=ALGORITHMS)

    def verify(self, text: str, event_id: str, subject: str, *, now_ms: int) -> str:
        """The call id of a pass that is good for this fan here and now.

        Raises PassInvalid, PassOtherEvent, PassOtherFan or PassExpired, in this order.
        """
        if len(text) > MAX_PASS_CHARACTERS or not text.isascii():
            raise PassInvalid
        try:
            claims = jwt.decode(text, self._jwk, algorithms=ALGORITHMS).claims
            aud, sub, jti = (claims[name] for name in ("aud", "sub", "jti"))
            ends_ms = int(claims["exp"]) * 1000
        except (JoseError, ValueError, KeyError, TypeError) as exc:
            raise PassInvalid from exc
        if claims.get("iss") != ISSUER:
            raise PassInvalid
        if aud != event_id:
            raise PassOtherEvent
        if sub != subject:
            raise PassOtherFan
        if ends_ms <= now_ms:
            raise PassExpired
        return str(jti)

    def public_keys(self) -> dict[str, object]:
        return {"keys": [self._jwk.as_dict(private=False)]}

    def slip(self, event_id: str, subject: str, place: int, generation: int) -> str:
        mac = self._keys.mac("slip", event_id, subject, str(place), str(generation))
        return f"{place}.{generation}.{mac}"

    def read_slip(self, text: str, event_id: str, subject: str) -> tuple[int, int]:
        """(place, generation it was given in). Raises BadSlip."""
        place, _, rest = text.partition(".")
        generation, _, mac = rest.partition(".")
        plain = all(
            n.isascii() and n.isdigit() and len(n) <= MAX_DIGITS for n in (place, generation)
        )
        fields = (event_id, subject, place, generation)
        if not (plain and mac.isascii() and self._keys.mac_ok(mac, "slip", *fields)):
            raise BadSlip
        return int(place), int(generation)
