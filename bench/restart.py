"""How long a restart of all workers takes, and what clients notice of it.

It runs `onsale serve --workers N` with stores of its own, opens streams of the seat map, keeps
asking for a page on new and on kept connections, sends SIGHUP, and lets streams that are told
to come back do so, as the page does. `make bench ARGS="restart --streams 500 --drain 6"`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import orjson

from bench.benchmark import Benchmark

EVENT = "ev_theatre"
STEADY_CLIENTS = 4
DONE = "all workers restarted"
LIMIT_S = 300
TLS_NONE = False  # plain HTTP: a client that loads no certificates starts 40 ms sooner


@dataclass
class Noticed:
    """What the clients saw from the signal to the end."""

    replies: int = 0
    lost: int = 0
    slowest_s: float = 0.0
    told: int = 0
    away_s: list[float] = field(default_factory=list)  # between `bye` and the next open stream


def run(options: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="make bench ARGS=restart", description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--drain", type=float, default=6.0, help="ONSALE_DRAIN_S")
    asyncio.run(_measure(parser.parse_args(options)))


async def _measure(args: argparse.Namespace) -> None:
    noticed = Noticed()
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as folder:
        async with _serving(Path(folder), args) as (url, pid, log), asyncio.TaskGroup() as tasks:
            clients = [tasks.create_task(_watch(url, noticed)) for _ in range(args.streams)]
            await asyncio.sleep(2)  # streams open, the machine is quiet again
            noticed.told = 0
            clients += [
                tasks.create_task(_ask(url, noticed, kept=n % 2 == 0))
                for n in range(STEADY_CLIENTS)
            ]
            start_s = time.perf_counter()
            os.kill(pid, signal.SIGHUP)
            async with asyncio.timeout(LIMIT_S):
                while DONE not in log.read_text():  # noqa: ASYNC110 - another process's log
                    await asyncio.sleep(0.02)
            spent_s = time.perf_counter() - start_s
            for client in clients:
                client.cancel()
    away = sorted(noticed.away_s) or [0.0]
    print(
        f"restart of {args.workers} workers, drain {args.drain:g} s, {args.streams} streams:"
        f" {spent_s:.1f} s\n"
        f"  {noticed.replies:,} replies beside it, {noticed.lost} lost,"
        f" the slowest after {noticed.slowest_s * 1000:.0f} ms\n"
        f"  {noticed.told} times told to come back; away for {away[len(away) // 2]:.2f} s in the"
        f" median, {away[-1]:.2f} s at most"
    )


@contextlib.asynccontextmanager
async def _serving(folder: Path, args: argparse.Namespace) -> AsyncIterator[tuple[str, int, Path]]:
    log = folder / "log"
    settings = {"ONSALE_DATA_DIR": str(folder / "data"), "ONSALE_DRAIN_S": str(args.drain)}
    command = [*(sys.executable, "-m", "app.cli", "serve", "--no-crowd"), "--port", "0"]
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(*command, "--workers", str(args.workers)),
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ | settings,
        )
    assert process.stdout is not None
    try:
        said = b""
        while b"Console" not in said:
            line = await process.stdout.readline()
            assert line, log.read_text()
            said += line
        found = re.search(rb"http://\S+", said)
        assert found
        yield found[0].decode(), process.pid, log
    finally:
        process.terminate()
        await process.wait()


async def _watch(url: str, noticed: Noticed) -> None:
    """A page's stream, which comes back when and where it is told to."""
    position, left_s = "", 0.0
    async with httpx.AsyncClient(base_url=url, timeout=LIMIT_S, verify=TLS_NONE) as client:
        while True:
            headers = {"last-event-id": position} if position else {}
            path = f"/events/{EVENT}/seats/stream"
            async with client.stream("GET", path, headers=headers) as reply:
                if reply.status_code != httpx.codes.OK:  # two nodes that start repair in turn
                    await asyncio.sleep(0.2)
                    continue
                if left_s:
                    noticed.away_s.append(time.perf_counter() - left_s)
                position, retry_ms = await _read(reply, position)
            left_s = time.perf_counter()
            noticed.told += 1
            await asyncio.sleep(retry_ms / 1000)


async def _read(reply: httpx.Response, position: str) -> tuple[str, int]:
    event = ""
    async for line in reply.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            position = value
        elif name == "event":
            event = value
        elif name == "data" and event == "bye":
            return position, orjson.loads(value)["retryMs"]
    return position, 0


async def _ask(url: str, noticed: Noticed, *, kept: bool) -> None:
    limits = httpx.Limits(max_keepalive_connections=1 if kept else 0)
    async with httpx.AsyncClient(
        base_url=url, timeout=LIMIT_S, verify=TLS_NONE, limits=limits
    ) as client:
        while True:
            start_s = time.perf_counter()
            try:
                await client.get("/health/live")
            except httpx.HTTPError:
                noticed.lost += 1
            noticed.replies += 1
            noticed.slowest_s = max(noticed.slowest_s, time.perf_counter() - start_s)


BENCHMARKS = (Benchmark("restart", "all workers restarted by SIGHUP under open streams", run),)
