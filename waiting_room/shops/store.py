"""Allow-lists and exchange codes in PostgreSQL."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg

from core.db import Connection, Db, load_queries
from waiting_room.errors import Changed

KEPT_S = 24 * 3600.0
SWEPT_A_CODE = 10  # old codes go whenever a new one comes: more of them than that can't pile up


@dataclass(frozen=True, slots=True)
class Shop:
    return_urls: tuple[str, ...] = ()
    version: int = 0  # 0: nothing was ever set


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    event_id: str
    call_id: str
    subject: str
    binding: str
    used: bool
    expired: bool
    repeatable: bool  # used so lately that the same shop may ask again


# Writes what must be there exactly when a change is: (connection, before, after).
Record = Callable[[Connection, Shop, Shop], Awaitable[None]]


class ShopStore:
    def __init__(self, db: Db) -> None:
        self._db = db
        self._sql = load_queries("waiting_room.shops")

    async def get(self, event_id: str) -> Shop:
        return _shop(await self._db.fetchrow(self._sql["shop_get"], event_id))

    async def change(
        self, event_id: str, expected_version: int, urls: Sequence[str], record: Record
    ) -> Shop:
        """Compare and set, in one transaction with what `record` writes. Raises Changed."""
        async with self._db.transaction() as connection:
            before = _shop(await connection.fetchrow(self._sql["shop_get"], event_id))
            change = self._sql["shop_change"]
            version = await connection.fetchval(change, event_id, expected_version, list(urls))
            if version is None:
                raise Changed({"returnUrls": list(before.return_urls), "version": before.version})
            after = Shop(tuple(urls), version)
            await record(connection, before, after)
        return after

    async def make_code(
        self, event_id: str, call_id: str, subject: str, code: str, *, life_ms: int
    ) -> bool:
        """Takes the place of an older code; False when one was exchanged."""
        await self._db.execute(self._sql["exchange_sweep"], KEPT_S, SWEPT_A_CODE)
        made = await self._db.fetchval(
            self._sql["exchange_make"], event_id, call_id, subject, _hash(code), life_ms
        )
        return made is not None

    async def find(self, code: str, *, repeat_ms: int) -> Exchange | None:
        row = await self._db.fetchrow(self._sql["exchange_get"], _hash(code), repeat_ms)
        return None if row is None else Exchange(**dict(row))

    async def use(self, code: str, binding: str) -> bool:
        """True for exactly one call within the code's life."""
        used = await self._db.fetchval(self._sql["exchange_use"], _hash(code), binding)
        return used is not None


def _shop(row: asyncpg.Record | None) -> Shop:
    return Shop() if row is None else Shop(tuple(row["return_urls"]), row["version"])


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
