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


class Died(Exception):
    pass


async def die_half_way(redis, db):
    async def dies(event_id, epoch):
        raise Died

    broken = Generations(redis, db, "sm", lambda e: f"sm:{{{e}}}:epoch", dies)
    with pytest.raises(Died):
        await broken.epoch(EVENT)
    assert await redis.get(KEY) is None


async def test_a_repair_that_died_half_way_is_done_again(redis, db, event):
    before = await Node(redis, db).epoch()
    await redis.flushall()
    await die_half_way(redis, db)
    node = Node(redis, db)
    assert (await node.epoch()).generation == before.generation + 2
    assert len(node.repairs) == 1


async def test_a_first_build_that_died_half_way_is_begun_anew_as_the_first(redis, db, event):
    await die_half_way(redis, db)
    epoch = await Node(redis, db).epoch()
    assert epoch.generation == 1
    assert await Node(redis, db).epoch() == epoch


async def test_a_repair_goes_on_when_the_request_that_began_it_is_broken_off(redis, db, event):
    gate = asyncio.Event()
    node = Node(redis, db, gate)
    asking = asyncio.create_task(node.epoch())
    await node.began.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    gate.set()
    assert [await node.epoch()] == node.repairs
    assert await Node(redis, db).epoch() == node.repairs[0]


async def test_a_node_that_stops_finishes_the_repair_that_it_began(redis, db, event):
    gate = asyncio.Event()
    node = Node(redis, db, gate)
    asking = asyncio.create_task(node.epoch())
    await node.began.wait()
    stopping = asyncio.create_task(node.generations.stop())
    gate.set()
    await stopping
    assert await Node(redis, db).epoch() == await asking


async def test_who_was_overtaken_half_way_works_in_no_epoch_that_is_gone(redis, db, event):
    """The connection that held the lock broke, and another node began."""
    gate = asyncio.Event()
    node = Node(redis, db, gate)
    asking = asyncio.create_task(node.epoch())
    await node.began.wait()
    await db.execute("update generation set epoch = '2-ffffffff'")
    gate.set()
    with pytest.raises(Stale):
        await asking


async def test_a_log_shorter_than_seen_is_repaired_although_the_epoch_is_right(redis, db, event):
    node = Node(redis, db)
    before = await node.epoch()
    node.generations.forget(EVENT, behind=True)
    assert (await node.epoch()).generation == before.generation + 1


async def test_of_two_nodes_that_find_a_log_too_short_the_second_adopts_the_firsts_repair(
    redis, db, event
):
    first, second = nodes = Node(redis, db), Node(redis, db)
    before = await first.epoch()
    assert await second.epoch() == before
    for node in nodes:
        node.generations.forget(EVENT, before.text, behind=True)
    assert (await first.epoch()).generation == before.generation + 1
    assert await second.epoch() == await first.epoch()
    assert not second.repairs


async def test_a_late_word_on_an_older_epoch_says_nothing_about_the_one_of_now(redis, db, event):
    node = Node(redis, db)
    before = await node.epoch()
    await redis.flushall()
    assert node.generations.forget(EVENT, before.text)
    after = await node.epoch()
    assert not node.generations.forget(EVENT, before.text, behind=True)
    assert await node.epoch() == after


async def test_the_log_says_why_a_repair_was_made(redis, db, event, caplog):
    node = Node(redis, db)

    async def why():
        caplog.clear()
        node.generations.forget(EVENT)
        with caplog.at_level("INFO"):
            await node.epoch()
        return [record.why for record in caplog.records if record.msg == begins]

    begins = "building"
    assert await why() == ["there was none"]
    begins = "repairing"
    assert await why() == []
    await redis.flushall()
    assert await why() == ["Redis has lost the epoch"]
    await redis.set(KEY, "9-ffffffff")
    assert await why() == ["Redis carries 9-ffffffff"]
    await db.execute("update generation set run_id = 'another run'")
    assert await why() == ["Redis was restarted, or is another server"]
    await db.execute("update generation set run_id = ''")
    assert await why() == ["the last one was not finished"]
    node.generations.forget(EVENT, behind=True)
    assert await why() == ["the log is shorter than this node has seen"]


async def test_another_server_with_the_same_data_is_not_trusted(redis, db, event):
    """A restart may have lost the last second of writes while the epoch key survived."""
    node = Node(redis, db)
    before = await node.epoch()
    await db.execute("update generation set run_id = 'another run'")
    node.generations.forget(EVENT)
    assert (await node.epoch()).generation == before.generation + 1
