"""A channel: frames published once, written to all members, each at its own speed.

There is no queue per client. The channel keeps one ring of the last frames, each with the
position it brings a member to. A member is *live* or *late*:

- live members have everything up to `sent`, and nothing is stored for them but their membership;
- late ones (just come, or skipped while their socket was full) have a position of their own, and
  are brought to the head with one merged frame, or with a snapshot when the ring no longer
  reaches back to them.

So a slow client costs nothing but its own lag. A frame is encoded once, by whoever publishes it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.live.connection import Connection

MAX_CATCH_UP_BYTES = 64 * 1024  # more than that in frames, and a late member gets a snapshot

Merge = Callable[[Sequence[Any]], bytes]


class Channel:
    """Positions only rise. All members speak one protocol: frames are SSE or WebSocket bytes."""

    def __init__(
        self,
        ring: int,
        *,
        head: int = 0,
        snapshot: Callable[[], bytes] | None = None,
        merge: Merge | None = None,
    ) -> None:
        """
        Args:
            ring: Frames kept for late members.
            snapshot: The frame that brings anybody to the head, asked at most once a tick; None
                for a channel that has none, whose late members start at the head.
            merge: Makes one frame of what was published as `part` with several; None joins them.
        """
        self._frames: deque[tuple[int, int, bytes, Any]] = deque(maxlen=ring)  # from, to, …
        self._snapshot, self._merge = snapshot, merge
        self.head = self.sent = head
        self.live: set[Connection] = set()
        self.late: set[Connection] = set()
        self.on_change: Callable[[Channel], None] = _nobody_listens  # the hub's, while it serves it
        self.changed_at = 0.0  # of the oldest frame that is not sent yet, monotonic s
        self.sent_at = float("-inf")
        self.tick_s = 0.0  # how often the hub writes now: to publish more often is in vain

    @property
    def members(self) -> int:
        return len(self.live) + len(self.late)

    def publish(self, position: int, frame: bytes, part: object = None) -> None:
        """`frame` brings a member from `head` to `position`; `part` is what `merge` gets of it."""
        assert position > self.head
        if self.sent == self.head:
            self.changed_at = time.monotonic()
        self._frames.append((self.head, position, frame, part))
        self.head = position
        self.on_change(self)

    def reset(self) -> None:
        """Begin anew, after a repair: every member is owed a snapshot.

        The head rises, so that a position from before is none of now.
        """
        self._frames.clear()
        self.head = self.sent = self.head + 1
        self.late |= self.live
        self.live.clear()
        for member in self.late:
            member.position = None
        self.on_change(self)

    def join(self, member: Connection, after: int | None) -> None:
        """`member` has everything up to `after`; None: it needs a snapshot."""
        member.position = after
        self.late.add(member)
        self.on_change(self)

    def leave(self, member: Connection) -> None:
        """Safe to repeat."""
        self.live.discard(member)
        self.late.discard(member)

    def fell_behind(self, member: Connection, after: int) -> None:
        """A live member whose socket was full when what comes after `after` was written."""
        if member in self.live:
            self.live.remove(member)
            member.position = after
            self.late.add(member)

    def caught_up(self, member: Connection) -> None:
        """A late member was written all it was owed up to `sent`."""
        self.late.remove(member)
        self.live.add(member)

    def since(self, after: int) -> bytes | None:
        """The frames after a position as one; None when they are no longer all kept."""
        if after == self.head:
            return b""
        owed: list[tuple[bytes, Any]] = []
        size = 0
        for begin, _, frame, part in reversed(self._frames):  # most are owed only the last
            size += len(frame)
            if begin < after or (size > MAX_CATCH_UP_BYTES and owed and self._snapshot):
                break
            owed.append((frame, part))
            if begin == after:
                return self._as_one(owed[::-1])
        return None

    def snapshot(self) -> bytes:
        return self._snapshot() if self._snapshot is not None else b""

    def _as_one(self, owed: Sequence[tuple[bytes, Any]]) -> bytes:
        if len(owed) == 1 or self._merge is None:
            return b"".join(frame for frame, _ in owed)
        return self._merge([part for _, part in owed])


def _nobody_listens(_: Channel) -> None:
    """No hub serves this channel yet: its first member brings one."""
