"""Which key signs passes and which still verify them: pure, the time is an argument.

    published ──PUBLISH_AHEAD──► signs ──until the next one does──► verifies ──► retired

Keys have numbers and are derived from the secret (`core.signing`), so a rotation is one new
number. A key is published before it signs: a shop that asks for jwks.json now and then knows it
in time. It verifies until the last pass it signed has ended, so a rotation drops nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PUBLISH_AHEAD_MS = 10 * 60_000  # twice as long as jwks.json may be kept
MAX_PASS_MS = 60 * 60_000  # a pass is renewed before that
CLOCKS_APART_MS = 60_000  # between two nodes, or a node and a shop
DAY_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class PassKey:
    number: int
    signs_from_ms: int


FIRST = PassKey(1, 0)


def signing(keys: Sequence[PassKey], now_ms: int) -> PassKey:
    """The newest that signs by now. `keys` rise by number and are not empty."""
    signs = [key for key in keys if key.signs_from_ms <= now_ms]
    return signs[-1] if signs else keys[0]


def verifying(keys: Sequence[PassKey], now_ms: int) -> list[PassKey]:
    """Those whose passes may still live, and those published for later."""
    retired_at = [later.signs_from_ms + MAX_PASS_MS + CLOCKS_APART_MS for later in keys[1:]]
    old = [key for key, at_ms in zip(keys, retired_at, strict=False) if now_ms < at_ms]
    return [*old, keys[-1]]


def rotation_due(keys: Sequence[PassKey], now_ms: int, *, days: int) -> bool:
    """Whether the newest has signed for so long. 0 days: never by age."""
    return days > 0 and now_ms - keys[-1].signs_from_ms >= days * DAY_MS
