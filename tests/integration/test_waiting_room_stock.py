"""Waiting fans are told when nothing is left to choose, and when a seat comes back."""

from __future__ import annotations

import pytest

from core.errors import StoreUnavailable
from tests.waiting import until
from waiting_room.node.stock import STEADY_S, Seen, Stock, looked


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([(True, 0)], False),
        ([(True, 0), (True, STEADY_S - 1)], False),
        ([(True, 0), (True, STEADY_S)], True),
        ([(True, 0), (False, 1), (True, STEADY_S)], False),
        ([(True, 0), (True, STEADY_S), (False, 6), (False, 6 + STEADY_S)], False),
        ([(True, 0), (True, STEADY_S), (False, 6), (True, 7), (False, 6 + STEADY_S)], True),
    ],
)
def test_an_answer_is_told_when_it_has_held(answers, told):
    seen = Seen()
    for gone, now_s in answers:
        seen = looked(seen, gone=gone, now_s=now_s)
    assert seen.gone is told


async def test_fans_hear_that_all_is_in_baskets_and_that_a_seat_is_back(node, fan, make_sale):
    event_id, shopper, waiter = await make_sale(seats=2, mode="auto", max_active=1), fan(), fan()
    room, stock = node.services.waiting_room, node.services.stock
    counts = node.services.seat_map.counts
    await stock.stop()  # the test looks itself, at times of its own
    assert (await _join(shopper, event_id))["state"] == "admitted"
    assert (await _join(waiter, event_id))["state"] == "waiting"
    tickets = {"ticketIds": [f"{event_id}-{seat}" for seat in range(2)]}
    held = await shopper.post(f"/events/{event_id}/holds", json=tickets)
    assert held.status_code == 201
    await _counted(room, event_id)
    await until(lambda: counts(event_id), lambda count: count["available"] == 0)
    before = (await room.hub.view(event_id)).terms

    for now_s in (0, STEADY_S):
        await room.hub.view(event_id)
        await stock.look(now_s)
    assert (await _state(waiter, event_id))["allGone"] is True
    assert (await room.hub.view(event_id)).terms != before, "nobody would be told"

    await shopper.delete(f"/events/{event_id}/holds/{held.json()['holdId']}")
    await until(lambda: counts(event_id), lambda count: count["available"] == 2)
    for now_s in (10, 10 + STEADY_S):
        await stock.look(now_s)
    assert (await _state(waiter, event_id))["allGone"] is False


async def test_while_the_map_does_not_answer_what_was_said_stays(node, fan, make_sale):
    event_id, waiter = await make_sale(mode="on", max_active=0), fan()
    room = node.services.waiting_room
    await node.services.stock.stop()
    await _join(waiter, event_id)
    await _counted(room, event_id)
    answers: list[int | Exception] = [0, 0, StoreUnavailable("away"), 5]

    async def available(_: str) -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    stock, told = Stock(room.hub.views, available), []
    for now_s in (0, STEADY_S, 2 * STEADY_S, 3 * STEADY_S):
        await room.hub.view(event_id)
        await stock.look(now_s)
        told.append((await _state(waiter, event_id))["allGone"])
    assert told == [False, True, True, True]


async def _counted(room, event_id):
    """The node's copy is a round old: until it knows of the fan who waits."""
    await until(lambda: room.hub.view(event_id), lambda view: view.counts.waiting == 1)


async def _join(client, event_id):
    return (await client.post(f"/events/{event_id}/queue", json={})).json()


async def _state(client, event_id):
    return (await client.get(f"/events/{event_id}/queue")).json()
