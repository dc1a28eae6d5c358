"""From the lobby to the draw, on nodes with their rounds running."""

import asyncio
from hashlib import sha256

import orjson
import pytest

from core.errors import StoreUnavailable
from tests.live_clients import Pulled
from tests.waiting import LIMIT_S, until
from waiting_room.draw.policy import commitment, merkle_root, order
from waiting_room.draw.verify_draw import root_of_proof
from waiting_room.errors import BadReceipt, NotOpen, QueueClosed

LOBBY = {"mode": "on", "max_active": 0, "opens_in_s": 3600}


@pytest.fixture
async def lobby(make_known_sale):
    """An event whose sale opens in an hour, or when `open_now` says so."""
    return await make_known_sale(**LOBBY)


async def open_now(room, event_id, **changes):
    version = (await room.settings(event_id)).version
    await room.change_settings(event_id, version, opens_at_ms=1, **changes)


async def places(room, event_id, fans):
    async def ask():
        return [await room.state(event_id, fan) for fan in fans]

    told = await until(
        ask, lambda said: all(s["state"] == "waiting" for s in said), despite=StoreUnavailable
    )
    return {fan: said["place"] for fan, said in zip(fans, told, strict=True)}


async def drawn(room, event_id):
    return await until(lambda: room.draws.rows.get(event_id), lambda draw: draw.laid)


async def test_before_the_opening_a_fan_is_in_the_lobby_once_and_can_leave_it(nodes, lobby):
    first = await nodes[0].join(lobby, "vs_fan")
    again = await nodes[1].join(lobby, "vs_fan")
    assert first["state"] == again["state"] == "lobby"
    assert (first["entryId"], first["receipt"]) == (again["entryId"], again["receipt"])
    await nodes[0].join(lobby, "vs_other")
    said = await until(lambda: nodes[1].state(lobby, "vs_fan"), lambda s: s["inLobby"] == 2)
    assert said["opensAt"] > said["now"]
    assert (await nodes[0].leave(lobby, "vs_fan"))["state"] == "none"
    assert (await nodes[1].where(lobby, "vs_fan")).kind == "none"
    assert (await nodes[0].join(lobby, "vs_fan"))["entryId"] != first["entryId"]


async def test_a_lobby_that_opens_later_refuses_until_then(nodes, make_known_sale):
    event_id = await make_known_sale(mode="on", opens_in_s=3600)
    opens_at_ms = (await nodes[0].settings(event_id)).opens_at_ms
    room = await nodes[0].change_settings(event_id, 1, lobby_opens_at_ms=opens_at_ms - 1000)
    assert (await nodes[0].state(event_id, "vs_fan"))["state"] == "early"
    with pytest.raises(NotOpen):
        await nodes[0].join(event_id, "vs_fan")
    await nodes[0].change_settings(event_id, room.version, lobby_opens_at_ms=0)
    assert (await nodes[0].join(event_id, "vs_fan"))["state"] == "lobby"


async def test_the_draw_gives_everybody_of_the_lobby_a_place_and_later_fans_come_behind(
    nodes, lobby
):
    fans = [f"vs_{n}" for n in range(25)]
    entries = {fan: (await nodes[n % 2].join(lobby, fan))["entryId"] for n, fan in enumerate(fans)}
    await open_now(nodes[0], lobby)
    late = await nodes[1].join(lobby, "vs_late")
    assert (late["state"], late["place"]) == ("waiting", 26)
    given = await places(nodes[0], lobby, fans)
    assert sorted(given.values()) == list(range(1, 26))

    draw = await drawn(nodes[0], lobby)
    ids = sorted(entry.encode() for entry in entries.values())
    assert draw.root == merkle_root(ids)
    by_order = [ids[index] for index in order(draw.seed, b"", draw.root, ids)]
    assert [entries[fan].encode() for fan in sorted(fans, key=given.get)] == by_order
    await until(lambda: nodes[1].state(lobby, "vs_late"), lambda said: said["rank"] == 26)


async def test_the_commitment_stands_from_the_beginning_and_the_seed_comes_after_the_list(
    nodes, lobby, db
):
    before = await nodes[0].draws.rows.get(lobby)
    assert not before.ordered
    await nodes[0].join(lobby, "vs_fan")
    await open_now(nodes[0], lobby)
    after = await drawn(nodes[1], lobby)
    assert after.seed == before.seed
    assert commitment(after.seed) == sha256(before.seed).digest()
    assert len(set(await db.fetchval("select array_agg(seed) from draw"))) == 1


