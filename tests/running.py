"""A running `onsale serve`, and clients of it that notice everything.

Onsale      the process, with its workers
Steady      clients that ask without a pause; counts what they hear and what they lose
Stream      a reader of the seat map's stream; knows its position and when to come back
settled()   waits until every worker has an event's live state
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import orjson
from websockets.exceptions import ConnectionClosed

from tests.waiting import LIMIT_S

ROOT = Path(__file__).parents[1]
STEADY_CLIENTS = 6


class Onsale:
    def __init__(self, folder: Path, workers: int, port: int, env: dict[str, str]) -> None:
        folder.mkdir(exist_ok=True)
        self.errors = folder / "errors"
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [
                    # Under nohup a child is born with the signal ignored, and rightly keeps that.
                    *("env", "--default-signal=HUP"),
                    *(sys.executable, "-m", "app.cli", "serve"),
                    *("--port", str(port), "--workers", str(workers)),
                ],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=ROOT,
                env={"PATH": "/usr/bin:/bin", "ONSALE_DATA_DIR": str(folder / "data")} | env,
            )
        said = ""
        for line in self.process.stdout:  # ends with the process
            said += line
            if line.startswith("Console"):
                break
        found = re.search(r"http://\S+?:(\d+)", said)
        self.port = port or (int(found[1]) if found else 0)
        self.url = f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[int]:
        """Process ids, those that start or leave too."""
        return workers_of(self.process.pid)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ends(self) -> int:
        return await asyncio.to_thread(self.process.wait, LIMIT_S)

    def said(self) -> str:
        return self.errors.read_text()


class Steady:
    """Half of the clients stay on one connection as long as it lasts, half make new ones."""

    def __init__(
        self, url: str, path: str = "/health/live", verify: object = False, body: object = None
    ) -> None:
        """`body`: what to POST as JSON; None for GET."""
        self._url, self._path, self._verify, self._body = url, path, verify, body
        self._leaving = False
        self.statuses: Counter[int] = Counter()
        self.failures: list[Exception] = []

    async def __aenter__(self) -> Steady:
        self._tasks = [
            asyncio.create_task(self._ask(kept=n % 2 == 0)) for n in range(STEADY_CLIENTS)
        ]
        return self

    async def __aexit__(self, *_) -> None:
        # Not cancelled: httpcore leaves a connection open whose TLS handshake is cut off.
        self._leaving = True
        await asyncio.gather(*self._tasks)

    async def _ask(self, *, kept: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=1 if kept else 0)
        async with client_of(self._url, verify=self._verify, limits=limits) as client:
            while not self._leaving:
                try:
                    if self._body is None:
                        reply = await client.get(self._path)
                    else:
                        reply = await client.post(self._path, json=self._body)
                except httpx.HTTPError as exc:
                    self.failures.append(exc)
                else:
                    self.statuses[reply.status_code] += 1


class Stream:
    def __init__(self, client: httpx.AsyncClient, event_id: str, after: str = "") -> None:
        self.position = after  # epoch:version
        self.seen: list[str] = []  # names of events
        self.back_at_s: float | None = None  # monotonic; None until it was told to come back
        self._heard = asyncio.Event()
        self._client, self._path = client, f"/events/{event_id}/seats/stream"
        self.task = asyncio.create_task(self._read())

    async def hears(self) -> None:
        """Wait for the next event, or raise what kept it away."""
        if not await self.hears_or_ends():
            self.task.result()
            raise AssertionError("the stream has ended")

    async def hears_or_ends(self) -> bool:
        """True: an event came. False: the stream has ended, whatever the way."""
        heard = asyncio.ensure_future(self._heard.wait())
        await asyncio.wait({heard, self.task}, timeout=LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
        heard.cancel()
        came = self._heard.is_set()
        self._heard.clear()
        assert came or self.task.done(), f"nothing within {LIMIT_S} s"
        return came

    async def end(self) -> None:
        """However it ended, or shall end now."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def _read(self) -> None:
        headers = {"last-event-id": self.position} if self.position else {}
        event = ""
        async with self._client.stream("GET", self._path, headers=headers) as reply:
            assert reply.status_code == 200, await reply.aread()
            async for line in reply.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                elif name == "id":
                    self.position = value
                elif name == "data" and event != "sale":  # which is no change of the map
                    self.seen.append(event)
                    if event == "bye":
                        self.back_at_s = time.monotonic() + orjson.loads(value)["retryMs"] / 1000
                    self._heard.set()


async def settled(url: str, *events: str, verify: object = False) -> None:
    """Wait until each worker has the events' live state: nodes that start together repair it,
    and whoever is second answers 503 meanwhile. Twenty connections reach both of two."""
    in_a_row = 0
    paths = [f"/events/{event}/{what}" for event in events for what in ("seats", "queue")]
    async with asyncio.timeout(LIMIT_S):
        while in_a_row < 20:
            async with client_of(url, verify=verify) as client:
                replies = [await client.get(path) for path in paths]
            good = all(reply.status_code == 200 for reply in replies)
            in_a_row = in_a_row + 1 if good else 0


async def close_code(websocket) -> int:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await websocket.recv()
    return websocket.close_code


def client_of(url: str, *, verify: object = False, **options) -> httpx.AsyncClient:
    """It repeats nothing by itself. To verify nothing saves 40 ms a client."""
    return httpx.AsyncClient(base_url=url, timeout=LIMIT_S, verify=verify, **options)


def cookies_of(client: httpx.AsyncClient) -> dict[str, str]:
    """As a header, for a WebSocket."""
    return {"cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}


def free_port() -> int:
    """For who listens later, or again. Below what the kernel gives to connections, and to who
    asks for any port: so nobody is given it meanwhile."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(lowest // 2, lowest)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def workers_of(supervisor: int) -> list[int]:
    return [pid for pid in children(supervisor) if b"app.serve.worker" in command(pid)]


def children(pid: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    return []


def command(pid: int) -> bytes:
    """b"" of one that has ended, also of a zombie."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def alive(pid: int) -> bool:
    return command(pid) != b""
