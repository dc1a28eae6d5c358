"""`onsale rehearse --attack`: what share of the front places one person with many cookies gets.

Two nodes of its own, on stores of their own, one with join limits and one without; what is
running elsewhere is left alone. For each number of identities, each order (first come, and a
draw), and with and without limits, a queue of its own: honest fans with an address each, one
attacker with one address. The attacker is as quick as can be, and has asked for all its places
before the first fan asks for one. The *front* is as long as there are honest fans: the places
that would all be theirs if nobody cheated.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Literal

import httpx

from app.main import Addresses, Node
from config.settings import Settings
from core.cookies import cookie_name
from core.db import Db, load_queries

IDENTITIES = (1, 10, 100, 1000)
AT_ONCE = 50
LOOKS_AT_ONCE = 200
MAX_TRIES, RETRY_S = 50, 0.2  # of a join, while the machine has other things to do
DRAWN_WITHIN_S = 60
LOBBY_S = 3600  # the draw's opening is moved to now once everybody is in
ATTACKER = "198.51.100.7"

Order = Literal["first come", "draw"]
ORDERS: tuple[Order, ...] = ("first come", "draw")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    order: Order
    identities: int
    limited: bool

    @property
    def event_id(self) -> str:
        limits = "limits" if self.limited else "free"
        return f"ev_attack_{self.order.split()[0]}_{self.identities}_{limits}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    scenario: Scenario
    places: int  # that the attacker got
    in_front: int
    fans: int

    @property
    def share(self) -> float:
        return self.in_front / self.fans


def settings_for(settings: Settings, folder: str, *, limited: bool) -> Settings:
    """Of a node that stands on stores in `folder`, whatever the environment names."""
    changes: dict[str, object] = {"data_dir": Path(folder), "redis_url": None}
    changes |= {"database_url": None, "demo": True, "crowd": False, "public_url": ""}
    if not limited:
        changes |= {"joins_per_address": 0, "joins_per_network": 0}
    return settings.model_copy(update=changes)


async def run(settings: Settings, addresses: Addresses, fans: int) -> list[Outcome]:
    """Play every scenario. `settings` are those with limits; the schema is up to date."""
    scenarios = [
        Scenario(order=order, identities=identities, limited=limited)
        for order in ORDERS
        for identities in IDENTITIES
        for limited in (False, True)
    ]
    folder = str(settings.data_dir)
    async with AsyncExitStack() as stack:
        nodes = {
            limited: await stack.enter_async_context(
                _node(settings_for(settings, folder, limited=limited), addresses)
            )
            for limited in (True, False)
        }
        await _make_queues(addresses, scenarios)
        return [await _play(nodes[one.limited], one, fans) for one in scenarios]


def print_table(outcomes: Sequence[Outcome]) -> None:
    fans = outcomes[0].fans
    print(f"one attacker against {fans} fans; the front is the first {fans} places")
    print("order        limits   identities   places got   share of the front")
    for outcome in outcomes:
        one = outcome.scenario
        limits = "on" if one.limited else "off"
        print(
            f"{one.order:12} {limits:6} {one.identities:12,} {outcome.places:12,}"
            f" {outcome.share:18.1%}"
        )


@asynccontextmanager
async def _node(settings: Settings, addresses: Addresses) -> AsyncIterator[Node]:
    """Without a socket: callers name the address that they come from."""
    node = await Node.open(settings, addresses, secret="a" * 32, admin_token="a" * 32)
    try:
        await node.seed_demo()
        async with node.app.router.lifespan_context(node.app):
            yield node
    finally:
        await node.close()


async def _make_queues(addresses: Addresses, scenarios: Sequence[Scenario]) -> None:
    queries = load_queries("app.rehearsal")
    db = await Db.open(addresses.database_url, max_connections=1)
    for one in scenarios:
        await db.execute(queries["attack_event"], one.event_id)
        opens_in_s = LOBBY_S if one.order == "draw" else -1
        await db.execute(queries["attack_room"], one.event_id, opens_in_s)
    await db.close()


async def _play(node: Node, scenario: Scenario, fans: int) -> Outcome:
    attackers = await _join(node, scenario, [ATTACKER] * scenario.identities)
    honest = await _join(node, scenario, [_address(n) for n in range(fans)])
    if scenario.order == "draw":
        await _open(node, scenario.event_id)
    places = await _places(node, scenario.event_id, [*attackers, *honest])
    front = sorted(places, key=places.__getitem__)[:fans]
    return Outcome(
        scenario=scenario,
        places=len(attackers),
        in_front=len(set(front) & set(attackers)),
        fans=fans,
    )


async def _join(node: Node, scenario: Scenario, peers: Sequence[str]) -> list[str]:
    """One new visitor from each address; the subjects of those who were let in."""
    lane = asyncio.Semaphore(AT_ONCE)
    cookie = cookie_name("visitor", secure=node.app.state.cookies.secure)

    async def one(peer: str) -> str | None:
        transport = httpx.ASGITransport(app=node.app, client=(peer, 1))
        async with lane, httpx.AsyncClient(transport=transport, base_url="http://onsale") as fan:
            for _ in range(MAX_TRIES):
                reply = await fan.post(f"/events/{scenario.event_id}/queue", json={})
                if reply.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                    break
                await asyncio.sleep(RETRY_S)
            return fan.cookies[cookie].partition(".")[0] if reply.is_success else None

    joined = await asyncio.gather(*map(one, peers))
    return [subject for subject in joined if subject]


async def _open(node: Node, event_id: str) -> None:
    room = node.services.waiting_room
    settings = await room.settings(event_id)
    await room.change_settings(event_id, settings.version, opens_at_ms=1)


async def _places(node: Node, event_id: str, subjects: Sequence[str]) -> dict[str, int]:
    """Everybody's place, once all have one."""
    room = node.services.waiting_room
    async with asyncio.timeout(DRAWN_WITHIN_S):
        while True:
            found = []
            for begin in range(0, len(subjects), LOOKS_AT_ONCE):
                found += await room.standings(event_id, subjects[begin : begin + LOOKS_AT_ONCE])
            if all(standing.kind == "waiting" for standing in found):
                return {one: s.number for one, s in zip(subjects, found, strict=True)}
            await asyncio.sleep(0.1)


def _address(n: int) -> str:
    """Of honest fan `n`, alone in a network."""
    return f"100.{64 + n // 256}.{n % 256}.1"
