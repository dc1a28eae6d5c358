"""Admission passes and slips: what a fan carries to prove a right without us asking a store.

A **pass** is a JWT (RFC 7519) signed with Ed25519, so that a shop elsewhere verifies it with the
public key of /.well-known/jwks.json. It is bound to fan and event and never outlives the
admission. A **slip** is the signed copy of a place, for the day Redis loses the queue. Both name
their fan and event, so that one which was swapped is told from one which was forged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, OKPKey

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
from waiting_room.passes.policy import FIRST, MAX_PASS_MS, PassKey, signing, verifying

ISSUER, TYPE = "onsale", "JWT"
ALGORITHMS = ["Ed25519"]  # RFC 9864 names what RFC 8037 called EdDSA
MAX_PASS_CHARACTERS = 1024
MAX_SLIP_CHARACTERS = 128
SLIP_FIELDS = 4


@dataclass(frozen=True, slots=True)
class Claims:
    """What a pass says. `binding` is what a shop elsewhere bound it to, '' for nothing."""

    event_id: str
    subject: str
    call_id: str
    ends_ms: int
    binding: str = ""


class Passes:
    """Signs and verifies with the pass keys it was last given; see `policy.py`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.use_keys((FIRST,))

    def use_keys(self, pass_keys: Sequence[PassKey]) -> None:
        """`pass_keys` as PostgreSQL has them, in order."""
        self._pass_keys = tuple(pass_keys)

    def issue(
        self,
        event_id: str,
        subject: str,
        call_id: str,
        *,
        now_ms: int,
        ends_ms: int,
        binding: str = "",
    ) -> str:
        claims = {
            "iss": ISSUER,
            "aud": event_id,
            "sub": subject,
            "jti": call_id,
            "iat": now_ms // 1000,
            # Rounded down: never after the admission's end, and never after its key's.
            "exp": min(ends_ms, now_ms + MAX_PASS_MS) // 1000,
        }
        if binding:
            claims["bnd"] = binding
        key = self._keys.pass_jwk(signing(self._pass_keys, now_ms).number)
        header = {"alg": "Ed25519", "typ": TYPE, "kid": key.kid}
        return jwt.encode(header, claims, key, algorithms=ALGORITHMS)

    def verify(self, text: str, event_id: str, subject: str, *, now_ms: int) -> str:
        """The call id of a pass that is good for this fan here and now.

        Raises PassInvalid, PassOtherEvent, PassOtherFan or PassExpired, in this order.
        """
        claims = self.read(text, now_ms=now_ms)
        if claims.event_id != event_id:
            raise PassOtherEvent
        if claims.subject != subject:
            raise PassOtherFan
        if claims.ends_ms <= now_ms:
            raise PassExpired
        return claims.call_id

    def read(self, text: str, *, now_ms: int) -> Claims:
        """What a pass of ours says, ended or not. Raises PassInvalid for any other text."""
        if len(text) > MAX_PASS_CHARACTERS or not text.isascii():
            raise PassInvalid

        def find(guest: GuestProtocol) -> OKPKey:
            return self._key_of(guest.headers().get("kid"), now_ms)

        try:
            token = jwt.decode(text, find, algorithms=ALGORITHMS)
            claims = token.claims
            named = [claims[name] for name in ("iss", "aud", "sub", "jti")]
            named.append(claims.get("bnd", ""))
            ends_ms = int(claims["exp"]) * 1000
        except (JoseError, ValueError, KeyError, TypeError, OverflowError) as exc:
            raise PassInvalid from exc
        ours = (token.header.get("typ"), named[0]) == (TYPE, ISSUER)  # and no receipt of ours
        if not ours or not all(isinstance(value, str) for value in named):
            raise PassInvalid
        _, event_id, subject, call_id, binding = named
        return Claims(event_id, subject, call_id, ends_ms, binding)

    def public_keys(self, *, now_ms: int) -> dict[str, object]:
        """What jwks.json shows: keys of passes, then the one of entry codes."""
        numbers = [key.number for key in verifying(self._pass_keys, now_ms)]
        keys = [*map(self._keys.pass_jwk, numbers), self._keys.entry_jwk]
        return {"keys": [key.as_dict(private=False) for key in keys]}

    def _key_of(self, kid: object, now_ms: int) -> OKPKey:
        """Also the key after the newest: only who holds the secret can have signed with it, a
        node that has read PostgreSQL since this one has."""
        numbers = [key.number for key in verifying(self._pass_keys, now_ms)]
        for number in (*numbers, numbers[-1] + 1):
            key = self._keys.pass_jwk(number)
            if key.kid == kid:
                return key
        raise PassInvalid

    def slip(self, event_id: str, subject: str, place: int, generation: int) -> str:
        fields = (str(place), str(generation), event_id, subject)
        return ".".join((*fields, self._keys.mac("slip", *fields)))

    def read_slip(self, text: str, event_id: str, subject: str) -> Slip:
        """What a slip of this fan says. Raises BadSlip, SlipOtherEvent, SlipOtherFan, in this
        order."""
        *fields, mac = text.split(".")
        good = len(fields) == SLIP_FIELDS and text.isascii()
        if not (good and self._keys.mac_ok(mac, "slip", *fields)):
            raise BadSlip
        place, generation, event, fan = fields
        if event != event_id:
            raise SlipOtherEvent
        if fan != subject:
            raise SlipOtherFan
        return Slip(int(place), int(generation))
