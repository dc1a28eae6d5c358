"""When a worker that ended is started again, when that is given up, and who stands in meanwhile."""

from __future__ import annotations

import itertools
from collections.abc import Collection

YOUNG_S = 10.0  # whoever lived longer did not die of its start
FIRST_PAUSE_S = 0.25
MAX_PAUSE_S = 5.0
MAX_FAILED_STARTS = 5


def deaths_in_a_row(before: int, lived_s: float) -> int:
    """Young deaths without a long life in between, the last one included."""
    return before + 1 if lived_s < YOUNG_S else 0


def pause_s(deaths: int) -> float:
    """Before the next start: none at the first young death, then doubled with each."""
    return min(MAX_PAUSE_S, FIRST_PAUSE_S * 2 ** (deaths - 2)) if deaths > 1 else 0.0


def gives_up(*, failed_starts: int, serving: int, complete: bool) -> bool:
    """Whether a failed start is the last one.

    At first, before all workers served once, every failure is final: whoever starts Onsale wants
    to hear of it. Later no failure is while others serve. With nobody serving it ends after some
    tries, so that the port closes, and balancers and systemd learn of it.
    """
    return not complete or (serving == 0 and failed_starts >= MAX_FAILED_STARTS)


def dealt(serving: Collection[int], *, slots: int, each: int) -> dict[int, list[int]]:
    """Which queues of slots that nobody serves each serving slot takes too, as evenly as can be.

    Queues are numbered through: `each` of slot 0 first, then those of slot 1, and so on.
    """
    orphaned = [n for n in range(slots * each) if n // each not in serving]
    shares: dict[int, list[int]] = {slot: [] for slot in sorted(serving)}
    for share, queue in zip(itertools.cycle(shares.values()), orphaned, strict=False):
        share.append(queue)
    return shares
