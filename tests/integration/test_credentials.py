"""What a caller shows: forged, replayed, another's, another event's, expired. Each has its code.

docs/protocol.md has the table, and each cell of it is tried here: refused with its status and code,
counted, and nothing changed by it: no place, call, admission, hold or exchange.
"""

import re
from pathlib import Path

import pytest

from core.edge import HTTP_STATUS
from core.signing import Keys
from tests.waiting import until
from waiting_room.keys import key
from waiting_room.passes.signed import Passes

PROTOCOL = (Path(__file__).parents[2] / "docs/protocol.md").read_text()
ROW = r"^\| (visitor id|slip|pass|exchange code) \| (.+) \|$"
MISUSES = ("forged", "replayed", "another's", "another event's", "expired")
SHOP = "https://shop.example/tickets"
FOREIGN = Keys("t" * 32)  # a forger's secret
NOW_MS = 1_900_000_000_000


def table():
    """(credential, misuse) → code, as docs/protocol.md has it; '' where the cell can't exist."""
    cells = {}
    for row in re.findall(ROW, PROTOCOL, re.MULTILINE):
        told = [re.sub(r"`|–.*", "", cell).strip() for cell in row[1].split(" | ")]
        cells |= {(row[0], misuse): code for misuse, code in zip(MISUSES, told, strict=True)}
    return cells


class Sale:
    """A room with a shop, two fans in it, and what they were given."""

    def __init__(self, fan, make_sale, db, redis, node):
        self.fan, self.make_sale, self.db, self.redis, self.node = fan, make_sale, db, redis, node

    async def begin(self, **room):
        self.event_id = await self.make_sale(**room)
        self.other_event = await self.make_sale(**room)
        for event_id in (self.event_id, self.other_event):
            await self.db.execute("insert into shop values ($1, $2)", event_id, [SHOP])
        self.mine, self.other = self.fan(), self.fan()
        for client in (self.other, self.mine):
            said = await self.join(client)
        self.said = said
        return self

    async def join(self, client, event_id=None, **body):
        path = f"/events/{event_id or self.event_id}/queue"
        return (await client.post(path, json=body)).json()

    async def leave(self):
        await self.mine.post(f"/events/{self.event_id}/queue/leave", json={})

    async def subject(self, client):
        return client.cookies["onsale_visitor"].partition(".")[0]

    async def code(self, client, event_id):
        path = f"/events/{event_id}/queue/return"
        location = (await client.post(path, json={"return": SHOP})).json()["location"]
        return location.partition("onsale_code=")[2]

    async def truth(self):
        """Everything that decides who has what."""
        seen = {}
        for event_id in (self.event_id, self.other_event):
            for name in ("queue", "calling", "calls", "active"):
                there = key(event_id, name)
                seen[there] = await self.redis.zrange(there, 0, -1, withscores=True)
            for name in ("admission", "lobby"):
                seen[key(event_id, name)] = await self.redis.hgetall(key(event_id, name))
            last_place = await self.redis.hget(key(event_id, "state"), "last_place")
            seen[event_id] = int(last_place or 0)
            seen[f"sm {event_id}"] = await self.redis.hgetall(f"sm:{{{event_id}}}:holds")
        for named in ("call", "exchange", "revocation", "given_up", "booking", "audit"):
            rows = await self.db.fetch(f"select * from {named} as t order by t::text")
            seen[named] = [tuple(row) for row in rows]
        return seen

    async def counted(self, code):
        text = (await self.fan().get("/metrics")).text
        line = rf'^onsale_refused_total{{code="{code}"}} (\S+)$'
        return float(re.search(line, text, re.MULTILINE)[1])


# Each cell: the sale as it must be, and the call that shows what should not be good.


async def a_forged_visitor_id(sale):
    name, _, mac = sale.other.cookies["onsale_visitor"].partition(".")
    client = sale.fan()
    client.cookies.set("onsale_visitor", f"{name}.{mac[::-1]}")
    return lambda: client.post(f"/events/{sale.event_id}/queue", json={})


def shown(sale, slip, client=None):
    path = f"/events/{sale.event_id}/queue"
    return lambda: (client or sale.mine).post(path, json={"slip": slip})


async def a_forged_slip(sale):
    mine = sale.said["slip"].split(".")
    await sale.leave()
    return shown(sale, ".".join(("1", *mine[1:])))


