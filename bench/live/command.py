"""`make bench ARGS=live`: live delivery against nginx with nchan, sse-starlette and a C floor.

The order of the runs is ours, peers, ours again: where the two differ, the machine was not quiet.
`make bench ARGS="live --clients 500 --seconds 3"` is a quick look. docs/performance.md has the
figures, and how to read them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from bench.benchmark import Benchmark
from bench.live import machine, measure, tables
from bench.live.load import TooSlow
from bench.live.loopback import NotSteered, receiving_on
from bench.live.measure import Delivery, Plan, Site
from bench.live.servers import HUB, SSE_STARLETTE, Floor, Nchan, Rate, Server, Way

MAX_CLIENTS = 19_000  # a server's process may open 20,000 files on a small machine
FEW = 5_000  # with fewer clients, messages come more often, so that there is something to count
LOOK_US = 1_000
FEW_RATE, MANY_RATE = Rate(every_ms=200), Rate(every_ms=1000)

Measurement = Callable[[argparse.Namespace, Sequence[Server], Site], None]


def delivery(args: argparse.Namespace, servers: Sequence[Server], site: Site) -> None:
    for clients in args.clients:
        rate = FEW_RATE if clients < FEW else MANY_RATE
        plan = Plan(clients, args.seconds, args.idle_seconds, rate)
        print(f"\n{clients:,} clients, {rate.size} bytes every {rate.every_ms} ms")
        print(tables.DELIVERY_HEAD)
        seen: dict[tables.Run, list[Delivery]] = defaultdict(list)
        for server, way in _back_to_the_first(_runs(servers)):
            run = (server.name, way)
            with _named_when_too_slow(run):
                seen[run].append(measure.delivery(server, way, plan, site))
                print(tables.delivery_row(run, seen[run][-1]), flush=True)
        print("\n".join(tables.ratios(seen)), flush=True)


def stalled(args: argparse.Namespace, servers: Sequence[Server], site: Site) -> None:
    rate = measure.STALLED_RATE
    plan = Plan(min(args.clients), args.seconds, args.idle_seconds, rate)
    print(
        f"\n{plan.clients:,} clients and 1 % who never read, "
        f"{rate.size:,} bytes every {rate.every_ms} ms\n{tables.STALLED_HEAD}"
    )
    for server, way in _runs([server for server in servers if server.name != "floor"]):
        if way == "sse" and server.name != SSE_STARLETTE.name:
            with _named_when_too_slow((server.name, way)):
                row = measure.stalled(server, way, plan, site)
                print(tables.stalled_row((server.name, way), row), flush=True)


def storm(args: argparse.Namespace, servers: Sequence[Server], site: Site) -> None:
    plan = Plan(max(args.clients), 0, 0, MANY_RATE)
    print(f"\n{plan.clients:,} clients come back at once\n{tables.STORM_HEAD}")
    for server, way in _runs(servers):
        with _named_when_too_slow((server.name, way)):
            row = measure.storm(server, way, plan, site)
            print(tables.storm_row((server.name, way), row), flush=True)


def _parsed(options: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=live", description=__doc__)
    parser.add_argument("--clients", type=_counts, default=[2_000, 15_000], metavar="N,N")
    parser.add_argument("--seconds", type=float, default=12.0, help="of publishing, a run")
    parser.add_argument("--idle-seconds", type=float, default=4.0)
    parser.add_argument("--only", default="", metavar="NAME,NAME", help="of the servers")
    parser.add_argument(
        "--woken",
        action="store_const",
        const=0,
        default=LOOK_US,
        dest="look_us",
        help="clients sleep until a message wakes them, which takes the server's time",
    )
    parser.add_argument(
        "--apart",
        action="store_true",
        help="clients' core receives, as if it were another machine; as root (loopback.py)",
    )
    return parser.parse_args(options)


def _counts(text: str) -> list[int]:
    counts = [int(part) for part in text.split(",")]
    if not all(2 <= count <= MAX_CLIENTS for count in counts):
        raise ValueError(text)
    return counts


def _prepared(measurement: Measurement, options: Sequence[str]) -> None:
    """Programs built, what is missing said, this process off the server's core."""
    args = _parsed(options)
    ours = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as name:
        folder = Path(name)
        programs = machine.compiled(folder)
        if not programs:
            print("Without figures of live delivery: its clients are C, and there is no cc here.")
            return
        servers = [HUB, Nchan(), SSE_STARLETTE, Floor(programs["floor"])]
        os.sched_setaffinity(0, machine.OTHER_CORES)
        try:
            chosen = [server for server in servers if _wanted(server, args.only)]
            with receiving_on(machine.OTHER_CORES) if args.apart else contextlib.nullcontext():
                measurement(args, chosen, Site(programs["clients"], args.look_us, folder))
        except NotSteered as exc:
            print(f"Without these figures: the core that receives can't be chosen here ({exc}).")
        finally:
            os.sched_setaffinity(0, ours)


def _wanted(server: Server, only: str) -> bool:
    if only and server.name not in only.split(","):
        return False
    missing = server.missing()
    if missing is not None:
        print(f"Without {server.name}: {missing}.")
    return missing is None


def _runs(servers: Sequence[Server]) -> list[tuple[Server, Way]]:
    return [(server, way) for way in ("sse", "ws") for server in servers if way in server.paths]


def _back_to_the_first(runs: list[tuple[Server, Way]]) -> list[tuple[Server, Way]]:
    return runs + runs[:1] if len(runs) > 1 else runs


@contextlib.contextmanager
def _named_when_too_slow(run: tables.Run) -> Iterator[None]:
    try:
        yield
    except TooSlow:
        print(f"{tables.label(run):18} gave up: its clients waited too long")


def _benchmark(measurement: Measurement, about: str) -> Benchmark:
    return Benchmark(f"live {measurement.__name__}", about, partial(_prepared, measurement))


BENCHMARKS = (
    _benchmark(delivery, "Cost, memory and delay of telling many clients the same."),
    _benchmark(stalled, "What 1 % of clients who never read cost the others."),
    _benchmark(storm, "How long until all clients are back at once."),
)
