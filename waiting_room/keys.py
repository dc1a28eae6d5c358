"""Names of the Redis keys; docs/architecture.md says what each holds.

`{event}` is a hash tag: all keys of an event share a Cluster slot.
"""

from __future__ import annotations

PAGES = ("seen0", "seen1", "seen2", "seen3")  # the page of now first
NAMES = (
    "epoch",
    "settings",
    "state",
    "queue",
    "calling",
    "calls",
    "active",
    "admission",
    "present",
    *PAGES,
    "scratch",
    "refused",
    "log",
    "lobby",
    "departed",
)


def key(event_id: str, name: str) -> str:
    return f"wr:{{{event_id}}}:{name}"


def revoked_key(event_id: str, subject: str) -> str:
    """The reason why an operator ended what this fan had, for as long as the fan is told."""
    return key(event_id, f"revoked:{subject}")


def epoch_key(event_id: str) -> str:
    return key(event_id, "epoch")


def admission_key(event_id: str) -> str:
    """Subject → end of the live admission: what the seat map's hold script asks for."""
    return key(event_id, "active")