async def a_slip_of_a_foreign_house(sale):
    await sale.leave()
    subject = await sale.subject(sale.mine)
    return shown(sale, Passes(FOREIGN).slip(sale.event_id, subject, 1, 1))


async def a_slip_of_a_place_given_up(sale):
    await sale.leave()
    return shown(sale, sale.said["slip"])


async def a_slip_of_a_place_given_up_before_redis_lost_it(sale):
    await sale.leave()
    await sale.redis.flushall()
    path = f"/events/{sale.event_id}/queue"
    await until(lambda: sale.other.get(path), lambda reply: reply.status_code == 200)
    return shown(sale, sale.said["slip"])


async def a_slip_of_a_place_that_was_called(sale):
    room = sale.node.services.waiting_room
    version = (await room.settings(sale.event_id)).version
    await room.change_settings(sale.event_id, version, max_active=5)
    path = f"/events/{sale.event_id}/queue"
    await until(lambda: sale.mine.get(path), lambda reply: reply.json()["state"] == "called")
    await sale.mine.post(f"{path}/accept", json={})
    await sale.leave()
    return shown(sale, sale.said["slip"])


async def a_slip_of_a_place_taken_back(sale):
    bearer = {"authorization": "Bearer admin-token-of-the-tests"}
    body = {"subject": await sale.subject(sale.mine), "reason": "A robot."}
    await sale.mine.post(f"/admin/events/{sale.event_id}/revoke", json=body, headers=bearer)
    return shown(sale, sale.said["slip"])


async def anothers_slip(sale):
    theirs = (await sale.join(sale.other))["slip"]
    await sale.leave()
    return shown(sale, theirs)


async def another_events_slip(sale):
    elsewhere = (await sale.join(sale.mine, sale.other_event))["slip"]
    await sale.leave()
    return shown(sale, elsewhere)


async def a_slip_that_the_queue_went_past(sale):
    """As tick.lua does with who is away at the head."""
    subject = await sale.subject(sale.mine)
    await sale.redis.zrem(key(sale.event_id, "queue"), subject)
    return shown(sale, sale.said["slip"])


def holds(sale, text, client=None):
    path, body = f"/events/{sale.event_id}/holds", {"ticketIds": [f"{sale.event_id}-1"]}
    bearer = {"authorization": f"Bearer {text}"}
    return lambda: (client or sale.mine).post(path, json=body, headers=bearer)


async def a_forged_pass(sale):
    subject, call_id = await sale.subject(sale.mine), sale.said["admissionId"]
    times = {"now_ms": NOW_MS, "ends_ms": NOW_MS + 60_000}
    return holds(sale, Passes(FOREIGN).issue(sale.event_id, subject, call_id, **times))


async def a_pass_whose_turn_was_given_up(sale):
    await sale.leave()
    return holds(sale, sale.said["pass"])


async def a_pass_of_the_turn_before(sale):
    await sale.leave()
    assert (await sale.join(sale.mine))["state"] == "admitted"
    return holds(sale, sale.said["pass"])


async def a_pass_whose_turn_was_given_up_at_a_shop(sale):
    await sale.leave()
    bearer = {"authorization": f"Bearer {sale.said['pass']}"}
    path = f"/admissions/check?event={sale.event_id}"
    return lambda: sale.fan().get(path, headers=bearer)


async def anothers_pass(sale):
    return holds(sale, (await sale.join(sale.other))["pass"])


async def another_events_pass(sale):
    return holds(sale, (await sale.join(sale.mine, sale.other_event))["pass"])


async def an_expired_pass(sale):
    room, subject = sale.node.services.waiting_room, await sale.subject(sale.mine)
    then_ms = sale.said["now"] - 120_000
    times = {"now_ms": then_ms, "ends_ms": then_ms + 60_000}
    call_id = sale.said["admissionId"]
    return holds(sale, room.passes.issue(sale.event_id, subject, call_id, **times))


def exchanges(sale, code, **body):
    shop = sale.fan()
    return lambda: shop.post("/admissions/exchange", json={"code": code, **body})


async def a_forged_code(sale):
    return exchanges(sale, "xc_" + "a" * 26)


async def a_code_used_before(sale):
    code = await sale.code(sale.mine, sale.event_id)
    assert (await exchanges(sale, code)()).status_code == 200
    return exchanges(sale, code)


