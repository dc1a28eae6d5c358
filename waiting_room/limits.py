"""How many new places one address may ask for: what makes a thousand cookies cost something.

Counted in Redis and not per node: nodes share the load evenly, so that counters of their own
would give an attacker as many shares as there are nodes. A join costs one script of two keys; who
is over the limit is remembered here and refused without asking again.

A fan who is connected here already is not counted, nor is who comes from this machine or a private
network: that is a proxy which nobody named in ONSALE_TRUSTED_PROXIES, and to limit it would stop
all fans at once; or it is a rehearsal.
"""

from __future__ import annotations

import asyncio
import logging

from redis.asyncio import Redis
from starlette.requests import HTTPConnection

from core.clients import Address, Clients, is_inside, neighbourhood_of, site_of
from core.errors import TooMany
from core.lua import LuaScript
from waiting_room.keys import key
from waiting_room.service import WaitingRoom

log = logging.getLogger(__name__)

WINDOW_MS = 3_600_000
MAX_REMEMBERED = 10_000
NAMES = {b"site": "joins_per_address", b"neighbourhood": "joins_per_network"}


class JoinLimits:
    """`per_address` and `per_network`: joins an hour and event, 0 for no limit."""

    def __init__(
        self,
        redis: Redis,
        room: WaitingRoom,
        clients: Clients,
        *,
        per_address: int,
        per_network: int,
    ) -> None:
        self._room, self._clients = room, clients
        self._script = LuaScript("waiting_room", "limit").bind(redis)
        self._per_address, self._per_network = per_address, per_network
        self._may_warn = True
        self._refused: dict[str, tuple[float, str]] = {}  # key → until when, which limit

    async def require(
        self,
        connection: HTTPConnection,
        event_id: str,
        subject: str,
        *,
        now_ms: int | None = None,
    ) -> None:
        """Count one join. Raises TooMany with the time after which there is room, or NotFound."""
        if self._room.hub.sockets_of(event_id, subject):
            return
        await self._room.generations.epoch(event_id)  # no keys for events that are not there
        address = self._clients.address_of(connection)
        if address is None or not (self._per_address or self._per_network):
            return
        if is_inside(address):
            self._warn(connection, address)
            return
        site = key(event_id, f"joins:{site_of(address)}")
        neighbourhood = key(event_id, f"joins:{neighbourhood_of(address)}")
        self._recall(site, neighbourhood)
        which, wait_ms = await self._script(
            site=site,
            neighbourhood=neighbourhood,
            now_ms="" if now_ms is None else now_ms,
            window_ms=WINDOW_MS,
            site_share=self._per_address,
            neighbourhood_share=self._per_network,
        )
        if which:
            refused = site if which == b"site" else neighbourhood
            self._remember(refused, NAMES[which], wait_ms / 1000)
            raise TooMany(NAMES[which], retry_after_s=wait_ms / 1000)

    def _warn(self, connection: HTTPConnection, address: Address) -> None:
        if self._may_warn and "x-forwarded-for" in connection.headers:
            self._may_warn = False
            why = "joins are not limited: name the proxy in ONSALE_TRUSTED_PROXIES"
            log.warning(why, extra={"proxy": str(address)})

    def _recall(self, *keys: str) -> None:
        now_s = asyncio.get_running_loop().time()
        for refused in keys:
            until_s, name = self._refused.get(refused, (0.0, ""))
            if until_s > now_s:
                raise TooMany(name, retry_after_s=until_s - now_s)

    def _remember(self, refused: str, name: str, wait_s: float) -> None:
        if len(self._refused) >= MAX_REMEMBERED:
            self._refused.clear()  # whoever is over the limit is found out again
        self._refused[refused] = (asyncio.get_running_loop().time() + wait_s, name)
