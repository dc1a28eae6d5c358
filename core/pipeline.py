"""Scripts called at one moment share a round trip: the rounds of all events of a node do, of the
waiting room and of the seat map.

Each event's round reads as if it were alone. Rounds begin together and get their answers
together, so what they ask next goes out together again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha1
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from core.batch import Batcher

SCRIPTS_AT_ONCE = 500  # of a round, some 0.1 ms of Redis' time each


@dataclass(frozen=True, slots=True)
class _Call:
    source: str
    sha: str
    keys: Sequence[Any]
    args: Sequence[Any]


class ScriptPipeline:
    """Stands in for the client that scripts are bound to. Must be stopped.

    Each caller gets its own answer, or its own error; a lost connection is everybody's.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._batcher: Batcher[_Call, Any] = Batcher(self._run, SCRIPTS_AT_ONCE)

    def register_script(self, source: str) -> Callable[..., Awaitable[Any]]:
        sha = sha1(source.encode(), usedforsecurity=False).hexdigest()
        return partial(self._call, source, sha)

    async def stop(self) -> None:
        await self._batcher.stop()

    async def _call(
        self, source: str, sha: str, *, keys: Sequence[Any], args: Sequence[Any]
    ) -> Any:
        reply = await self._batcher(_Call(source, sha, keys, args))
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def _run(self, calls: Sequence[_Call]) -> list[Any]:
        replies = await self._sent(calls)
        unknown = [n for n, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:  # a server that has just started: these have not run
            for source in {calls[n].source for n in unknown}:
                await self._redis.script_load(source)
            again = await self._sent([calls[n] for n in unknown])
            for n, reply in zip(unknown, again, strict=True):
                replies[n] = reply
        return replies

    async def _sent(self, calls: Sequence[_Call]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for call in calls:
                pipe.evalsha(call.sha, len(call.keys), *call.keys, *call.args)
            replies: list[Any] = await pipe.execute(raise_on_error=False)
        return replies
