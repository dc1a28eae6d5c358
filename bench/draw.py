"""The draw of a million, with PostgreSQL and Valkey of its own: `make bench ARGS="draw 1000000"`.

The lobby is filled past the join script, which `make bench ARGS=join` measures; from the opening
on all is the product: a node's rounds close the lobby, store list and order, lay the places and
call the first fans. Script times are Valkey's own: its slow log has the longest of each.
"""

from __future__ import annotations

import asyncio
import re
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from redis.asyncio import Redis

from app.embedded.services import EmbeddedServices
from bench.benchmark import Benchmark
from core.db import Db
from core.ids import new_id
from core.lua import LuaScript
from core.migrate import migrate
from core.redis import connect
from core.signing import Keys
from waiting_room.draw.store import SCRIPTS
from waiting_room.keys import NAMES, key
from waiting_room.service import WaitingRoom
from waiting_room.store import SCRIPTS as QUEUE_SCRIPTS

EVENT = "ev_draw"
FANS = 1_000_000
AT_ONCE = 10_000
LOG_SLOWER_THAN_US = 500
PATIENCE_S = 600

ROOM_SQL = """
insert into venue values ('v', 'Hall', 'Town', 'DE', 'UTC');
insert into plan values ('p', 'v', 1, 'x', '');
insert into event (event_id, title, description, venue_id, plan_id, genre, starts_at, currency,
                   max_tickets, hold_ms, search)
values ('ev_draw', 'Draw', '', 'v', 'p', '', now() + interval '9 days', 'EUR', 6, 600000, '');
insert into room (event_id, mode, per_minute, max_active, accept_ms, shop_ms, grace_ms, opens_at)
values ('ev_draw', 'on', 3000, 100000, 600000, 900000, 120000, now() + interval '1 hour');
"""
TIMES_SQL = """
select extract(epoch from closed_at)::float8 as fixed,
       extract(epoch from ordered_at)::float8 as ordered,
       extract(epoch from laid_at)::float8 as laid,
       (select extract(epoch from min(called_at))::float8 from call) as called
from draw where event_id = 'ev_draw'
"""


def run(options: Sequence[str]) -> None:
    fans = int(options[0]) if options else FANS
    with (
        tempfile.TemporaryDirectory(prefix="onsale-bench-") as folder,
        EmbeddedServices(Path(folder), durable=False) as services,
    ):
        migrate(services.database_url)
        asyncio.run(_measure(services.redis_url, services.database_url, fans))


async def _measure(redis_url: str, database_url: str, fans: int) -> None:
    async with connect(redis_url) as redis:
        db = await Db.open(database_url)
        await db.execute(ROOM_SQL)
        room = WaitingRoom.build(redis, db, Keys("s" * 32))
        await room.at(EVENT)
        before, all_before = await _memory(redis), (await redis.info("memory"))["used_memory"]
        await _fill(redis, fans)
        print(f"lobby: {(await _memory(redis) - before) / fans:.0f} bytes of Valkey a fan")
        await redis.config_set("slowlog-log-slower-than", LOG_SLOWER_THAN_US)
        await redis.config_set("slowlog-max-len", 100_000)
        await redis.slowlog_reset()
        await room.start()
        spent, at_valkey = _cpu_s(), await _valkey_cpu_s(redis)
        opened = time.time()
        await room.change_settings(EVENT, 1, opens_at_ms=int(opened * 1000))
        await _until_done(room)
        valkey_s = await _valkey_cpu_s(redis) - at_valkey
        print(f"CPU meanwhile: node {_cpu_s() - spent:.1f} s, Valkey {valkey_s:.1f} s")
        await room.stop()
        row = await db.fetchrow(TIMES_SQL)
        assert row is not None
        for name, at in row.items():
            print(f"{name:8} {at - opened:8.2f} s after the opening")
        peak = (await redis.info("memory"))["used_memory_peak"] - all_before
        print(f"at most, lobby and queue together: {peak / fans:.0f} bytes of Valkey a fan")
        print(f"queue: {(await _memory(redis) - before) / fans:.0f} bytes of Valkey a fan")
        await _print_scripts(redis)
        await db.close()


async def _fill(redis: Redis, fans: int) -> None:
    for begin in range(0, fans, AT_ONCE):
        numbers = range(begin, min(begin + AT_ONCE, fans))
        lobby = {new_id("vs"): f"{new_id('en')}:1900000000000" for _ in numbers}
        await redis.hset(key(EVENT, "lobby"), mapping=lobby)


async def _until_done(room: WaitingRoom) -> None:
    """Until the last place is laid and the lobby cleared away."""
    async with asyncio.timeout(PATIENCE_S):
        while "drawn" not in (await room.hub.view(EVENT)).state:  # noqa: ASYNC110 (a key says it)
            await asyncio.sleep(0.1)


async def _memory(redis: Redis) -> int:
    """Of this event's keys, as Valkey counts it."""
    sizes = [await redis.memory_usage(key(EVENT, name), samples=1000) for name in NAMES]
    return sum(size or 0 for size in sizes)


async def _print_scripts(redis: Redis) -> None:
    """The slow log names a script by the SHA-1 of its text; other commands by their own names."""
    names = ("muster", *QUEUE_SCRIPTS, *SCRIPTS)
    shas = {redis.register_script(LuaScript("waiting_room", n).source).sha: n for n in names}
    longest: dict[str, list[int]] = {}
    for entry in await redis.slowlog_get(100_000):
        match = re.match(rb"EVALSHA ([0-9a-f]{40})", entry["command"])
        command = entry["command"].split(b" ", 1)[0].decode()
        name = shas.get(match[1].decode(), "another") if match else command
        longest.setdefault(name, []).append(entry["duration"])
    for name, durations in sorted(longest.items()):
        durations.sort()
        ms = [f"{d / 1000:.1f}" for d in (durations[len(durations) // 2], durations[-1])]
        print(f"{name:14} {len(durations):6} over 0.5 ms: median {ms[0]} ms, longest {ms[1]} ms")


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _valkey_cpu_s(redis: Redis) -> float:
    used = await redis.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


BENCHMARKS = (Benchmark("draw", "the draw of a million, from the opening to the last place", run),)

if __name__ == "__main__":
    run(sys.argv[1:])
