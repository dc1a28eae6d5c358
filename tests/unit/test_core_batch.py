"""Callers of one moment share a call, each gets its own answer, and nobody waits for ever."""

import asyncio

import pytest

from core import batch
from core.batch import Batcher
from core.errors import StoreUnavailable, TooMany
from tests.waiting import LIMIT_S


class Store:
    """Answers each batch when told to."""

    def __init__(self):
        self.batches = []
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def run(self, arguments):
        self.batches.append(list(arguments))
        self.asked.set()
        await self.may_answer.wait()
        if "bad" in arguments:
            raise StoreUnavailable("bad")
        return [argument.upper() for argument in arguments]


async def test_who_comes_while_a_batch_is_under_way_shares_the_next():
    store = Store()
    ask = Batcher(store.run, 3)
    async with asyncio.TaskGroup() as callers:
        first = callers.create_task(ask("a"))
        await asyncio.wait_for(store.asked.wait(), LIMIT_S)
        others = [callers.create_task(ask(letter)) for letter in "bcdef"]
        await asyncio.sleep(0)
        store.may_answer.set()
    assert store.batches == [["a"], ["b", "c", "d"], ["e", "f"]]
    assert [first.result(), *(task.result() for task in others)] == list("ABCDEF")
    await ask.stop()


async def test_a_failed_batch_fails_its_callers_and_the_next_goes_on():
    store = Store()
    store.may_answer.set()
    ask = Batcher(store.run, 2)
    told = await asyncio.gather(*map(ask, ["a", "bad", "c"]), return_exceptions=True)
    assert [type(answer) for answer in told] == [StoreUnavailable, StoreUnavailable, str]
    await ask.stop()


async def test_a_caller_who_goes_leaves_the_others_their_answers():
    store = Store()
    ask = Batcher(store.run, 9)
    gone, stays = asyncio.create_task(ask("a")), asyncio.create_task(ask("b"))
    await asyncio.wait_for(store.asked.wait(), LIMIT_S)
    gone.cancel()
    store.may_answer.set()
    assert await stays == "B"
    await ask.stop()


async def test_at_the_stop_nobody_is_left_waiting():
    store = Store()
    ask = Batcher(store.run, 1)
    callers = [asyncio.create_task(ask(letter)) for letter in "ab"]
    await asyncio.wait_for(store.asked.wait(), LIMIT_S)
    await ask.stop()
    for caller in callers:
        with pytest.raises(StoreUnavailable):
            await caller


async def test_more_than_can_wait_are_refused_at_once(monkeypatch):
    monkeypatch.setattr(batch, "MAX_WAITING", 2)
    store = Store()
    ask = Batcher(store.run, 1)
    callers = [asyncio.create_task(ask("a"))]
    await asyncio.wait_for(store.asked.wait(), LIMIT_S)
    callers += [asyncio.create_task(ask(letter)) for letter in "bc"]
    await asyncio.sleep(0)
    with pytest.raises(TooMany):
        await ask("d")
    store.may_answer.set()
    assert await asyncio.gather(*callers) == list("ABC")
    await ask.stop()
