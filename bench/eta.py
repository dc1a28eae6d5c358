"""How good the estimated wait is, over simulated sales whose operators don't leave them alone.

`make bench ARGS=eta` draws sales at random (sizes, paces, caps, no-shows, shopping times, fans who
give up; a change of pace or cap or a pause every ten to forty minutes on average), reads each as a
node does, asks at random moments for the waits of random fans, and compares with what came.
`ARGS="eta --sales 400 --seed 9000"` takes more, and others; `--spread` prints the constants of
waiting_room/forecast/outlook.py as these sales would have them.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.random import Generator, default_rng

from bench.benchmark import Benchmark
from waiting_room.forecast.curve import Rules, curve
from waiting_room.forecast.outlook import GRAIN_MS, SPREAD, Forecaster, Outlook
from waiting_room.forecast.recent import READ_EVERY_MS, Reading, Recent
from waiting_room.policy import Limits
from waiting_room.simulation.crowd import CrowdModel, draw
from waiting_room.simulation.engine import simulate
from waiting_room.simulation.model import NEVER, Change, Crowd, Outcome, Terms

MINUTE_MS = 60_000
ACCEPT_MS, SHOP_MS = 2 * MINUTE_MS, 15 * MINUTE_MS
MOMENTS = 12  # looked at in each sale
FANS = 8  # asked at each
LOOKS = 400
LONGEST_MS = 24 * 60 * MINUTE_MS
PAUSES = 0.3  # share of changes that are pauses
PACES = 0.45  # … that are of the pace; the others are of the cap
FACTOR = 0.35  # deviation of the logarithm of a change


@dataclass(frozen=True, slots=True)
class Guess:
    wait_ms: float  # the middle
    low_ms: int
    high_ms: int
    truth_ms: int
    rank: int
    cap_binds: bool


@dataclass(frozen=True, slots=True)
class Sale:
    crowd: Crowd
    terms: Terms
    outcome: Outcome


def sale(chance: Generator) -> Sale:
    fans = int(math.exp(chance.uniform(math.log(2_000), math.log(30_000))))
    minutes = math.exp(chance.uniform(math.log(20), math.log(180)))
    per_minute, shopping = max(10, int(fans / minutes)), chance.uniform(3, 8)
    model = CrowdModel(
        fans=fans,
        no_show_share=chance.uniform(0, 0.4),
        shopping_ms=int(shopping * MINUTE_MS),
        gives_up_share=chance.uniform(0, 0.3),
        at_opening_share=chance.uniform(0.4, 0.9),
        asleep_share=0,
        offline_share=0,
        closed_share=0,
    )
    tight = chance.uniform(0.5, 1.0) if chance.random() < 0.5 else 3
    limits = Limits(
        per_minute=per_minute, max_active=int(per_minute * shopping * tight) + 5, open=True
    )
    changes = tuple(_changes(limits, chance))
    terms = Terms(changes=changes, accept_ms=ACCEPT_MS, shop_ms=SHOP_MS)
    crowd = draw(model, chance)
    return Sale(crowd, terms, simulate(crowd, terms, until_ms=LONGEST_MS))


def _changes(limits: Limits, chance: Generator) -> Iterator[Change]:
    every, at_ms = chance.choice([10, 20, 40]), 0
    yield Change(0, limits)
    while (at_ms := at_ms + int(chance.exponential(every) * MINUTE_MS)) < LONGEST_MS:
        what, factor = chance.random(), math.exp(chance.normal(0, FACTOR))
        if what < PAUSES:
            yield Change(at_ms, replace(limits, open=False))
            at_ms += int(chance.uniform(1, 5) * MINUTE_MS)
        elif what < PAUSES + PACES:
            limits = replace(limits, per_minute=max(5, int(limits.per_minute * factor)))
        else:
            limits = replace(limits, max_active=max(5, int(limits.max_active * factor)))
        yield Change(at_ms, limits)


def readings(sale: Sale) -> list[Reading]:
    """The sale as a node would have read it."""
    crowd, out = sale.crowd, sale.outcome
    last_ms = int(out.called_ms[out.called].max(initial=0))
    clock = np.arange(0, last_ms, READ_EVERY_MS)
    lapsing = out.called & ~out.accepted
    given_up = ~out.called & (crowd.leaves_ms < NEVER)

    def so_far(times: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[int]:
        counts: list[int] = np.searchsorted(np.sort(times), clock, side="right").tolist()
        return counts

    columns = zip(
        clock.tolist(),
        so_far(crowd.arrives_ms),
        so_far(out.called_ms[out.called]),
        so_far((out.called_ms + crowd.answers_ms)[out.accepted]),
        so_far(out.ends_ms[lapsing]),
        so_far(out.ends_ms[out.accepted]),
        so_far(crowd.leaves_ms[given_up]),
        strict=True,
    )
    return [
        Reading(
            at_ms=at_ms,
            calls=calls,
            accepted=accepted,
            lapsed=lapsed,
            thinned=gone,
            owed=0,
            called=calls - accepted - lapsed,
            active=accepted - ended,
            waiting=arrived - calls - gone,
        )
        for at_ms, arrived, calls, accepted, lapsed, ended, gone in columns
    ]


def guesses(chance: Generator) -> Iterator[Guess]:
    """Of one sale, at moments when nothing is paused."""
    drawn, recent = sale(chance), Recent()
    read = readings(drawn)
    moments = set(chance.choice(len(read), min(MOMENTS, len(read)), replace=False).tolist())
    until_ms = np.minimum(drawn.outcome.called_ms, drawn.crowd.leaves_ms)
    for number, reading in enumerate(read):
        recent.add(reading)
        if number not in moments or not (limits := _limits(drawn.terms, reading.at_ms)).open:
            continue
        rules = Rules(
            per_minute=limits.per_minute,
            max_active=limits.max_active,
            accept_ms=ACCEPT_MS,
            shop_ms=SHOP_MS,
        )
        outlook = Outlook(curve(recent, rules))
        now_ms = reading.at_ms
        present = np.flatnonzero((drawn.crowd.arrives_ms <= now_ms) & (until_ms > now_ms))
        for rank in chance.choice(len(present), min(FANS, len(present)), replace=False) + 1:
            called_ms = int(drawn.outcome.called_ms[present[rank - 1]])
            if called_ms < NEVER and (guess := _guess(outlook, int(rank), called_ms - now_ms)):
                yield guess


def _limits(terms: Terms, at_ms: int) -> Limits:
    return next(change.limits for change in reversed(terms.changes) if change.at_ms <= at_ms)


def _guess(outlook: Outlook, rank: int, truth_ms: int) -> Guess | None:
    assert outlook.curve is not None
    wait_ms, interval = outlook.curve.wait_ms(rank), outlook.interval_ms(rank)
    if wait_ms is None or interval is None:
        return None
    return Guess(wait_ms, *interval, truth_ms, rank, outlook.curve.cap_binds)


def run(options: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="make bench ARGS=eta", description=__doc__)
    parser.add_argument("--sales", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--spread", action="store_true")
    args = parser.parse_args(options)
    made: list[Guess] = []
    began = time.perf_counter()
    for seed in range(args.seed, args.seed + args.sales):
        made.extend(guesses(default_rng(seed)))
    print(f"{args.sales} sales, {len(made)} guesses, {time.perf_counter() - began:.0f} s")
    report(made)
    if args.spread:
        print(fitted(made))


def report(made: Sequence[Guess]) -> None:
    print(f"{'':24}{'guesses':>9}{'in 80 %':>9}{'below':>7}{'above':>7}{'error':>8}")
    _line("all", made)
    _line("cap binds", [guess for guess in made if guess.cap_binds])
    _line("pace binds", [guess for guess in made if not guess.cap_binds])
    for a, b in pairwise((0, 1, 4, 16, 60, math.inf)):
        of_length = [g for g in made if a * MINUTE_MS <= g.wait_ms < b * MINUTE_MS]
        _line(f"guessed {a:g} to {b:g} min", of_length)


def coverage(made: Sequence[Guess]) -> float:
    """Share of truths within their interval."""
    return sum(guess.low_ms <= guess.truth_ms <= guess.high_ms for guess in made) / len(made)


def median_error(made: Sequence[Guess]) -> float:
    """Of the middle, as a share of the true wait; below a second it counts as one."""
    return float(np.median([abs(g.wait_ms / max(1_000, g.truth_ms) - 1) for g in made]))


def _line(name: str, made: Sequence[Guess]) -> None:
    if made:
        below = sum(guess.truth_ms < guess.low_ms for guess in made) / len(made)
        within = coverage(made)
        print(
            f"{name:24}{len(made):9}{within:9.1%}{below:7.1%}{1 - within - below:7.1%}"
            f"{median_error(made):8.1%}"
        )


def fitted(made: Sequence[Guess]) -> str:
    """SPREAD as these guesses would have it: percentiles of where the cap does not add noise."""
    rows = []
    strays = np.log([(g.truth_ms + GRAIN_MS) / (g.wait_ms + GRAIN_MS) for g in made])
    lengths = np.array([g.wait_ms / MINUTE_MS for g in made])
    quiet = np.array([not g.cap_binds or g.rank > 200 for g in made])
    for minutes, *_ in SPREAD:
        near = quiet & (lengths > minutes / 2) & (lengths < minutes * 2)
        down, up = np.quantile(strays[near], [0.1, 0.9])
        rows.append(f"({minutes}, {-down:.2f}, {up:.2f})")
    return f"SPREAD = ({', '.join(rows)})"


def cost(_: Sequence[str]) -> None:
    """What an event costs a node each five seconds, and a fan who is told."""
    drawn = sale(default_rng(3))
    limits, forecaster = _limits(drawn.terms, 0), Forecaster()
    rules = Rules(
        per_minute=limits.per_minute,
        max_active=limits.max_active,
        accept_ms=ACCEPT_MS,
        shop_ms=SHOP_MS,
    )
    read, fans = readings(drawn)[:LOOKS], 100_000
    began = time.process_time()
    for reading in read:
        forecaster.look(reading, rules)
    looked = time.process_time()
    for rank in range(fans):
        forecaster.outlook.interval_ms(rank % 5_000 + 1)
    told = time.process_time()
    print(f"one look ahead for an event: {(looked - began) / len(read) * 1e3:.2f} ms of CPU")
    print(f"one fan's interval: {(told - looked) / fans * 1e6:.1f} µs of CPU")


BENCHMARKS = (
    Benchmark("eta", "the estimated wait against the true one, over simulated sales", run),
    Benchmark("outlook", "what the estimated wait costs a node", cost),
)
