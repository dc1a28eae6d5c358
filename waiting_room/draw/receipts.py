"""Receipts: the fan's proof, to anybody, that an entry was taken into the lobby.

A JWT signed with the key of /.well-known/jwks.json, so that a receipt whose entry is missing from
the published list convicts the operator without the operator's help. It names the event, the
entry and the time, and not the fan: `bound` is a MAC over the fan, by which we alone see whose it
is, when Redis lost the lobby and fans bring their entries back.
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from typing import Any

import orjson
from joserfc import jwt
from starlette.requests import HTTPConnection
from starlette.responses import Response

from core.cookies import cookies_of
from core.ids import is_id
from core.signing import Keys
from waiting_room.errors import BadReceipt
from waiting_room.model import Entry
from waiting_room.passes.signed import ALGORITHMS, ISSUER

TYPE = "draw-receipt+jwt"
MAX_RECEIPT_CHARACTERS = 768
RECEIPT_LIFE_S = 90 * 24 * 3600
KEPT = 20_000  # fans of one node whose receipts need not be signed again

_KEPT = re.compile(r"(en_[a-z0-9]{1,40})\.(\d{1,15})\.([\w-]{1,64})", re.ASCII)


class Receipts:
    def __init__(self, keys: Keys) -> None:
        self._keys, self._jwk = keys, keys.entry_jwk  # it stays, as a receipt's worth does
        self.issue = lru_cache(KEPT)(self._issue)

    def _issue(self, event_id: str, subject: str, entry: Entry) -> str:
        """The same text for the same entry, whoever asks and how often."""
        claims = {
            "iss": ISSUER,
            "aud": event_id,
            "entry": entry.entry_id,
            "joinedAt": entry.joined_at_ms,
            "bound": self._mac(event_id, subject, entry),
        }
        header = {"alg": "Ed25519", "typ": TYPE, "kid": self._jwk.kid}
        return jwt.encode(header, claims, self._jwk, algorithms=ALGORITHMS)

    def read(self, text: str, event_id: str, subject: str) -> Entry:
        """The entry, if this fan got it here. Raises BadReceipt.

        The MAC says all we need to know, so a receipt outlives the key that signed it.
        """
        try:
            entry, mac = _claims(text)
        except (IndexError, KeyError, TypeError, ValueError) as exc:
            raise BadReceipt from exc
        plain = isinstance(mac, str) and mac.isascii() and isinstance(entry.joined_at_ms, int)
        named = isinstance(entry.entry_id, str) and is_id("en", entry.entry_id)
        mine = (event_id, subject, entry)
        if not (plain and named and self._keys.mac_ok(mac, "receipt", *_fields(*mine))):
            raise BadReceipt
        return entry

    def kept(self, text: str, event_id: str, subject: str) -> tuple[Entry, str]:
        """The entry and its receipt, from what `keep_receipt` keeps. Raises BadReceipt."""
        found = _KEPT.fullmatch(text)
        if found is None:
            raise BadReceipt
        entry = Entry(found[1], int(found[2]))
        if not self._keys.mac_ok(found[3], "receipt", *_fields(event_id, subject, entry)):
            raise BadReceipt
        return entry, self.issue(event_id, subject, entry)

    def _mac(self, event_id: str, subject: str, entry: Entry) -> str:
        return self._keys.mac("receipt", *_fields(event_id, subject, entry))


def keep_receipt(connection: HTTPConnection, reply: Response, event_id: str, receipt: str) -> None:
    """For the page of the draw. All calls carry it, so it is short: what a receipt is made of."""
    entry, mac = _claims(receipt)
    kept = f"{entry.entry_id}.{entry.joined_at_ms}.{mac}"
    cookies_of(connection).set(reply, "receipt", kept, life_s=RECEIPT_LIFE_S, event_id=event_id)


def _claims(receipt: str) -> tuple[Entry, Any]:
    """(entry, MAC) as it says them, unchecked."""
    payload = receipt.split(".")[1]
    claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return Entry(claims["entry"], claims["joinedAt"]), claims["bound"]


def _fields(event_id: str, subject: str, entry: Entry) -> tuple[str, ...]:
    return event_id, subject, str(entry)
