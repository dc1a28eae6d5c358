"""`make bench ARGS=product`: live delivery by the whole product, not by the hub alone.

`onsale serve` with real stores, with one worker and with two; 15,000 readers of the arena's map,
and 15,000 fans in its queue with a socket each. Then they come back: all at once after all
connections were dropped, half after `kill -9` of one of two workers, all after SIGHUP.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.benchmark import Benchmark
from bench.live import machine
from bench.live.command import LOOK_US
from bench.live.house import EVENT, House, house, until
from bench.live.load import Load, load
from bench.live.measure import SETTLE_S, WARM_CLIENTS
from bench.live.servers import Way
from core.live.hub import BEAT_EVERY_S

WORKERS = (1, 2)
EVERY_S = 1.0  # between two changes
IDLE_S = 60.0  # in which all have had signs of life, and the line of a queue is told once
MESSAGES, LAG = "onsale_live_messages_total", "onsale_live_lag_seconds"

Change = Callable[[float, float], None]  # for so many seconds, one every so many


@dataclass(frozen=True, slots=True)
class Spent:
    """By the nodes while something happened, and what their metrics counted of it."""

    cpu_s: float
    counted: Counter[str]

    @property
    def messages(self) -> float:
        return max(self.counted[MESSAGES], 1)


def run(options: Sequence[str]) -> None:
    args = _parsed(options)
    ours = os.sched_getaffinity(0)
    for workers in args.workers:
        for way in args.ways:
            with tempfile.TemporaryDirectory(prefix="onsale-bench-") as name:
                folder = Path(name)
                programs = machine.compiled(folder)
                if not programs:
                    print("Without these figures: the clients are C, and there is no cc here.")
                    return
                os.sched_setaffinity(0, machine.OTHER_CORES)
                try:
                    _measure(args, way, workers, programs["clients"], folder)
                finally:
                    os.sched_setaffinity(0, ours)


def _parsed(options: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=product", description=__doc__)
    parser.add_argument("--clients", type=int, default=15_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="of changes")
    parser.add_argument("--workers", type=_numbers, default=WORKERS, metavar="N,N")
    parser.add_argument("--ways", type=lambda text: text.split(","), default=["sse", "ws"])
    return parser.parse_args(options)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _measure(args: argparse.Namespace, way: Way, workers: int, program: Path, folder: Path) -> None:
    cores = machine.SERVER_CORE if workers == 1 else set(machine.ALL_CORES)
    mode = "off" if way == "sse" else "on"
    with house(folder, mode=mode, workers=workers, cores=cores) as server:
        print(f"\n{args.clients:,} clients, {way}, {workers} worker(s)", flush=True)
        with _crowd(server, way, args.clients, program, folder) as clients:
            _costs(
                args, server, clients, server.change_seats if way == "sse" else server.change_pace
            )
            _returns(server, clients, args.clients, workers)


@contextmanager
def _crowd(server: House, way: Way, most: int, program: Path, folder: Path) -> Iterator[Load]:
    """Clients that know how to come in: where on the map they are, or who they are."""
    if way == "sse":
        path = f"/events/{EVENT}/seats/stream?after={server.position()}"
    else:
        path = f"/events/{EVENT}/queue/socket"
        server.gather_fans(most, folder / "cookies")
    with load(program, server.port, way, path, most=most, look_us=LOOK_US) as clients:
        if way == "ws":
            clients.give_cookies(folder / "cookies")
        yield clients


def _costs(args: argparse.Namespace, server: House, clients: Load, change: Change) -> None:
    warm = min(WARM_CLIENTS, args.clients // 2)
    clients.connect(warm)
    change(2 * EVERY_S, EVERY_S)
    time.sleep(SETTLE_S)
    before = machine.memory_bytes(server.nodes)
    more, came = args.clients - warm, _spending(server)
    seconds = clients.connect(more)
    connecting = came()
    time.sleep(SETTLE_S)
    grown = machine.memory_bytes(server.nodes) - before
    _row(
        "in", f"{more / seconds:,.0f} a second, {connecting.cpu_s * 1e6 / more:,.0f} µs of CPU each"
    )
    _row("memory", f"{grown / more / 1000:.2f} kB a connection")
    time.sleep(BEAT_EVERY_S)  # until then what they heard last stands for a sign of life
    idled = _spending(server)
    time.sleep(IDLE_S)
    idle = idled()
    each_us = idle.cpu_s * 1e6 / args.clients / IDLE_S
    _row("idle", f"{each_us:.2f} µs of CPU a connection and second")
    clients.reset()
    changed = _spending(server)
    change(args.seconds, EVERY_S)
    time.sleep(SETTLE_S)
    told, received = changed(), clients.report()
    _row(
        "a change",
        f"{told.cpu_s * 1e6 / told.messages:.1f} µs of CPU a message, idling included;"
        f" {told.messages:,.0f} messages; change to last write"
        f" {told.counted[f'{LAG}_sum'] / max(told.counted[f'{LAG}_count'], 1) * 1000:.0f} ms",
    )
    grown = machine.memory_bytes(server.nodes) - before
    _row("memory then", f"{grown / more / 1000:.2f} kB a connection; closed {received.closed}")


def _returns(server: House, clients: Load, count: int, workers: int) -> None:
    with _all_back("all dropped", clients, count):
        clients.storm()
    if workers == 1:
        return
    victim = server.nodes[0]
    with _all_back("kill -9 of one", clients, count):
        os.kill(victim, signal.SIGKILL)
        until(lambda: clients.report().closed > 0)
    until(lambda: len(server.nodes) == workers and victim not in server.nodes)
    time.sleep(SETTLE_S)
    with _all_back("SIGHUP", clients, count):
        server.restart()


@contextmanager
def _all_back(what: str, clients: Load, count: int) -> Iterator[None]:
    """Seconds from the begin of what sends clients away until all are there again."""
    clients.reset()
    began_s = time.monotonic()
    yield
    until(lambda: clients.report().open == count)
    seconds, seen = time.monotonic() - began_s, clients.report()
    _row(what, f"all back after {seconds:.1f} s; cut off {seen.closed:,}, refused {seen.refused:,}")


def _spending(server: House) -> Callable[[], Spent]:
    """Begins now; what it returns says what was spent since."""
    nodes, counted = server.nodes, server.counted()
    cpu_s = machine.cpu_s(nodes)

    def until_now() -> Spent:
        spent_s = machine.cpu_s(nodes) - cpu_s
        now = server.counted()
        return Spent(spent_s, Counter({name: now[name] - counted[name] for name in now}))

    return until_now


def _row(name: str, figures: str) -> None:
    print(f"  {name:16}{figures}", flush=True)


BENCHMARKS = (
    Benchmark("product", "The whole product with 15,000 readers or fans; all come back.", run),
)
