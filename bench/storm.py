"""The storm: fans who all join at once, each on a connection of their own, against a real node.

A node with its own stores is started in a temporary folder. Every fan opens a connection, sends
one request and reads to its end, as a first visit does; who is refused for the moment comes back
with jitter, as the page does. Beside it stands the bare rate of handshakes: the same connections
with a request that touches no store.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import uvloop

from bench.benchmark import Benchmark

ROOT = Path(__file__).parents[1]
EVENT = "ev_arena"  # of the demo: its room queues everybody
SOURCES = 32  # addresses 127.0.0.x that fans come from: a port range each
AT_ONCE = 2_000  # open connections of the clients: what the kernel queues for a busy node
BARE, JOIN = b"GET /health/live", f"POST /events/{EVENT}/queue".encode()
NODE_ENV = {"ONSALE_JOINS_PER_ADDRESS": "0", "ONSALE_JOINS_PER_NETWORK": "0"}  # one address, all
AGAIN = {408, 429, 503}
PATIENCE_S = 120.0


@dataclass(slots=True)
class Seen:
    places: list[int] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)


class Visit(asyncio.Protocol):
    """One request on one connection."""

    def __init__(self, request: bytes) -> None:
        self._request, self._read = request, b""
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._read += data

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # what was read says whether it was an answer
        if not self.answer.done():
            self.answer.set_result(self._read)


def request_of(line: bytes, port: int) -> bytes:
    body = b"{}" if line.startswith(b"POST") else b""
    head = b"%s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nconnection: close\r\n" % (line, port)
    return head + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


async def visit(port: int, line: bytes, number: int) -> tuple[int, bytes]:
    """(status, body); 0 when the connection was refused or broken."""
    source = f"127.0.0.{2 + number % SOURCES}"
    loop = asyncio.get_running_loop()
    try:
        _, client = await loop.create_connection(
            lambda: Visit(request_of(line, port)), "127.0.0.1", port, local_addr=(source, 0)
        )
        answer = await asyncio.wait_for(client.answer, PATIENCE_S)
    except OSError:
        return 0, b""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head[9:12] or b"0"), body


async def storm(port: int, line: bytes, fans: int, within_s: float) -> tuple[Seen, float]:
    """All fans arrive evenly `within_s`: what they saw, and the seconds until the last was in."""
    seen, chance, room = Seen(), random.Random(5), asyncio.Semaphore(AT_ONCE)
    start = time.perf_counter()

    async def fan(number: int) -> None:
        due = start + number * within_s / fans
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        while True:
            async with room:
                status, body = await visit(port, line, number)
            seen.answers[status] += 1
            if status == 200:
                break
            assert status == 0 or status in AGAIN, (status, body)
            await asyncio.sleep(chance.uniform(0.1, 1.0))
        seen.waits_s.append(time.perf_counter() - due)
        if line == JOIN:
            seen.places.append(orjson.loads(body)["place"])

    async with asyncio.TaskGroup() as crowd:
        for number in range(fans):
            crowd.create_task(fan(number))
    return seen, time.perf_counter() - start


@contextmanager
def node() -> Iterator[int]:
    """The port of an `onsale serve` with one worker and stores of its own."""
    with tempfile.TemporaryDirectory(prefix="onsale-bench-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve", "--no-crowd", "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **NODE_ENV, "ONSALE_DATA_DIR": f"{folder}/data"},
        )
        try:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if line.startswith("Console"):
                    break
            found = re.search(r"http://\S+?:(\d+)", said)
            assert found, said
            yield int(found[1])
        finally:
            process.terminate()
            process.wait()


def run(options: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="make bench ARGS=join", description=__doc__)
    parser.add_argument("--fans", type=int, default=20_000)
    parser.add_argument("--within", type=float, default=5.0, help="seconds in which they arrive")
    args = parser.parse_args(options)
    with node() as port:
        for line in (BARE, JOIN):
            uvloop.run(storm(port, line, 200, 0.5))  # warm
            seen, seconds = uvloop.run(storm(port, line, args.fans, args.within))
            waits = sorted(seen.waits_s)
            answers = {status: seen.answers[status] for status in sorted(seen.answers)}
            print(
                f"{'bare' if line == BARE else 'join':6}{args.fans / seconds:8,.0f}/s  all in after"
                f" {seconds:.1f} s; p50 {waits[len(waits) // 2]:.2f} s,"
                f" p99 {waits[len(waits) * 99 // 100]:.2f} s; answers {answers}"
            )
            if line == JOIN:
                twice = len(seen.places) - len(set(seen.places))
                gaps = max(seen.places) - min(seen.places) + 1 - len(set(seen.places))
                print(f"      {len(seen.places):,} places, {twice} twice, {gaps} lost between them")


BENCHMARKS = (Benchmark("join storm", "20,000 fans join within five seconds, over HTTP", run),)