async def test_every_entry_has_a_proof_that_leads_to_the_root(nodes, lobby):
    fans = [f"vs_{n}" for n in range(7)]
    entries = [(await nodes[0].join(lobby, fan))["entryId"] for fan in fans]
    await open_now(nodes[0], lobby)
    given = await places(nodes[0], lobby, fans)
    draw = await drawn(nodes[0], lobby)
    for fan, entry_id in zip(fans, entries, strict=True):
        proof = await nodes[1].draws.rows.proof(lobby, entry_id)
        assert root_of_proof(proof.leaf, proof.index, 7, proof.path) == draw.root
        assert proof.place == given[fan]


async def test_who_leaves_between_opening_and_draw_stays_in_the_list_and_gets_no_place(
    build_room, make_sale
):
    lobby = await make_sale(**LOBBY)
    room = build_room()  # without rounds: every step is taken by hand
    for fan in ("vs_stays", "vs_leaves"):
        await room.join(lobby, fan)
    await open_now(room, lobby)
    epoch, floor = await room.at(lobby)
    closed = await room.draws.store.close(lobby, epoch, floor)
    assert (closed.entries, closed.base, closed.drawn_up_to) == (2, 0, 0)
    assert (await room.where(lobby, "vs_leaves")).kind == "drawing"
    await room.leave(lobby, "vs_leaves")
    await room.draws.run(lobby)
    assert (await room.where(lobby, "vs_stays")).kind == "waiting"
    assert (await room.where(lobby, "vs_leaves")).kind == "none"
    assert (await room.draws.rows.get(lobby)).entries == 2
    assert (await room.join(lobby, "vs_leaves"))["place"] == 3


async def test_a_fan_on_a_socket_is_told_lobby_drawing_or_place_by_whichever_node(
    nodes, lobby, live
):
    sockets = {}
    for n in range(6):
        fan, room = f"vs_{n}", nodes[n % 2]
        await room.join(lobby, fan)
        sockets[fan] = Pulled.socket(live)
        await room.hub.connect(lobby, fan, sockets[fan].connection)
    await open_now(nodes[1], lobby)
    given = {}
    async with asyncio.timeout(LIMIT_S):
        for fan, socket in sockets.items():
            while fan not in given:
                for frame in await socket.frames():
                    said = orjson.loads(frame.data or b"{}")  # a beat says nothing
                    assert said.get("state") in {"lobby", "drawing", "waiting", None}
                    if said.get("state") == "waiting":
                        given[fan] = said["place"]
    assert sorted(given.values()) == [1, 2, 3, 4, 5, 6]


async def test_a_receipt_gives_the_entry_back_when_redis_lost_the_lobby(nodes, lobby, redis):
    mine = await nodes[0].join(lobby, "vs_fan")
    await redis.flushall()
    back = await until(
        lambda: nodes[1].join(lobby, "vs_fan", None, mine["receipt"]),
        lambda said: said["state"] == "lobby",
        despite=StoreUnavailable,
    )
    assert (back["entryId"], back["receipt"]) == (mine["entryId"], mine["receipt"])
    for forged in ("x", mine["receipt"][:-70] + "A" * 70 + ".x", "a.e30.b", ""):
        if forged and forged.split(".")[1:2] != mine["receipt"].split(".")[1:2]:
            with pytest.raises(BadReceipt):
                await nodes[0].join(lobby, "vs_fan", None, forged)
    with pytest.raises(BadReceipt):
        await nodes[0].join(lobby, "vs_thief", None, mine["receipt"])


async def test_fans_connected_when_redis_loses_the_lobby_are_in_it_again(nodes, lobby, redis, live):
    joined = {}
    for n in range(4):
        fan, room = f"vs_{n}", nodes[n % 2]
        joined[fan] = (await room.join(lobby, fan))["entryId"]
        await room.hub.connect(lobby, fan, Pulled.socket(live).connection)
    await redis.flushall()
    for fan, entry_id in joined.items():
        back = await until(
            lambda fan=fan: nodes[0].state(lobby, fan),
            lambda said: said["state"] == "lobby",
            despite=StoreUnavailable,
        )
        assert back["entryId"] == entry_id


