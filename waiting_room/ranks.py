"""Ranks from memory: one bit for each place, running counts for each block.

The rank of a place is how many present places lie below it, plus one: a prefix count. A node
keeps a copy of Redis' bitmap and applies the log's changes to it, so that the rank of a waiting
fan never costs Redis a command. A million places are 125 kB and a rank is one sum over blocks
and one popcount of at most half a kilobyte.
"""

from __future__ import annotations

from itertools import accumulate

BLOCK_BYTES = 512
BLOCK_PLACES = BLOCK_BYTES * 8


class RankIndex:
    """`load` a snapshot, `set` changes, ask `rank`. Bits are numbered as Redis numbers them."""

    def __init__(self) -> None:
        self.load(b"")

    def load(self, bitmap: bytes) -> None:
        blocks = -(-len(bitmap) // BLOCK_BYTES)
        self._bits = bytearray(bitmap.ljust(blocks * BLOCK_BYTES, b"\0"))
        self._counts = [self._popcount(b * BLOCK_BYTES, BLOCK_BYTES) for b in range(blocks)]
        self._below: list[int] | None = None

    @property
    def present(self) -> int:
        return sum(self._counts)

    def set(self, place: int, bit: bool) -> None:
        """Safe to repeat: a bit that is so already changes nothing."""
        byte, mask = place >> 3, 0x80 >> (place & 7)
        while byte >= len(self._bits):
            self._bits.extend(bytes(BLOCK_BYTES))
            self._counts.append(0)
        if bool(self._bits[byte] & mask) == bit:
            return
        self._bits[byte] ^= mask
        self._counts[place // BLOCK_PLACES] += 1 if bit else -1
        self._below = None

    def rank(self, place: int) -> int:
        """1 for the first present place; for an absent one, the rank it would come back to."""
        block = min(place // BLOCK_PLACES, len(self._counts))
        if self._below is None:
            self._below = [0, *accumulate(self._counts)]
        if block == len(self._counts):
            return self._below[block] + 1
        start, byte = block * BLOCK_BYTES, place >> 3
        inside = self._popcount(start, byte - start)
        partial = self._bits[byte] >> (8 - (place & 7))
        return self._below[block] + inside + partial.bit_count() + 1

    def _popcount(self, start: int, size: int) -> int:
        return int.from_bytes(self._bits[start : start + size], "big").bit_count()
