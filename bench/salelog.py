"""The log of a sale: what its export and its replay cost for a million fans, and what is kept."""

from __future__ import annotations

import asyncio
import random
import resource
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

from app.embedded.services import EmbeddedServices
from bench.benchmark import Benchmark
from core.db import Db
from core.migrate import migrate
from waiting_room.history.lines import export
from waiting_room.history.presence import CHANGED, WHOLE
from waiting_room.history.store import History
from waiting_room.ranks.index import RankIndex

EVENT = "ev_bench"
BEGIN_MS = 1_700_000_000_000
TICK_MS, PAGE_MS = 250, 30_000
CALLS_A_TICK = 25  # 6,000 a minute
AWAY_A_PAGE = 2_000
STORM_MS = 60_000  # within which all join

MAKE_EVENT = """
insert into venue values ('v', 'Hall', 'Town', 'DE', 'UTC');
insert into plan values ('p', 'v', 1, 'x', '');
insert into event (event_id, title, description, venue_id, plan_id, genre, starts_at, currency,
                   max_tickets, hold_ms, search)
values ('ev_bench', '', '', 'v', 'p', '', now(), 'EUR', 6, 600000, '');
insert into room (event_id, mode, per_minute, max_active, accept_ms, shop_ms, grace_ms, opens_at)
values ('ev_bench', 'on', 6000, 90000, 60000, 900000, 120000, now());
"""
MAKE_CALLS = """
insert into call
select 'ev_bench', 'vs_' || n, 'ad_' || n, n, 'fresh', called_at, called_at + interval '9 s',
       called_at + interval '600 s', 'booked'
from (select n, to_timestamp(($1::bigint + n / $2::int * $3::int) / 1000.0) as called_at
      from generate_series(1, $4::int) n) made
"""


def export_of_a_million(options: Sequence[str]) -> None:
    fans = int(options[0]) if options else 1_000_000
    with (
        tempfile.TemporaryDirectory(prefix="onsale-bench-") as folder,
        EmbeddedServices(Path(folder), durable=False, kinds=["postgres"]) as services,
    ):
        migrate(services.database_url)
        asyncio.run(_export(services.database_url, fans))


async def _export(url: str, fans: int) -> None:
    db = await Db.open(url, max_connections=2)
    async with db.connection() as connection:
        await connection.execute(MAKE_EVENT)
        ticks = fans // CALLS_A_TICK
        values = BEGIN_MS, CALLS_A_TICK, TICK_MS, fans
        await connection.execute(MAKE_CALLS, *values, timeout=600)
        rows = _ticks(fans, ticks)
        await connection.copy_records_to_table("room_tick", records=rows, timeout=600)
        kept = await connection.fetchval("select sum(length(presence)) from room_tick")
    print(f"{fans:,} fans, {ticks:,} ticks; who was there: {kept / 1e6:.1f} MB of records")
    before_mb, began, written = _memory_mb(), time.perf_counter(), 0
    async with History(db).recording(EVENT) as recording:
        async for some in export(recording):
            written += len(some)
    seconds = time.perf_counter() - began
    print(
        f"exported in {seconds:.0f} s: {written / 1e6:,.0f} MB; the most memory was"
        f" {before_mb:.0f} MB before it and {_memory_mb():.0f} MB after it"
    )
    await db.close()


def _ticks(fans: int, ticks: int) -> list[tuple[str, int, int, str, bytes]]:
    """All join within a minute; a page turn takes some away, who are back at the next."""
    chance, rows, last = random.Random(1), [], 0
    for number in range(ticks):
        at_ms = BEGIN_MS + number * TICK_MS
        before, last = last, min(fans, fans * (number + 1) * TICK_MS // STORM_MS)
        here = f"{before + 1}-{last}" if last > before else ""
        gone = ""
        if number % (PAGE_MS // TICK_MS) == 0:
            places = sorted({chance.randrange(1, fans) for _ in range(AWAY_A_PAGE)})
            gone = " ".join(map(str, places))
        note = f"{at_ms}:{at_ms - TICK_MS}:1:6000:90000:500:0:{last}:0:{last}:1500000:{number}:0:1"
        record = CHANGED + zlib.compress(f"{here}|{gone}".encode(), 1)
        if number == 0:
            record = WHOLE + zlib.compress(b"", 1)
        elif number == ticks // 2:  # a node began to follow the log
            record = WHOLE + zlib.compress(_half(fans, chance), 1)
        rows.append((EVENT, 1, number + 1, note, record))
    return rows


def _half(fans: int, chance: random.Random) -> bytes:
    ranks = RankIndex()
    ranks.set([place for place in range(1, fans) if chance.random() < 0.5], True)
    return ranks.bitmap()


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


BENCHMARKS = (
    Benchmark(
        "salelog", "the export of a sale of a million fans (or so many)", export_of_a_million
    ),
)
