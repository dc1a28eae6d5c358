"""How soon a fan on another node is told of an operator's change: the promise is one second."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles

from app.catalogue import demo
from app.embedded.services import EmbeddedServices
from bench.benchmark import Benchmark
from core.db import Db
from core.live.asgi import PulledTransport
from core.live.connection import Socket
from core.live.hub import Hub
from core.migrate import migrate
from core.redis import connect
from core.signing import Keys
from waiting_room.service import WaitingRoom

EVENT = "ev_theatre"
CHANGES = 200


def change(_: Sequence[str]) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="onsale-bench-") as folder,
        EmbeddedServices(Path(folder), durable=False) as services,
    ):
        migrate(services.database_url)
        took_ms = asyncio.run(_changes(services.database_url, services.redis_url))
    cuts = quantiles(took_ms, n=100)
    print(
        f"{'change':18}{CHANGES} changes, told on another node after "
        f"{cuts[49]:.0f} ms (p50), {cuts[98]:.0f} ms (p99), {max(took_ms):.0f} ms (most)"
    )


BENCHMARKS = (Benchmark("change", (__doc__ or "").strip(), change),)


async def _changes(database_url: str, redis_url: str) -> list[float]:
    db, live = await Db.open(database_url), Hub()
    await demo.seed(db, datetime.now(UTC))
    await db.execute("update room set mode = 'on', max_active = 0, opens_at = now(), draw = false")
    async with connect(redis_url) as redis:
        here, there = (WaitingRoom.build(redis, db, Keys("s" * 32)) for _ in range(2))
        await live.start()
        for room in (here, there):
            await room.start()
        await there.join(EVENT, "vs_fan")
        tab = Socket(live, lambda _: True)
        pulled = PulledTransport(tab)
        live.adopt(tab, pulled)
        await there.hub.connect(EVENT, "vs_fan", tab)
        took_ms = [await _told_ms(here, pulled, number) for number in range(1, CHANGES + 1)]
        for room in (there, here):
            await room.stop()
        await live.stop()
    await db.close()
    return took_ms


async def _told_ms(room: WaitingRoom, pulled: PulledTransport, number: int) -> float:
    """From the operator's call to the frame that has the new value."""
    version = (await room.settings(EVENT)).version
    start = time.perf_counter()
    await room.change_settings(EVENT, version, per_minute=number)
    while b'"perMinute":%d,' % number not in await pulled.pull():
        pass
    return (time.perf_counter() - start) * 1000
