"""What a change would do, told before it is made."""

import asyncio
from datetime import timedelta

import pytest

from tests.operators import BEARER
from tests.waiting import until

NO_LOBBY = {"openInMs": 0, "lobby": 0, "lobbyWaitP50Ms": 0, "lobbyWaitP90Ms": 0}
HOUR_MS = 3_600_000


@pytest.fixture
async def full(operator, make_sale, node):
    """The operator of a room in which thirty fans wait and nobody is called."""
    event_id = await make_sale(mode="on", per_minute=60, max_active=0)
    room = node.services.waiting_room
    await asyncio.gather(*(room.join(event_id, f"vs_{n}") for n in range(30)))
    boss = operator(event_id)
    await until(lambda: boss.get("numbers"), lambda now: now["present"] == 30)
    return boss


async def preview(boss, **change):
    reply = await boss.post("admission/preview", **change)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def test_a_preview_tells_now_and_then_and_changes_nothing(full):
    told = await preview(full, maxActive=100)
    nobody = {"waitP50Ms": None, "waitP90Ms": None, "emptyMs": None, "peakActive": 0}
    assert told["now"] == nobody | NO_LOBBY
    then = told["then"]
    assert 0 < then["waitP50Ms"] < then["waitP90Ms"] <= then["emptyMs"] < 60_000
    assert 0 < then["peakActive"] <= 30
    room = await full.room()
    assert (room["maxActive"], room["version"]) == (0, 1)
    assert await full.audit() == []


async def test_a_faster_pace_empties_the_queue_sooner(full):
    await full.change(paused=True, maxActive=100)
    slow = (await preview(full, paused=False, perMinute=30))["then"]
    quick = (await preview(full, paused=False, perMinute=300))["then"]
    assert quick["emptyMs"] < slow["emptyMs"]
    assert quick["waitP90Ms"] < slow["waitP90Ms"]


@pytest.mark.parametrize(
    "change", [{"paused": True}, {"stopped": True}, {"perMinute": 0}, {"maxActive": 0}]
)
async def test_where_nobody_is_called_there_is_no_wait_to_tell(full, change):
    await full.change(paused=True, maxActive=100)
    then = (await preview(full, **{"paused": False} | change))["then"]
    assert (then["waitP50Ms"], then["emptyMs"]) == (None, None)


async def test_a_room_switched_off_lets_all_in_at_once_whatever_the_cap(full):
    then = (await preview(full, mode="off"))["then"]
    assert then == {"waitP50Ms": 0, "waitP90Ms": 0, "emptyMs": 0, "peakActive": 30} | NO_LOBBY


async def test_the_wait_begins_at_the_opening(full):
    now = (await full.get("numbers"))["now"]
    then = (await preview(full, maxActive=100, opensAt=now + 3_600_000))["then"]
    assert then["waitP50Ms"] > 3_500_000


async def test_the_lobby_is_told_of_with_its_waits_from_the_opening_on(operator, make_sale, node):
    """Thirty are drawn in half an hour; none of them has a place yet."""
    event_id = await make_sale(mode="on", per_minute=10, max_active=100, opens_in_s=1800)
    room, boss = node.services.waiting_room, operator(event_id)
    await asyncio.gather(*(room.join(event_id, f"vs_{n}") for n in range(30)))
    await until(lambda: boss.get("numbers"), lambda now: now["lobby"] == 30)
    told = await preview(boss, perMinute=20)
    now, then = told["now"], told["then"]
    assert (then["lobby"], then["waitP90Ms"]) == (30, 0)
    assert HOUR_MS / 2 - 60_000 < then["openInMs"] <= HOUR_MS / 2
    assert 0 < then["lobbyWaitP50Ms"] < then["lobbyWaitP90Ms"] < 100_000
    assert then["lobbyWaitP90Ms"] < now["lobbyWaitP90Ms"] < 200_000, "twice the pace, half as long"
    assert then["emptyMs"] >= then["openInMs"] + then["lobbyWaitP90Ms"]
    at_once = (await preview(boss, mode="off"))["then"]
    assert (at_once["lobbyWaitP90Ms"], at_once["peakActive"]) == (0, 30)
    assert at_once["emptyMs"] == at_once["openInMs"]
    never = (await preview(boss, paused=True))["then"]
    assert (never["lobbyWaitP50Ms"], never["waitP50Ms"], never["emptyMs"]) == (None, 0, None)


async def test_shoppers_of_now_and_their_habits_are_reckoned_with(full, db):
    call = """
        insert into call (event_id, subject, call_id, place, kind, called_at, accepted_at, ends_at,
                          end_reason)
        select $1, 'vs_x' || n, 'ad_' || n, n, 'fresh', now() - interval '9 minutes',
               now() + $2::interval, now() + $3::interval, $4
        from generate_series($5::int, $6::int) n
    """
    minute = timedelta(minutes=1)
    shopping = (-8 * minute, 7 * minute, None, 101, 103)
    gone = (-8 * minute, -3 * minute, "time", 104, 108)
    lapsed = (None, None, "lapsed", 109, 116)
    for some in (shopping, gone, lapsed):
        await db.execute(call, full.event_id, *some)
    then = (await preview(full, maxActive=100))["then"]
    assert then["peakActive"] > 30, "the three who shop are inside, too"
    assert then["emptyMs"] < 60_000, "half of the calls are no-shows, and replaced at once"


async def test_a_preview_is_checked_as_a_change_is(full):
    for body in ({}, {"perMinute": -1}, {"intake": "drained"}):
        refused = await full.post("admission/preview", **body)
        assert (refused.status_code, refused.json()["code"]) == (422, "bad_request")
    missing = await full.client.post(
        "/admin/events/ev_no/admission/preview", json={"perMinute": 1}, headers=BEARER
    )
    assert missing.json()["code"] == "not_found"