async def another_events_code(sale):
    await sale.join(sale.mine, sale.other_event)
    code = await sale.code(sale.mine, sale.other_event)
    return exchanges(sale, code, event=sale.event_id)


async def an_expired_code(sale):
    code = await sale.code(sale.mine, sale.event_id)
    await sale.db.execute("update exchange set expires_at = now()")
    return exchanges(sale, code)


QUEUE = {"mode": "on", "max_active": 0}
OPEN = {"mode": "auto", "per_minute": 60_000}
ATTEMPTS = [
    ("visitor id", "forged", QUEUE, a_forged_visitor_id),
    ("slip", "forged", QUEUE, a_forged_slip),
    ("slip", "forged", QUEUE, a_slip_of_a_foreign_house),
    ("slip", "replayed", QUEUE, a_slip_of_a_place_given_up),
    ("slip", "replayed", QUEUE, a_slip_of_a_place_given_up_before_redis_lost_it),
    ("slip", "replayed", QUEUE, a_slip_of_a_place_that_was_called),
    ("slip", "replayed", QUEUE, a_slip_of_a_place_taken_back),
    ("slip", "another's", QUEUE, anothers_slip),
    ("slip", "another event's", QUEUE, another_events_slip),
    ("slip", "expired", QUEUE, a_slip_that_the_queue_went_past),
    ("pass", "forged", OPEN, a_forged_pass),
    ("pass", "replayed", OPEN, a_pass_whose_turn_was_given_up),
    ("pass", "replayed", OPEN, a_pass_of_the_turn_before),
    ("pass", "replayed", OPEN, a_pass_whose_turn_was_given_up_at_a_shop),
    ("pass", "another's", OPEN, anothers_pass),
    ("pass", "another event's", OPEN, another_events_pass),
    ("pass", "expired", OPEN, an_expired_pass),
    ("exchange code", "forged", OPEN, a_forged_code),
    ("exchange code", "replayed", OPEN, a_code_used_before),
    ("exchange code", "another event's", OPEN, another_events_code),
    ("exchange code", "expired", OPEN, an_expired_code),
]


def test_the_table_has_every_cell_and_each_that_can_exist_is_tried():
    cells = table()
    assert len(cells) == 4 * len(MISUSES)
    tried = {(credential, misuse) for credential, misuse, _, _ in ATTEMPTS}
    assert tried == {cell for cell, code in cells.items() if code}
    codes = [code for code in cells.values() if code]
    assert len(set(codes)) == len(codes)  # each its own


@pytest.mark.parametrize(
    ("credential", "misuse", "room", "attempt"), ATTEMPTS, ids=lambda v: getattr(v, "__name__", "")
)
async def test_it_is_refused_with_its_own_code_and_counted_and_changes_nothing(
    credential, misuse, room, attempt, fan, make_sale, db, redis, node
):
    sale = await Sale(fan, make_sale, db, redis, node).begin(**room)
    code = table()[credential, misuse]
    show = await attempt(sale)
    before, counted = await sale.truth(), await sale.counted(code)
    reply = await show()
    assert (reply.status_code, reply.json().get("code")) == (HTTP_STATUS[code], code)
    assert await sale.counted(code) == counted + 1
    assert await sale.truth() == before


async def test_who_was_refused_a_slip_gets_a_new_place_without_it(fan, make_sale, db, redis, node):
    sale = await Sale(fan, make_sale, db, redis, node).begin(**QUEUE)
    refused = await (await a_slip_of_a_place_given_up(sale))()
    assert refused.json()["title"].endswith("Without its slip you get a new one at the end.")
    assert (await sale.join(sale.mine))["place"] > sale.said["place"]


@pytest.mark.parametrize("attempt", [a_forged_slip, anothers_slip, another_events_slip])
async def test_a_slip_that_is_not_good_is_refused_to_who_has_a_place_and_the_place_stays(
    attempt, fan, make_sale, db, redis, node
):
    sale = await Sale(fan, make_sale, db, redis, node).begin(**QUEUE)
    show = await attempt(sale)
    mine = await sale.join(sale.mine)
    assert (await show()).status_code in {403, 422}
    assert (await sale.join(sale.mine))["place"] == mine["place"]
