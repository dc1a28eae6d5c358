"""The simulation's own speed: a million arrivals, and the preview of a change to a long queue."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence

from numpy.random import default_rng

from bench.benchmark import Benchmark
from waiting_room.policy import Limits
from waiting_room.simulation.crowd import CrowdModel, draw
from waiting_room.simulation.engine import simulate
from waiting_room.simulation.model import Terms
from waiting_room.simulation.preview import RoomNow, preview

FANS = 1_000_000
ACCEPT_MS, SHOP_MS = 120_000, 900_000
PACES = ((6_000, 40_000), (600, 4_000))  # a minute; cap
PREVIEWS = ((1_000, 300, 2_000), (100_000, 1_200, 5_000), (1_000_000, 6_000, 40_000))


def million(_: Sequence[str]) -> None:
    began = time.perf_counter()
    crowd = draw(CrowdModel(fans=FANS), default_rng(1))
    print(f"{FANS:,} fans drawn in {time.perf_counter() - began:.1f} s")
    for per_minute, max_active in PACES:
        limits = Limits(per_minute=per_minute, max_active=max_active, open=True)
        terms = Terms.steady(limits, accept_ms=ACCEPT_MS, shop_ms=SHOP_MS)
        began = time.perf_counter()
        out = simulate(crowd, terms)
        seconds = time.perf_counter() - began
        print(
            f"pace {per_minute:,}, cap {max_active:,}: {seconds:.1f} s for"
            f" {int(out.called.sum()):,} calls in {out.ended_ms // 250:,} ticks,"
            f" {out.ended_ms / 3_600_000:.1f} hours of sale"
        )
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB")


def previews(_: Sequence[str]) -> None:
    for waiting, per_minute, max_active in PREVIEWS:
        now = RoomNow(
            waiting=waiting,
            called=50,
            active_ends_ms=[SHOP_MS // 2] * (max_active // 2),
            no_show_share=0.1,
            shopping_ms=[180_000, 300_000, 420_000],
        )
        limits = Limits(per_minute=per_minute, max_active=max_active, open=True)
        began = time.perf_counter()
        said = preview(now, limits, accept_ms=ACCEPT_MS, shop_ms=SHOP_MS)
        spent_ms = (time.perf_counter() - began) * 1000
        print(f"{waiting:,} waiting, pace {per_minute:,}, cap {max_active:,}: {spent_ms:.0f} ms")
        print(f"  {said}")


BENCHMARKS = (
    Benchmark("simulate", "a million arrivals on a virtual clock", million),
    Benchmark("preview", "what a change would do, for queues of several lengths", previews),
)