async def test_after_the_loss_of_redis_the_draw_is_laid_again_to_the_same_places(
    nodes, lobby, redis, db
):
    fans = [f"vs_{n}" for n in range(12)]
    for fan in fans:
        await nodes[0].join(lobby, fan)
    await open_now(nodes[0], lobby)
    given = await places(nodes[0], lobby, fans)
    await nodes[0].leave(lobby, "vs_5")
    await drawn(nodes[0], lobby)
    await redis.flushall()
    still = [fan for fan in fans if fan != "vs_5"]
    assert await places(nodes[1], lobby, still) == {fan: given[fan] for fan in still}
    assert (await nodes[1].where(lobby, "vs_5")).kind == "none"
    newcomer = await nodes[1].join(lobby, "vs_new")
    assert newcomer["place"] > 12


async def test_who_was_called_before_the_loss_is_not_laid_again(nodes, make_known_sale, redis):
    event_id = await make_known_sale(mode="on", max_active=2, opens_in_s=3600)
    fans = [f"vs_{n}" for n in range(6)]
    for fan in fans:
        await nodes[0].join(event_id, fan)
    await open_now(nodes[0], event_id)
    calls = await until(lambda: nodes[0].calls(event_id), lambda said: len(said) == 2)
    assert sorted(call["place"] for call in calls) == [1, 2]
    await drawn(nodes[0], event_id)
    await redis.flushall()
    called = {call["subject"] for call in calls}
    rest = [fan for fan in fans if fan not in called]
    assert sorted((await places(nodes[1], event_id, rest)).values()) == [3, 4, 5, 6]
    for fan in called:
        assert (await nodes[1].where(event_id, fan)).kind == "called"


async def test_a_named_beacon_is_waited_for_and_goes_into_the_order(nodes, lobby):
    rows = nodes[0].draws.rows
    assert await rows.name_beacon(lobby, "round 7")
    fans = [f"vs_{n}" for n in range(9)]
    entries = {fan: (await nodes[0].join(lobby, fan))["entryId"] for fan in fans}
    assert not await rows.give_beacon(lobby, b"too early")
    await open_now(nodes[0], lobby)
    fixed = await until(lambda: rows.get(lobby), lambda draw: draw.root)
    assert not fixed.ordered
    assert (await nodes[0].where(lobby, "vs_1")).kind == "drawing"
    assert not await rows.name_beacon(lobby, "another round")
    assert await rows.give_beacon(lobby, b"\x01\x02")
    assert not await rows.give_beacon(lobby, b"\x03")
    given = await places(nodes[1], lobby, fans)
    draw = await drawn(nodes[0], lobby)
    ids = sorted(entry.encode() for entry in entries.values())
    by_order = [ids[index] for index in order(draw.seed, b"\x01\x02", draw.root, ids)]
    assert [entries[fan].encode() for fan in sorted(fans, key=given.get)] == by_order


async def test_a_beacon_that_never_came_is_given_up_and_the_draw_goes_on(nodes, lobby):
    rows = nodes[0].draws.rows
    await rows.name_beacon(lobby, "round 7")
    await nodes[0].join(lobby, "vs_fan")
    assert not await rows.give_beacon_up(lobby)
    await open_now(nodes[0], lobby)
    await until(lambda: rows.get(lobby), lambda draw: draw.root)
    assert await rows.give_beacon_up(lobby)
    draw = await drawn(nodes[0], lobby)
    assert draw.beacon == b""


async def test_a_sale_that_opens_with_an_empty_lobby_is_drawn_of_nobody(nodes, lobby):
    await open_now(nodes[0], lobby)
    assert (await nodes[1].state(lobby, "vs_fan"))["state"] == "none"
    draw = await drawn(nodes[0], lobby)
    assert (draw.entries, draw.root) == (0, sha256(b"").digest())
    assert (await nodes[0].join(lobby, "vs_fan"))["place"] == 1


async def test_a_room_switched_off_lets_the_lobby_straight_in_at_the_opening(nodes, lobby):
    await nodes[0].join(lobby, "vs_fan")
    await open_now(nodes[0], lobby, mode="off")
    await until(lambda: nodes[1].state(lobby, "vs_fan"), lambda said: said["state"] == "admitted")


async def test_a_receipt_of_an_entry_that_had_its_draw_opens_no_closed_room(nodes, lobby):
    mine = await nodes[0].join(lobby, "vs_fan")
    await open_now(nodes[0], lobby)
    await until(lambda: nodes[0].state(lobby, "vs_fan"), lambda said: said["state"] == "waiting")
    await nodes[0].leave(lobby, "vs_fan")
    version = (await nodes[0].settings(lobby)).version
    await nodes[0].change_settings(lobby, version, intake="closed")
    with pytest.raises(QueueClosed):
        await nodes[1].join(lobby, "vs_fan", None, mine["receipt"])
