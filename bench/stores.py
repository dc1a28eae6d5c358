"""Benchmarks of what stands on Redis: a Valkey of their own, and many clients at once.

The Valkey lives in a temporary folder, so that a benchmark can run beside a sale.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from app.embedded.services import EmbeddedServices
from bench.benchmark import Benchmark
from core.generations import Epoch
from core.redis import connect

EVENT, EPOCH = "ev_bench", Epoch(1, "abcdef01")
CLIENTS = 32  # at once, on connections of their own


@dataclass(frozen=True, slots=True)
class Figure:
    count: int
    seconds: float
    of_what: str


def on_valkey(measure: Callable[[Redis], Awaitable[Figure]]) -> Benchmark:
    """A benchmark of its own name that starts with an empty store and prints one line."""
    name = measure.__name__.replace("_", " ")

    def run(_: Sequence[str]) -> None:
        with (
            tempfile.TemporaryDirectory(prefix="onsale-bench-") as folder,
            EmbeddedServices(Path(folder), durable=False, kinds=["valkey"]) as services,
        ):
            figure = asyncio.run(_measured(measure, services.redis_url))
        each_us = figure.seconds / figure.count * 1e6
        print(f"{name:18}{1e6 / each_us:12,.0f}/s{each_us:12,.1f} µs each  {figure.of_what}")

    return Benchmark(name, (measure.__doc__ or name).strip(), run)


async def _measured(measure: Callable[[Redis], Awaitable[Figure]], redis_url: str) -> Figure:
    async with connect(redis_url) as redis:
        return await measure(redis)


async def spent(
    one: Callable[[int], Awaitable[object]], count: int, *, clients: int = CLIENTS
) -> float:
    """Seconds for `count` calls, `clients` of them at any time."""
    numbers = itertools.count()

    async def client() -> None:
        while (number := next(numbers)) < count:
            await one(number)

    start = time.perf_counter()
    async with asyncio.TaskGroup() as crowd:
        for _ in range(clients):
            crowd.create_task(client())
    return time.perf_counter() - start
