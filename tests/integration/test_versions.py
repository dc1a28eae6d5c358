"""Too old a server is refused at the start, with the version found and the one needed."""

import pytest

from core import db as postgres
from core import redis as redis_client
from core.errors import StoreUnavailable
from core.lua import LuaScript
from core.migrate import OldSchema, require_schema


async def test_servers_of_today_are_accepted(redis, db):
    assert await redis_client.require_version(redis)
    assert (await postgres.require_version(db)).startswith("PostgreSQL")


async def test_an_old_redis_is_refused_with_both_versions(redis, monkeypatch):
    needed = {"redis": (99, 0), "valkey": (99, 0)}
    monkeypatch.setattr(redis_client, "OLDEST", needed)
    with pytest.raises(redis_client.TooOld, match=r"REDIS_URL: found \w+ \d+\.\d.*need .* 99\.0"):
        await redis_client.require_version(redis)


async def test_an_old_postgresql_is_refused_with_both_versions(db, monkeypatch):
    monkeypatch.setattr(postgres, "OLDEST", 990000)
    with pytest.raises(redis_client.TooOld, match=r"DATABASE_URL: found PostgreSQL \d.*need >= 99"):
        await postgres.require_version(db)


async def test_a_schema_without_the_last_migration_is_refused(db):
    await require_schema(db)
    await db.execute("delete from _yoyo_migration")
    with pytest.raises(OldSchema, match="run `onsale migrate`"):
        await require_schema(db)


async def test_a_full_redis_is_an_outage_and_no_bug(redis):
    script = LuaScript("waiting_room", "restore").bind(redis)
    await redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreUnavailable):
            await script(
                **{name: f"wr:{{e}}:{name}" for name in LuaScript("waiting_room", "restore").keys},
                now_ms="",
                ceiling=0,
                settings_json="{}",
                calls_json="[]",
                draw_json="{}",
            )
    finally:
        await redis.config_set("maxmemory", 0)
