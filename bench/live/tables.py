"""The figures on the screen: one table a measurement, then the ratios that the goals are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from bench.live.measure import Delivery, Stalled, Storm
from bench.live.servers import Way

OURS, FLOOR = "hub", "floor"
RATIOS = (
    ("message", "message_us"),
    ("memory", "idle_bytes"),
    ("p50", "p50_ms"),
    ("p99", "p99_ms"),
    ("last p50", "last_p50_ms"),
    ("last p99", "last_p99_ms"),
)
Run = tuple[str, Way]

DELIVERY_HEAD = (
    f"{'':18}{'connects':>9}{'idle':>8}{'idle':>8}{'message':>9}{'p50':>8}{'p99':>8}"
    f"{'last p50':>9}{'last p99':>9}{'lost':>6}{'clients':>9}\n"
    f"{'':18}{'/s':>9}{'kB':>8}{'µs/s':>8}{'µs':>9}{'ms':>8}{'ms':>8}"
    f"{'ms':>9}{'ms':>9}{'':>6}{'of core':>9}"
)
STALLED_HEAD = (
    f"{'':18}{'p99, ms: without, beside, without':>36}{'last, ms: the same':>30}"
    f"{'kB each':>9}{'+ kernel':>10}{'ended':>9}"
)
STORM_HEAD = (
    f"{'':18}{'dropped, back in s':>20}{'refused':>9}{'missed':>8}"
    f"{'killed, back in s':>20}{'attempts':>9}"
)


def label(run: Run) -> str:
    return " ".join(run)


def delivery_row(run: Run, seen: Delivery) -> str:
    return (
        f"{label(run):18}{seen.connects_per_s:9,.0f}{seen.idle_bytes / 1000:8.2f}"
        f"{seen.idle_us:8.2f}{seen.message_us:9.2f}{seen.p50_ms:8.1f}{seen.p99_ms:8.1f}"
        f"{seen.last_p50_ms:9.1f}{seen.last_p99_ms:9.1f}{seen.lost:6}{seen.clients_share:9.0%}"
    )


def stalled_row(run: Run, seen: Stalled) -> str:
    p99 = ", ".join(f"{value:.1f}" for value in seen.p99_ms)
    last = ", ".join(f"{value:.1f}" for value in seen.last_p99_ms)
    return (
        f"{label(run):18}{p99:>36}{last:>30}{seen.process_bytes / 1000:9.1f}"
        f"{seen.kernel_bytes / 1000:10.1f}{f'{seen.ended} of {seen.count}':>9}"
    )


def storm_row(run: Run, seen: Storm) -> str:
    return (
        f"{label(run):18}{seen.dropped_s:20.2f}{seen.dropped_refused:9}{seen.missed:8}"
        f"{seen.killed_s:20.2f}{seen.killed_refused:9}"
    )


def ratios(seen: Mapping[Run, Sequence[Delivery]]) -> list[str]:
    """Ours to each other server that went the same way; below 1 is less. Runs are averaged."""
    lines = []
    for (name, way), theirs in seen.items():
        ours = seen.get((OURS, way), ())
        if name == OURS and ours:
            costs = [run.message_us for run in ours]
            lines.append(
                f"{label((name, way))}: {len(ours)} runs, {min(costs):.2f} to {max(costs):.2f} µs"
            )
        elif name == FLOOR and ours:
            share = fmean(run.message_us for run in theirs) / fmean(run.message_us for run in ours)
            lines.append(f"  {share:.0%} of its time is what the floor needs")
        elif ours:
            lines.append(f"  to {label((name, way)):18}" + _compared(ours, theirs))
    return lines


def _compared(ours: Sequence[Delivery], theirs: Sequence[Delivery]) -> str:
    parts = []
    for what, name in RATIOS:
        below = fmean(getattr(run, name) for run in theirs)
        if below > 0:
            parts.append(f"{what} {fmean(getattr(run, name) for run in ours) / below:.2f}")
    return "   ".join(parts)
