"""Redis goes back to an earlier moment: a replica that lagged behind, a log that lost its tail.

Its data look whole and carry the epoch that PostgreSQL names. What was called and closed since then
is in PostgreSQL only.
"""

from functools import partial

import pytest

from core.errors import StoreUnavailable
from core.signing import Keys
from tests import waiting
from waiting_room.errors import NotCalled, SlipUsed
from waiting_room.keys import key
from waiting_room.service import WaitingRoom

KEYS = Keys("s" * 32)
FANS = [f"vs_{n}" for n in range(9)]


@pytest.fixture
async def nodes(redis, db):
    """Two nodes on the same stores, both with their rounds running."""
    rooms = [WaitingRoom.build(redis, db, KEYS) for _ in range(2)]
    for room in rooms:
        await room.start()
    yield rooms
    for room in rooms:
        await room.stop()


# While the repair goes on, or before the call that is waited for.
until = partial(waiting.until, despite=(StoreUnavailable, NotCalled))


def note_nothing(what, facts):
    async def note(connection):
        """No audit log here."""

    return note


async def picture(redis, event_id):
    return {key: await redis.dump(key) for key in await redis.keys(f"wr:{{{event_id}}}:*")}


async def go_back(redis, event_id, before):
    async with redis.pipeline(transaction=True) as pipe:
        pipe.delete(*await redis.keys(f"wr:{{{event_id}}}:*"))
        for key, value in before.items():
            pipe.restore(key, 0, value)
        await pipe.execute()


async def change(room, event_id, **values):
    version = (await room.settings(event_id)).version
    await room.change_settings(event_id, version, **values)


async def test_who_was_called_in_what_was_lost_does_not_get_the_old_place_again(
    nodes, make_sale, redis
):
    """One shopped and left, one let the call lapse, one shops still, one was revoked in line."""
    one, other = nodes
    event_id = await make_sale(mode="on", max_active=0)
    joined = {fan: await one.join(event_id, fan) for fan in FANS}
    before = await picture(redis, event_id)
    shopped, lapsed, shops, revoked, *waiting = FANS
    await change(one, event_id, max_active=3, per_minute=6_000)
    for fan in (shopped, shops):
        await until(partial(other.accept, event_id, fan), bool)
    assert await redis.zadd(key(event_id, "calls"), {lapsed: 1}, xx=True, ch=True)  # time is up
    await change(one, event_id, max_active=0)
    await one.leave(event_id, shopped)
    await other.interventions.revoke(event_id, revoked, "Tout.", note_nothing)

    async def reasons():
        return {call["subject"]: call["end_reason"] for call in await one.calls(event_id)}

    await until(reasons, lambda said: said == {shopped: "left", lapsed: "lapsed", shops: None})
    await go_back(redis, event_id, before)
    await until(lambda: other.state(event_id, shops), lambda said: said["state"] == "admitted")
    states = {fan: await until(partial(one.state, event_id, fan), bool) for fan in FANS}
    assert {fan: said["state"] for fan, said in states.items() if fan not in waiting} == {
        shopped: "none",
        lapsed: "none",
        shops: "admitted",
        revoked: "none",
    }
    assert [states[fan]["rank"] for fan in waiting] == [1, 2, 3, 4, 5]

    with pytest.raises(SlipUsed):
        await one.join(event_id, lapsed, joined[lapsed]["slip"])
    again = await one.join(event_id, lapsed)  # anew, at the end
    assert again["place"] > joined[waiting[-1]]["place"]
    await one.rooms.stand_still(event_id, 0)
    await change(one, event_id, max_active=50, per_minute=60_000)
    calls = await until(lambda: one.calls(event_id), lambda made: len(made) >= 9)
    assert [call["subject"] for call in calls[3:]] == [*waiting, lapsed]
    places = [call["place"] for call in calls]
    assert len(set(places)) == len(places)
