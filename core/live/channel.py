"""A channel: frames published once, read by any number of clients at their own speed.

There is no queue per client. The channel keeps one ring of the last frames, each with the
position it brings a reader to, and a subscription is no more than a position: a slow client
costs nothing but its own lag, and one that fell out of the ring is told so and gets a snapshot.
A frame is encoded once, by whoever publishes it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Self


class Channel:
    """Positions only rise. `reset` begins anew after a repair and makes all readers lagging."""

    def __init__(self, ring: int, *, head: int = 0) -> None:
        self._frames: deque[tuple[int, int, bytes]] = deque(maxlen=ring)  # from, to, frame
        self._changed = asyncio.Event()
        self.head = head
        self.life = 0  # raised by reset: positions of two lives do not compare
        self.readers = 0

    def publish(self, position: int, frame: bytes) -> None:
        """`frame` brings a reader from `head` to `position`."""
        assert position > self.head
        self._frames.append((self.head, position, frame))
        self.head = position
        self._wake()

    def reset(self, head: int) -> None:
        self._frames.clear()
        self.head, self.life = head, self.life + 1
        self._wake()

    def subscribe(self, after: int | None) -> Subscription:
        """A reader that has everything up to `after`; None when it needs a snapshot first."""
        return Subscription(self, after)

    def since(self, after: int) -> bytes | None:
        """The joined frames after a position; None when they are no longer all kept."""
        if after == self.head:
            return b""
        owed: list[bytes] = []
        for begin, _, frame in reversed(self._frames):  # most readers are owed only the last
            if begin < after:
                break
            owed.append(frame)
            if begin == after:
                return b"".join(reversed(owed))
        return None

    async def changed(self) -> None:
        await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Subscription:
    """One reader. Use it as a context manager, so that `readers` counts the live ones."""

    __slots__ = ("_after", "_channel", "_life")

    def __init__(self, channel: Channel, after: int | None) -> None:
        self._channel, self._after, self._life = channel, after, channel.life

    def __enter__(self) -> Self:
        self._channel.readers += 1
        return self

    def __exit__(self, *exc: object) -> None:
        self._channel.readers -= 1

    async def next(self) -> bytes | None:
        """Wait for news; the joined frames, or None: send a snapshot, then `jump`."""
        channel = self._channel
        while self._after == channel.head and self._life == channel.life:
            await channel.changed()
        owed = None
        if self._after is not None and self._life == channel.life:
            owed = channel.since(self._after)
        if owed is not None:
            self._after = channel.head
        return owed

    def jump(self) -> None:
        """The client has just been given a snapshot of the channel's head."""
        self._after, self._life = self._channel.head, self._channel.life
