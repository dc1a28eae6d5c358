"""`kill -9` of the node that draws, between any two steps: another ends it with the same order."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.waiting import LIMIT_S
from waiting_room.draw.policy import merkle_root, order

SCRIPT = Path(__file__).with_name("crashing_draw.py")
FANS = [f"vs_{n}" for n in range(40)]
POINTS = ["closed", "read", "fixed", "ordered", "first chunk", "third chunk", "laid", "done"]


async def places(room, event_id):
    standings = await room.standings(event_id, FANS)
    assert {standing.kind for standing in standings} == {"waiting"}
    return {fan: standing.number for fan, standing in zip(FANS, standings, strict=True)}


@pytest.mark.parametrize("point", POINTS)
async def test_another_node_ends_a_draw_whose_node_died(
    point, make_sale, build_room, database_url, redis_url
):
    event_id = await make_sale(mode="on", max_active=0, opens_in_s=3600)
    room = build_room()  # without rounds: it acts when it is told
    entries = {fan: (await room.join(event_id, fan))["entryId"].encode() for fan in FANS}
    version = (await room.settings(event_id)).version
    await room.change_settings(event_id, version, opens_at_ms=1)
    seed = (await room.draws.rows.get(event_id)).seed

    command = [sys.executable, str(SCRIPT), point, event_id, database_url, redis_url]
    process = await asyncio.create_subprocess_exec(*command, cwd=SCRIPT.parents[2])
    async with asyncio.timeout(LIMIT_S):
        assert await process.wait() == -signal.SIGKILL

    # PostgreSQL may take a moment to see that the node is gone.
    async with asyncio.timeout(LIMIT_S):
        while not (await room.draws.rows.get(event_id)).laid:
            await room.draws.run(event_id)
            await asyncio.sleep(0)
    await room.draws.run(event_id)  # once more is harmless

    ids = sorted(entries.values())
    root = merkle_root(ids)
    drawn = [ids[index] for index in order(seed, b"", root, ids)]
    assert (await room.draws.rows.get(event_id)).root == root
    given = await places(room, event_id)
    assert [entries[fan] for fan in sorted(FANS, key=given.get)] == drawn
    assert sorted(given.values()) == list(range(1, len(FANS) + 1))
