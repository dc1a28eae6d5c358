"""Calls of one moment share a round trip.

While one batch is under way, those who come wait for the next: the busier it is, the larger the
batches, and a single caller waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Generic, TypeVar

from core.errors import StoreUnavailable, TooMany
from core.tasks import end

A = TypeVar("A")
R = TypeVar("R")
MAX_WAITING = 20_000  # callers; more than that and a caller is refused at once


class Batcher(Generic[A, R]):
    """`run` takes up to `most` arguments and gives as many results, in order. Must be stopped."""

    def __init__(self, run: Callable[[Sequence[A]], Awaitable[Sequence[R]]], most: int) -> None:
        self._run, self._most = run, most
        self._waiting: list[tuple[A, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, argument: A) -> R:
        """The result for this argument. Raises what `run` raised for the whole batch; TooMany."""
        if len(self._waiting) >= MAX_WAITING:
            raise TooMany("MAX_WAITING")
        result: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((argument, result))
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        return await result

    async def stop(self) -> None:
        if self._task is not None:
            await end(self._task)

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[: self._most]
                del self._waiting[: self._most]
                await self._settle([a for a, _ in batch], [result for _, result in batch])
        finally:
            self._task = None
            left, self._waiting = self._waiting, []
            _fail((result for _, result in left), StoreUnavailable("the node stops"))

    async def _settle(self, arguments: list[A], results: list[asyncio.Future[R]]) -> None:
        try:
            found = await self._run(arguments)
        except Exception as exc:  # noqa: BLE001 - each caller gets it, and decides
            _fail(results, exc)
        except asyncio.CancelledError:
            _fail(results, StoreUnavailable("the node stops"))
            raise
        else:
            for result, value in zip(results, found, strict=True):
                if not result.done():  # a caller may have gone
                    result.set_result(value)


class EventBatchers(Generic[A, R]):
    """A batcher for each event, made at its first call. Must be stopped."""

    def __init__(
        self, run: Callable[[str, Sequence[A]], Awaitable[Sequence[R]]], most: int
    ) -> None:
        self._run, self._most = run, most
        self._batchers: dict[str, Batcher[A, R]] = {}

    async def __call__(self, event_id: str, argument: A) -> R:
        """As `Batcher`. The caller knows that there is such an event: something of it is kept."""
        batcher = self._batchers.get(event_id)
        if batcher is None:
            batcher = Batcher(partial(self._run, event_id), self._most)
            self._batchers[event_id] = batcher
        return await batcher(argument)

    async def stop(self) -> None:
        for batcher in self._batchers.values():
            await batcher.stop()


def _fail(results: Iterable[asyncio.Future[R]], why: Exception) -> None:
    for result in results:
        if not result.done():
            result.set_exception(why)
