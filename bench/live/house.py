"""The whole product under load: `onsale serve` with real stores, and whoever makes things happen.

What happens in the sale comes from outside of the server, through the product's own store
functions: seats change as the relay changes them, an operator changes the pace. So the server's
time is what it spends on its clients.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson

from app.catalogue import demo
from app.embedded.services import EmbeddedServices
from bench.live import machine
from core.cookies import cookie_name
from core.db import Db
from core.ids import Subject, new_id
from core.migrate import migrate
from core.redis import connect
from core.signing import Keys
from core.visitor import cookie_value
from seatmap.model import Fate
from seatmap.service import SeatMap
from waiting_room.service import WaitingRoom

EVENT = demo.CROWD_EVENT  # the arena: 18,000 seats
SECRET = "of-a-benchmark-and-nothing-else-" * 2
SEATS_A_CHANGE = 12  # a frame of some 200 bytes, as the other benchmarks of live delivery have
WORKER = b"app.serve.worker"
DONE = "all workers restarted"
LIMIT_S, LOOK_S = 120.0, 0.02

Change = Callable[[WaitingRoom, SeatMap], Awaitable[None]]

_revs = itertools.count(1)


class House:
    """One server and its stores. `house` makes one."""

    def __init__(
        self, services: EmbeddedServices, process: subprocess.Popen[str], port: int, log: Path
    ) -> None:
        self._services, self._process, self.port, self._log = services, process, port, log

    @property
    def nodes(self) -> list[int]:
        """The processes that serve: the workers, or the one that has none."""
        pids = machine.with_children(self._process.pid)
        return [pid for pid in pids if WORKER in _command(pid)] or pids[:1]

    def get(self, path: str) -> bytes:
        """The body of a 200; b"" for all else."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        with contextlib.closing(connection):
            connection.request("GET", path)
            reply = connection.getresponse()
            body = reply.read()
        return body if reply.status == http.HTTPStatus.OK else b""

    def counted(self) -> Counter[str]:
        """Each number of /metrics, summed over workers; labels but `code` are left out."""
        numbers: Counter[str] = Counter()
        text = self.get("/metrics").decode()
        for name, labels, value in re.findall(r"^(\w+)(?:{(.*)})? (\S+)$", text, re.MULTILINE):
            code = re.search(r'code="(\w+)"', labels)
            numbers[f"{name} {code[1]}" if code else name] += float(value)  # type: ignore[assignment]
        return numbers

    def position(self) -> str:
        """Of the seat map, as a page that has just read its snapshot gives it to the stream."""
        snapshot = orjson.loads(self.get(f"/events/{EVENT}/seats"))
        return f"{snapshot['epoch']}:{snapshot['version']}"

    def restart(self) -> float:
        """All workers, by SIGHUP; seconds until the log says that it is over."""
        began_s = time.monotonic()
        self._process.send_signal(signal.SIGHUP)
        until(lambda: DONE in self._log.read_text())
        return time.monotonic() - began_s

    def change_seats(self, seconds: float, every_s: float) -> None:
        """SEATS_A_CHANGE at a time are sold, and come back with the next change."""
        asyncio.run(self._every(every_s, seconds, _change_seats))

    def change_pace(self, seconds: float, every_s: float) -> None:
        """Which every waiting fan is told."""
        asyncio.run(self._every(every_s, seconds, _change_pace))

    def gather_fans(self, count: int, file: Path) -> None:
        """That many join the queue; `file` gets their cookies."""
        name = cookie_name("visitor", secure=False)
        keys, fans = Keys(SECRET), [Subject(new_id("vs")) for _ in range(count)]
        asyncio.run(self._join(fans))
        file.write_text("".join(f"{name}={cookie_value(keys, fan)}\n" for fan in fans))

    async def _every(self, every_s: float, seconds: float, change: Change) -> None:
        ends_s = time.monotonic() + seconds
        async with _opened(self._services) as (room, seats):
            while time.monotonic() < ends_s:
                await change(room, seats)
                await asyncio.sleep(every_s)

    async def _join(self, fans: list[Subject]) -> None:
        async with _opened(self._services) as (room, _):
            await asyncio.gather(*(room.enter(EVENT, fan, None) for fan in fans))


async def _change_seats(_: WaitingRoom, seats: SeatMap) -> None:
    rev = next(_revs)
    fates = [Fate(seat, rev) for seat in range(SEATS_A_CHANGE)]
    await seats.apply(EVENT, hold_id="", state="sold" if rev % 2 else "available", fates=fates)


async def _change_pace(room: WaitingRoom, _: SeatMap) -> None:
    version = (await room.settings(EVENT)).version
    await room.change_settings(EVENT, version, per_minute=100 + next(_revs))


@contextlib.contextmanager
def house(folder: Path, *, mode: str, workers: int, cores: set[int]) -> Iterator[House]:
    """`onsale serve` in `folder`, on these cores, with the arena's room in this mode; nobody is
    called. Its stores run where we do.
    """
    with EmbeddedServices(folder / "stores") as services:
        migrate(services.database_url)
        asyncio.run(_set_up(services, mode))
        port, log = machine.free_port(), folder / "serve.log"
        command = [sys.executable, "-m", "app.cli", "serve", "--no-crowd"]
        env = {
            "PATH": os.environ["PATH"],
            "REDIS_URL": services.redis_url,
            "DATABASE_URL": services.database_url,
            "ONSALE_DATA_DIR": str(folder / "data"),
            "ONSALE_MAX_CONNECTIONS": "100000",
            "ONSALE_PORT": str(port),
            "ONSALE_SECRET": SECRET,
            "ONSALE_WORKERS": str(workers),
        }
        with machine.child(command, cores, log, env=env) as process:
            made = House(services, process, port, log)
            machine.await_port(port, process, log)
            # It makes the event's live state, which we would make at the same time.
            until(lambda: all(made.get(f"/events/{EVENT}/{part}") for part in ("seats", "queue")))
            yield made


def until(true: Callable[[], bool]) -> None:
    """Look again and again, at what another process does."""
    ends_s = time.monotonic() + LIMIT_S
    while not true():
        if time.monotonic() > ends_s:
            raise TimeoutError
        time.sleep(LOOK_S)


async def _set_up(services: EmbeddedServices, mode: str) -> None:
    db = await Db.open(services.database_url)
    await demo.seed(db, datetime.now(UTC))
    await db.execute(
        "update room set mode = $1, max_active = 0, draw = false, opens_at = now()", mode
    )
    await db.close()


@contextlib.asynccontextmanager
async def _opened(services: EmbeddedServices) -> AsyncIterator[tuple[WaitingRoom, SeatMap]]:
    db = await Db.open(services.database_url)
    try:
        async with connect(services.redis_url) as redis:
            yield WaitingRoom.build(redis, db, Keys(SECRET)), SeatMap.build(redis, db)
    finally:
        await db.close()


def _command(pid: int) -> bytes:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
