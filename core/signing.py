"""Keys: one secret, from which every other key of the product is derived.

All nodes that share the secret sign and verify alike, and none has to ask a store. Each purpose
has its own MAC key (HKDF), so that a visitor id can never pass for a slip. MAC input is framed
by lengths: ("ab", "c") and ("a", "bc") differ. Comparison takes constant time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import cache, lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc.jwk import OKPKey

KEY_BYTES = 32
PASS_KEYS_KEPT = 16  # derived ones; a few are in use at a time
MAC_BYTES = 16  # 128 bits of a SHA-256 MAC: enough, and short enough for a cookie or a QR code


class Keys:
    """Derived from `secret`, at least 32 characters. Never log it, never put it in a URL."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._derive = cache(self._derive_key)
        self._ed25519 = Ed25519PrivateKey.from_private_bytes(self._derive("ed25519"))
        self._pass_jwk = lru_cache(PASS_KEYS_KEPT)(self._make_pass_jwk)

    def mac(self, purpose: str, *fields: str) -> str:
        """URL-safe text that only holders of the secret can make for these fields."""
        framed = b"".join(len(f.encode()).to_bytes(4, "big") + f.encode() for f in fields)
        digest = hmac.digest(self._derive(purpose), framed, "sha256")[:MAC_BYTES]
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def mac_ok(self, mac: str, purpose: str, *fields: str) -> bool:
        return hmac.compare_digest(mac.encode(), self.mac(purpose, *fields).encode())

    def sign(self, purpose: str, payload: bytes) -> bytes:
        """64 bytes of Ed25519 that a gate checks with the public key alone."""
        return self._ed25519.sign(purpose.encode() + b"\0" + payload)

    @property
    def entry_jwk(self) -> OKPKey:
        """The key pair that signs entry codes; it stays, since a code is good for months."""
        return _jwk(self._ed25519)

    def pass_jwk(self, number: int) -> OKPKey:
        """Key pair `number` of those that sign passes, one after another; each has its own kid.

        Derived, so that the database knows only numbers and every node makes the same key.
        """
        return self._pass_jwk(number)

    def _make_pass_jwk(self, number: int) -> OKPKey:
        raw = self._derive_key(f"pass key {number}")
        return _jwk(Ed25519PrivateKey.from_private_bytes(raw))

    def _derive_key(self, purpose: str) -> bytes:
        info = f"onsale {purpose}".encode()
        return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=info).derive(self._secret)


def _jwk(pair: Ed25519PrivateKey) -> OKPKey:
    """`as_dict(private=False)` is what jwks.json shows."""
    public = pair.public_key().public_bytes_raw()
    return OKPKey.import_key(
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "Ed25519",
            "kid": hashlib.sha256(public).hexdigest()[:16],
            "x": _b64(public),
            "d": _b64(pair.private_bytes_raw()),
        }
    )


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
