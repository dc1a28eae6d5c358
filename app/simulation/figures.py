"""What a simulated sale comes down to: the numbers of the table, the lines of the charts. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waiting_room.simulation.model import NEVER, Crowd, Ms, Outcome, Terms

POINTS = 240  # of a line
BINS = 60  # of the calls a minute

Line = tuple[NDArray[np.float64], NDArray[np.float64]]  # minutes; what


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One setting's. Times in ms; None where it did not come to that."""

    name: str
    fans: int
    called: int
    wait_ms: tuple[int, int, int] | None  # p50, p90, p99 of those called
    empty_ms: int | None  # from the first arrival until the last call, if all there had a turn
    peak_busy: int
    no_shows: int
    gave_up: int
    gone: int  # away for so long that the place was given up
    went_away: int  # at some time while they waited, beyond the grace
    came_back: int  # of these: called later
    unserved: int  # still waiting at the end, and there
    away_at_end: int
    sold: int
    sold_out_ms: int | None
    waiting: Line  # present
    away: Line  # with a place, and not present
    busy: Line
    calls: Line  # a minute
    waited: Line  # share of the called, in percent, that waited no longer
    sales: Line  # tickets
    cap: Line
    pace: Line


def figures(name: str, crowd: Crowd, terms: Terms, out: Outcome) -> Figures:
    called = out.called
    waits = np.sort((out.called_ms - crowd.arrives_ms)[called])
    gone = out.gone_ms < NEVER
    gave_up = ~called & ~gone & (crowd.leaves_ms <= out.ended_ms)
    away = _away(crowd, out)
    away_at_end = int((away.to_ms == NEVER).sum())
    left = ~called & ~gone & ~gave_up & (crowd.arrives_ms <= out.ended_ms)
    unserved = int(left.sum()) - away_at_end
    went_away = np.unique(away.fan)
    clock = np.linspace(0, max(1, out.ended_ms), POINTS)
    minutes = clock / 60_000
    arrived, calls = _so_far(crowd.arrives_ms, clock), _so_far(out.called_ms[called], clock)
    no_more = _so_far(np.concatenate([crowd.leaves_ms[gave_up], out.gone_ms[gone]]), clock)
    not_there = _so_far(away.from_ms, clock) - _so_far(away.to_ms, clock)
    ended = _so_far(out.ends_ms[called], clock)
    bought = np.where(out.accepted, crowd.wants, 0)
    return Figures(
        name=name,
        fans=len(crowd),
        called=len(waits),
        wait_ms=_percentiles(waits),
        empty_ms=int(out.called_ms[called].max()) if len(waits) and not unserved else None,
        peak_busy=out.peak_busy,
        no_shows=int((called & ~out.accepted).sum()),
        gave_up=int(gave_up.sum()),
        gone=int(gone.sum()),
        went_away=len(went_away),
        came_back=int(called[went_away].sum()),
        unserved=unserved,
        away_at_end=away_at_end,
        sold=out.sold,
        sold_out_ms=out.sold_out_ms,
        waiting=(minutes, arrived - calls - no_more - not_there),
        away=(minutes, not_there),
        busy=(minutes, calls - ended),
        calls=_a_minute(out.called_ms[called]),
        waited=_shares(waits),
        sales=(minutes, _sold(out.ends_ms, bought, clock, out.sold)),
        cap=_steps(terms, out.ended_ms, "max_active"),
        pace=_steps(terms, out.ended_ms, "per_minute"),
    )


@dataclass(frozen=True, slots=True)
class _Away:
    """Times in which a fan with a place was away, one entry each."""

    fan: NDArray[np.int64]
    from_ms: Ms
    to_ms: Ms  # back, called, or with no place any more; NEVER: not before the end


def _away(crowd: Crowd, out: Outcome) -> _Away:
    absences, fan = crowd.absences, crowd.absences.fan
    placeless_ms = np.minimum(np.minimum(out.called_ms, out.gone_ms), crowd.leaves_ms)[fan]
    to_ms = np.minimum(absences.back_ms, placeless_ms)
    to_ms = np.where(to_ms > out.ended_ms, NEVER, to_ms)
    was = (absences.away_ms < to_ms) & (absences.away_ms <= out.ended_ms)
    return _Away(fan[was], absences.away_ms[was], to_ms[was])


def _percentiles(waits: Ms) -> tuple[int, int, int] | None:
    if not len(waits):
        return None
    p50, p90, p99 = (int(waits[int((len(waits) - 1) * share)]) for share in (0.5, 0.9, 0.99))
    return p50, p90, p99


def _so_far(times: Ms, clock: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.searchsorted(np.sort(times), clock, side="right").astype(np.float64)


def _a_minute(called_ms: Ms) -> Line:
    last_ms = int(called_ms.max(initial=0)) + 1
    counts, edges = np.histogram(called_ms, bins=BINS, range=(0, max(60_000, last_ms)))
    middles = (edges[:-1] + edges[1:]) / 2
    return middles / 60_000, counts / ((edges[1] - edges[0]) / 60_000)


def _shares(waits: Ms) -> Line:
    shares = np.linspace(0, 1, POINTS)
    if not len(waits):
        return np.zeros(1), np.zeros(1)
    at = waits[((len(waits) - 1) * shares).astype(np.int64)]
    return at / 60_000, shares * 100


def _sold(
    ends_ms: Ms, bought: NDArray[np.int64], clock: NDArray[np.float64], sold: int
) -> NDArray[np.float64]:
    order = np.argsort(ends_ms)
    total = np.concatenate([[0], np.cumsum(bought[order])])
    counts = np.asarray(total[np.searchsorted(ends_ms[order], clock, side="right")], np.float64)
    return np.minimum(counts, float(sold))


def _steps(terms: Terms, ended_ms: int, name: str) -> Line:
    """A line with a corner at each change; a pace while paused is 0."""
    times, values, value = [], [], 0.0
    for change in terms.changes:
        if change.at_ms > ended_ms:
            break
        times += [change.at_ms, change.at_ms]
        limit = float(getattr(change.limits, name))
        before, value = value, limit if change.limits.open or name == "max_active" else 0.0
        values += [before if change.at_ms else value, value]
    return np.array([*times, ended_ms]) / 60_000, np.array([*values, value])
