"""The measurements: what one server costs, and what its clients see of it.

    delivery   connect, memory and time of idle connections, cost and delay of each message
    stalled    the delay of others beside 1 % who never read, between two runs without them
    storm      all connections dropped and asked for anew at once; the server killed and started

Cost is the server's own CPU time over the messages that arrived, so that slow clients can
neither flatter nor harm. A run's figures are valid only while the clients' core had time to
spare, so that share is part of them.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.live import machine
from bench.live.load import Arrivals, Load, load
from bench.live.servers import Rate, Running, Server, Way

WARM_CLIENTS = 100  # before memory counts: what is made once is not the 15,000's
SETTLE_S = 1.0
STALLED_SHARE = 0.01
STALLED_RATE = Rate(every_ms=100, size=2000)  # fills a socket's buffers within a few seconds


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how many."""

    clients: int
    seconds: float  # of publishing
    idle_s: float
    rate: Rate


@dataclass(frozen=True, slots=True)
class Site:
    """The client program with how often it looks for messages, and a folder for logs."""

    clients: Path
    look_us: int  # 0: messages wake it, in the server's time
    folder: Path


@dataclass(frozen=True, slots=True)
class Delivery:
    connects_per_s: float
    idle_bytes: float  # process memory per idle connection
    idle_us: float  # CPU per idle connection and second
    message_us: float  # CPU per delivered message
    p50_ms: float  # from publishing to an arrival, over all arrivals
    p99_ms: float
    last_p50_ms: float  # from publishing to the last client, over all messages
    last_p99_ms: float  # with less than a hundred messages: the worst
    lost: int
    clients_share: float  # of their core, while messages came


@dataclass(frozen=True, slots=True)
class Stalled:
    p99_ms: tuple[float, float, float]  # without, beside, without those who stall
    last_p99_ms: tuple[float, float, float]
    count: int
    process_bytes: float  # most memory that each held in the server's process
    kernel_bytes: float  # and in the kernel, unsent
    ended: int  # by the server


@dataclass(frozen=True, slots=True)
class Storm:
    dropped_s: float  # until all were back
    dropped_refused: int
    killed_s: float  # from kill -9, with the start of the next process
    killed_refused: int
    missed: int  # clients that the message after it did not reach


@contextlib.contextmanager
def _scene(
    server: Server, way: Way, rate: Rate, most: int, site: Site
) -> Iterator[tuple[Running, Load]]:
    with (
        server.running(rate, site.folder) as running,
        load(
            site.clients, running.port, way, server.paths[way], most=most, look_us=site.look_us
        ) as clients,
    ):
        yield running, clients


def delivery(server: Server, way: Way, plan: Plan, site: Site) -> Delivery:
    with _scene(server, way, plan.rate, plan.clients, site) as (running, clients):
        warm = min(WARM_CLIENTS, plan.clients // 2)
        clients.connect(warm)
        _publish(running, clients, plan.rate, 0)  # what is imported and made once, now
        time.sleep(SETTLE_S)
        before = machine.memory_bytes(running.pids)
        more = plan.clients - warm
        connect_s = clients.connect(more)
        time.sleep(SETTLE_S)
        grown = machine.memory_bytes(running.pids) - before
        idle_from = machine.cpu_s(running.pids)
        time.sleep(plan.idle_s)
        idle_s = machine.cpu_s(running.pids) - idle_from
        _publish(running, clients, plan.rate, 0)
        spent_from, theirs_from = machine.cpu_s(running.pids), clients.report().cpu_s
        arrivals = _publish(running, clients, plan.rate, plan.seconds)
        spent_s = machine.cpu_s(running.pids) - spent_from
        return Delivery(
            connects_per_s=more / connect_s,
            idle_bytes=grown / more,
            idle_us=idle_s * 1e6 / plan.clients / plan.idle_s,
            message_us=spent_s * 1e6 / max(arrivals.messages, 1),
            p50_ms=arrivals.percentile_ms(0.5),
            p99_ms=arrivals.percentile_ms(0.99),
            last_p50_ms=_ranked(arrivals.last_ms, 0.5),
            last_p99_ms=_ranked(arrivals.last_ms, 0.99),
            lost=len(arrivals.deliveries) * plan.clients - arrivals.messages,
            clients_share=(arrivals.cpu_s - theirs_from) / max(plan.seconds, 1e-9),
        )


def stalled(server: Server, way: Way, plan: Plan, site: Site) -> Stalled:
    count = max(round(plan.clients * STALLED_SHARE), 1)
    with _scene(server, way, STALLED_RATE, plan.clients + count, site) as (running, clients):
        clients.connect(plan.clients)
        _publish(running, clients, STALLED_RATE, SETTLE_S)
        without, process_from = _watched(running, clients, plan.seconds)
        kernel_from = machine.unsent_bytes(running.port)
        clients.stall(count)
        beside, process_to = _watched(running, clients, plan.seconds)
        kernel_to = machine.unsent_bytes(running.port)
        clients.unstall()
        _publish(running, clients, STALLED_RATE, SETTLE_S)
        again, _ = _watched(running, clients, plan.seconds)
        phases = (without, beside, again)
        p99_ms = [phase.percentile_ms(0.99) for phase in phases]
        last_ms = [_ranked(phase.last_ms, 0.99) for phase in phases]
        return Stalled(
            p99_ms=(p99_ms[0], p99_ms[1], p99_ms[2]),
            last_p99_ms=(last_ms[0], last_ms[1], last_ms[2]),
            count=count,
            process_bytes=(process_to - process_from) / count,
            kernel_bytes=(kernel_to - kernel_from) / count,
            ended=beside.ended_stalled,
        )


def storm(server: Server, way: Way, plan: Plan, site: Site) -> Storm:
    with _scene(server, way, plan.rate, plan.clients, site) as (running, clients):
        clients.connect(plan.clients)
        time.sleep(SETTLE_S)
        clients.reset()
        dropped_s = clients.storm()
        dropped = clients.report()
        reached = _publish(running, clients, plan.rate, 0)
        clients.reset()
        killed_at = time.monotonic()
        running.kill()
        with server.running(plan.rate, site.folder, running.port):
            clients.until_back()
            killed_s = time.monotonic() - killed_at
            killed = clients.report()
        return Storm(
            dropped_s=dropped_s,
            dropped_refused=dropped.refused,
            killed_s=killed_s,
            killed_refused=killed.refused,
            missed=len(reached.deliveries) * plan.clients - reached.messages,
        )


def _publish(running: Running, clients: Load, rate: Rate, seconds: float) -> Arrivals:
    """What came of publishing for so long, at least two messages, once all of it has come."""
    clients.reset()
    running.publishing.start()
    time.sleep(max(seconds, 1.5 * rate.every_ms / 1000))
    running.publishing.stop()
    return clients.settled()


def _watched(running: Running, clients: Load, seconds: float) -> tuple[Arrivals, int]:
    """What came of publishing for so long, and the most process memory seen meanwhile."""
    most = 0
    clients.reset()
    running.publishing.start()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(SETTLE_S)
        most = max(most, machine.memory_bytes(running.pids))
    running.publishing.stop()
    return clients.settled(), most


def _ranked(sorted_values: list[float], share: float) -> float:
    """The percentile by nearest rank."""
    if not sorted_values:
        return float("nan")
    return sorted_values[min(int(len(sorted_values) * share), len(sorted_values) - 1)]
