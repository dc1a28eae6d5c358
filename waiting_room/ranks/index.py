"""Ranks from memory: one bit for each place, running counts for each word of 64.

The rank of a place is how many present places lie below it, plus one: a prefix count. A node
keeps a copy of Redis' bitmap and applies the log's changes to it, so that the rank of a waiting
fan never costs Redis a command. A million places are 125 kB of bits and as much of counts; the
counts are made anew when bits have changed, which takes less time than finding out which did.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]
WORD = 64
TOP_BIT = np.uint64(1 << (WORD - 1))  # Redis numbers bits from the top of a byte
SPARE = 1024  # words more than asked for, so that growing is rare


class RankIndex:
    """`load` a snapshot, `set` changes, ask `rank` or `ranks`.

    The last word is always empty: it stands for all places beyond.
    """

    def __init__(self) -> None:
        self.load(b"")

    def load(self, bitmap: bytes) -> None:
        padded = bitmap.ljust((len(bitmap) // 8 + 2) * 8, b"\0")
        self._words = np.frombuffer(padded, ">u8").astype(np.uint64)
        self._below: Places | None = None

    def bitmap(self) -> bytes:
        """As `load` takes it."""
        return self._words.astype(">u8").tobytes().rstrip(b"\0")

    @property
    def present(self) -> int:
        return int(self._counts()[-1])

    def set(self, places: Collection[int], bit: bool) -> None:
        """Safe to repeat: a bit that is so already changes nothing."""
        if not places:
            return
        given = np.fromiter(places, np.int64, len(places))
        words, masks = given // WORD, _masks(given)
        missing = int(words.max()) + 2 - len(self._words)
        if missing > 0:
            self._words = np.append(self._words, np.zeros(missing + SPARE, np.uint64))
        if bit:
            np.bitwise_or.at(self._words, words, masks)
        else:
            np.bitwise_and.at(self._words, words, ~masks)
        self._below = None

    def rank(self, place: int) -> int:
        """1 for the first present place; for an absent one, the rank it would come back to."""
        word = min(place // WORD, len(self._words) - 1)
        lower = int(self._words[word]) >> (WORD - place % WORD)
        return int(self._counts()[word]) + lower.bit_count() + 1

    def ranks(self, places: Places) -> Places:
        """The rank of each, as `rank` gives it: all at once, for all fans of a node."""
        words = np.minimum(places // WORD, len(self._words) - 1)
        before = ~((_masks(places) << np.uint64(1)) - np.uint64(1))  # the bits before its own
        lower = np.bitwise_count(self._words[words] & before)
        ranks: Places = self._counts()[words] + lower + 1
        return ranks

    def has(self, places: Places) -> npt.NDArray[np.bool_]:
        """For each place, whether it is present."""
        words = np.minimum(places // WORD, len(self._words) - 1)
        here: npt.NDArray[np.bool_] = (self._words[words] & _masks(places)) != 0
        return here

    def places(self) -> Places:
        """Those present, in order."""
        bits = np.unpackbits(self._words.astype(">u8").view(np.uint8))
        return np.flatnonzero(bits)

    def gone_from(self, later: RankIndex) -> Places:
        """Places that are present here and not in `later`."""
        gone = RankIndex()
        gone._words = self._words.copy()
        shared = min(len(self._words), len(later._words))
        gone._words[:shared] &= ~later._words[:shared]
        return gone.places()

    def _counts(self) -> Places:
        """For each word, the present places below it."""
        if self._below is None:
            counts = np.bitwise_count(self._words)
            self._below = np.zeros(len(counts), np.int64)
            np.cumsum(counts[:-1], out=self._below[1:])
        return self._below


def ranges_of(runs: str) -> Iterator[range]:
    """The runs of a log entry: '7 9-12' is 7 to 7 and 9 to 12."""
    for run in runs.split():
        first, _, last = run.partition("-")
        yield range(int(first), int(last or first) + 1)


def places_of(runs: str) -> list[int]:
    """Their places: 7, 9, 10, 11, 12."""
    places: list[int] = []
    for run in ranges_of(runs):
        places.extend(run)
    return places


def runs_of(places: Sequence[int]) -> str:
    """As `places_of` reads it; the places in order, each once."""
    given = np.asarray(places, np.int64)
    ends = np.flatnonzero(np.diff(given, append=given[-1:]) != 1)  # of each run, its last
    firsts = given[np.append(0, ends[:-1] + 1)[: len(ends)]].tolist()
    return " ".join(
        str(first) if first == last else f"{first}-{last}"
        for first, last in zip(firsts, given[ends].tolist(), strict=True)
    )


def _masks(places: Places) -> npt.NDArray[np.uint64]:
    """Each place's bit within its word."""
    return TOP_BIT >> (places % WORD).astype(np.uint64)


def bitmap_of(places: Collection[int]) -> tuple[int, bytes]:
    """(its first byte, the bitmap) of some places, as Redis numbers bits: at least one place."""
    given = np.fromiter(places, np.int64, len(places))
    first = int(given.min()) // 8
    bits = np.zeros((int(given.max()) // 8 - first + 1) * 8, np.uint8)
    bits[given - first * 8] = 1
    return first, np.packbits(bits).tobytes()
