"""Loss of Redis' data is noticed, repaired by one node, and adopted by the others."""

import asyncio

import pytest

from core.errors import Stale
from core.generations import Generations

EVENT = "ev_gig"
KEY = f"sm:{{{EVENT}}}:epoch"


@pytest.fixture
async def event(make_event):
    return await make_event(EVENT, seats=1)


class Node:
    """One node's view, which counts the repairs it made."""

    def __init__(self, redis, db, gate=None):
        self.repairs, self.began, self._gate = [], asyncio.Event(), gate
        self.generations = Generations(redis, db, "sm", lambda e: f"sm:{{{e}}}:epoch", self._repair)
        self._redis = redis

    async def _repair(self, event_id, epoch):
        assert await self._redis.get(KEY) is None, "nobody may work on half a truth"
        self.repairs.append(epoch)
        self.began.set()
        if self._gate is not None:
            await self._gate.wait()

    async def epoch(self):
        return await self.generations.epoch(EVENT)


async def test_the_first_node_builds_the_state_and_the_second_adopts_it(redis, db, event):
    first, second = Node(redis, db), Node(redis, db)
    assert (await first.epoch()).generation == 1
    assert await second.epoch() == await first.epoch()
    assert (len(first.repairs), len(second.repairs)) == (1, 0)
    assert (await redis.get(KEY)).decode() == (await first.epoch()).text


async def test_after_a_flush_the_generation_rises_and_the_epoch_is_written_last(redis, db, event):
    node = Node(redis, db)
    before = await node.epoch()
    await redis.flushall()
    node.generations.forget(EVENT)
    after = await node.epoch()
    assert after.generation == before.generation + 1
    assert (await redis.get(KEY)).decode() == after.text


async def test_while_one_node_repairs_the_others_are_told_to_wait(redis, db, event):
    gate = asyncio.Event()
    leader, other = Node(redis, db, gate), Node(redis, db)
    repairing = asyncio.create_task(leader.epoch())
    await leader.began.wait()
    with pytest.raises(Stale):
        await other.epoch()
    gate.set()
    assert await repairing == await other.epoch()
    assert not other.repairs


async def test_a_repair_that_died_half_way_is_done_again(redis, db, event):
    class Died(Exception):
        pass

    async def dies(event_id, epoch):
        raise Died

    broken = Generations(redis, db, "sm", lambda e: f"sm:{{{e}}}:epoch", dies)
    with pytest.raises(Died):
        await broken.epoch(EVENT)
    assert await redis.get(KEY) is None
    node = Node(redis, db)
    assert (await node.epoch()).generation == 2
    assert len(node.repairs) == 1


async def test_a_log_shorter_than_seen_is_repaired_although_the_epoch_is_right(redis, db, event):
    node = Node(redis, db)
    before = await node.epoch()
    node.generations.forget(EVENT, behind=True)
    assert (await node.epoch()).generation == before.generation + 1


async def test_another_server_with_the_same_data_is_not_trusted(redis, db, event):
    """A restart may have lost the last second of writes while the epoch key survived."""
    node = Node(redis, db)
    before = await node.epoch()
    await db.execute("update generation set run_id = 'another run'")
    node.generations.forget(EVENT)
    assert (await node.epoch()).generation == before.generation + 1
