"""PostgreSQL: the pool, named queries from .sql files, and which servers are good enough."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, TypeAlias

import asyncpg

from core.errors import StoreUnavailable
from core.redis import TooOld

OLDEST = 140000  # PostgreSQL 14, as server_version_num
ACQUIRE_TIMEOUT_S = 2.0
STATEMENT_TIMEOUT_S = 5.0
MAX_CONNECTIONS = 16

Connection: TypeAlias = Any  # asyncpg has no py.typed: a connection of the pool

# What asyncpg raises when the server is away, going down, or was promoted under our feet.
OUTAGES = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.CannotConnectNowError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TooManyConnectionsError,
)

_QUERY = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)


def load_queries(package: str) -> dict[str, str]:
    """The named queries of a package's queries.sql: `-- name: x`, comments, one statement."""
    text = files(package).joinpath("queries.sql").read_text("utf-8")
    return {name: body.strip() for name, body in _QUERY.findall(text)}


class Db:
    """A pool whose outages are StoreUnavailable. Short transactions only, no foreign waits."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.away = False  # the last try found the server away

    @classmethod
    async def open(cls, url: str, *, max_connections: int = MAX_CONNECTIONS) -> Db:
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=max_connections,
            command_timeout=STATEMENT_TIMEOUT_S,
            server_settings={"application_name": "onsale"},
        )
        return cls(pool)

    async def close(self) -> None:
        await self.pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """One connection of the pool. Raises StoreUnavailable when the server is away.

        A COMMIT that raises may have happened all the same: resolve it by its idempotency key.
        """
        try:
            async with self.pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
                yield connection
            self.away = False
        except OUTAGES as exc:
            self.away = True
            raise StoreUnavailable(f"PostgreSQL: {exc}") from exc

    @asynccontextmanager
    async def transaction(self, *, isolation: str | None = None) -> AsyncIterator[Connection]:
        async with (
            self.connection() as connection,
            connection.transaction(isolation=isolation),
        ):
            yield connection

    async def fetch(self, query: str, *args: object) -> list[asyncpg.Record]:
        async with self.connection() as connection:
            rows: list[asyncpg.Record] = await connection.fetch(query, *args)
            return rows

    async def fetchrow(self, query: str, *args: object) -> asyncpg.Record | None:
        async with self.connection() as connection:
            return await connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: object) -> Any:
        async with self.connection() as connection:
            return await connection.fetchval(query, *args)

    async def execute(self, query: str, *args: object) -> str:
        async with self.connection() as connection:
            return str(await connection.execute(query, *args))


async def require_version(db: Db) -> str:
    """The server's version, such as `PostgreSQL 18.6`. Raises TooOld."""
    async with db.connection() as connection:
        number = int(await connection.fetchval("show server_version_num"))
        found = str(await connection.fetchval("show server_version"))
    if number < OLDEST:
        raise TooOld(f"DATABASE_URL: found PostgreSQL {found}, need >= {OLDEST // 10000}")
    return f"PostgreSQL {found}"
