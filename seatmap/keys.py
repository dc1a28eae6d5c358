"""Names of an event's seat-map keys in Redis. docs/architecture.md says what each holds.

The event id is a hash tag: all keys of one event share a Cluster slot, so every script is atomic.
"""

from __future__ import annotations

PARTS = ("epoch", "states", "revs", "meta", "log", "holds", "holders", "ends")


def key(event_id: str, part: str) -> str:
    return f"sm:{{{event_id}}}:{part}"


def epoch_key(event_id: str) -> str:
    return key(event_id, "epoch")


def lock_prefix(event_id: str) -> str:
    """A seat's lock is this and its index; scripts derive it (decision 0002)."""
    return key(event_id, "lock:")


def every_key(event_id: str) -> dict[str, str]:
    """The keys that most scripts take, by the names of their headers."""
    return {part: key(event_id, part) for part in PARTS} | {"lock": lock_prefix(event_id)}
