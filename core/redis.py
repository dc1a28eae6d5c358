"""Redis clients, and which servers are good enough.

Mutations are never retried by the client (redis-py 8 would repeat each up to ten times after a
time-out, though it may have run): our scripts are idempotent where a repeat must be safe, and
the caller decides.
"""

from __future__ import annotations

import re

from redis import exceptions as redis_errors
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from core.errors import StoreUnavailable

CONNECT_TIMEOUT_S = 1.0
ANSWER_TIMEOUT_S = 1.0
MAX_CONNECTIONS = 64
OLDEST = {"redis": (7, 0), "valkey": (7, 2)}

_IDENTITY = re.compile(r"^(run_id|master_replid):(\w+)", re.MULTILINE)


class TooOld(Exception):
    """The server at REDIS_URL or DATABASE_URL lacks what we need; the message says what."""


def connect(url: str) -> Redis:
    """A client with bytes for replies. Close it with `aclose()`; nothing is opened yet."""
    return Redis.from_url(
        url,
        decode_responses=False,
        protocol=2,
        socket_timeout=ANSWER_TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        max_connections=MAX_CONNECTIONS,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )


async def identity(redis: Redis) -> tuple[str, str]:
    """(run id, replication id): either changes when acknowledged writes may be gone.

    Each node asks once a second. So both sections come in one reply, and redis-py, which would
    make numbers and names of all of it, is given one word that it does not know.

    Raises StoreUnavailable when the server does not answer.
    """
    try:
        info = await redis.execute_command("INFO server replication")  # type: ignore[no-untyped-call]
    except (redis_errors.ConnectionError, redis_errors.TimeoutError) as exc:
        raise StoreUnavailable("INFO") from exc
    found = dict(_IDENTITY.findall(info.decode()))
    return found["run_id"], found["master_replid"]


async def now_ms(redis: Redis) -> int:
    """Redis' clock, which decides all ends. Raises StoreUnavailable."""
    try:
        seconds, microseconds = await redis.time()
    except (redis_errors.ConnectionError, redis_errors.TimeoutError) as exc:
        raise StoreUnavailable("TIME") from exc
    return int(seconds) * 1000 + int(microseconds) // 1000


async def require_version(redis: Redis) -> str:
    """The server's name and version, such as `valkey 9.1.2`. Raises TooOld."""
    info = await redis.info("server")
    name = "valkey" if info.get("server_name") == "valkey" else "redis"
    found = str(info.get("valkey_version") or info["redis_version"])
    needed = OLDEST[name]
    if tuple(int(part) for part in found.split(".")[:2]) < needed:
        raise TooOld(
            f"REDIS_URL: found {name} {found}, need {name} >= {'.'.join(map(str, needed))}"
        )
    return f"{name} {found}"
