"""What a topic gives to `make bench`: benchmarks, each with a name that a word picks it by.

A topic is one file (or folder) in bench/ with a tuple `BENCHMARKS`, listed in `__main__.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`run` prints its figures. It gets the options behind the word, most take none."""

    name: str
    about: str
    run: Callable[[Sequence[str]], None]
