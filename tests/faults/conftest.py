"""`onsale serve` as a process of its own, to be killed, restarted and drained.

onsale(workers=2, …)   starts one on a free port, on this session's stores or its own
until(true)            waits until a condition holds
"""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
LIMIT_S = 60


class Onsale:
    def __init__(self, folder: Path, workers: int, port: int, env: dict[str, str]) -> None:
        folder.mkdir(exist_ok=True)
        self.errors = folder / "errors"
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "app.cli", "serve", "--no-crowd"),
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
        self.url, self.port = (found[0], int(found[1])) if found else ("", 0)

    def workers(self) -> list[int]:
        """Process ids, those that start or leave too."""
        return [pid for pid in children(self.process.pid) if b"app.serve.worker" in command(pid)]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ends(self) -> int:
        return await asyncio.to_thread(self.process.wait, LIMIT_S)

    def said(self) -> str:
        return self.errors.read_text()


def children(pid: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    return []


def command(pid: int) -> bytes:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@pytest.fixture
def onsale(tmp_path, redis_url, database_url, gateway_socket):
    """Starts `onsale serve`. With `own_stores`, it starts PostgreSQL and Valkey too."""
    started = []

    def start(*, workers=1, port=0, own_stores=False, **settings) -> Onsale:
        env = {"ONSALE_DRAIN_S": "2", "ONSALE_DEMO": "0", "ONSALE_CROWD": "0"}
        if not own_stores:
            env |= {"REDIS_URL": redis_url, "DATABASE_URL": database_url}
            env |= {"ONSALE_GATEWAY_SOCKET": str(gateway_socket)}
        env |= {f"ONSALE_{name.upper()}": str(value) for name, value in settings.items()}
        started.append(Onsale(tmp_path / f"onsale-{len(started)}", workers, port, env))
        return started[-1]

    yield start
    for one in started:
        left = one.workers()
        one.process.kill()
        one.process.wait()
        one.process.stdout.close()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def until():
    async def wait(true, what="") -> None:
        deadline_s = time.monotonic() + LIMIT_S
        while not true():
            assert time.monotonic() < deadline_s, f"not within {LIMIT_S} s: {what or true}"
            await asyncio.sleep(0.02)

    return wait


@pytest.fixture
async def browser():
    """Makes HTTP clients, each another fan's; none repeats a request by itself."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(url, **options) -> httpx.AsyncClient:
            client = httpx.AsyncClient(base_url=url, timeout=LIMIT_S, verify=False, **options)
            return await stack.enter_async_context(client)

        yield make


@pytest.fixture
def alive():
    def is_alive(pid: int) -> bool:
        return command(pid) != b""  # a zombie has none

    return is_alive
