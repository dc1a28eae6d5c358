"""How many of a node's live connections one visitor may have, and one address.

A connection stays for hours, and anybody may ask for one. A visitor has a few tabs; whoever
makes themselves visitors by the thousand comes from few addresses. This machine and private
networks are not counted as addresses: that is a proxy which nobody named, as in `core.clients`.
"""

from __future__ import annotations

from collections import Counter

from starlette.requests import HTTPConnection

from core.clients import Clients, is_inside, site_of
from core.errors import TooMany

Share = tuple[str, ...]


class Shares:
    """Of connections of one kind, `sockets` or `streams`. `per_address`: 0 for no limit."""

    def __init__(self, clients: Clients, kind: str, *, per_visitor: int, per_address: int) -> None:
        self._clients, self._kind = clients, kind
        self._per_visitor, self._per_address = per_visitor, per_address
        self._open: Counter[str] = Counter()

    def take(self, connection: HTTPConnection, event_id: str, visitor: str | None) -> Share:
        """One more for this visitor of the event and this address: give it back at the end.

        Raises TooMany, and takes nothing.
        """
        share = []
        if visitor is not None:
            share.append(self._below(f"{event_id} {visitor}", self._per_visitor, "visitor"))
        address = self._clients.address_of(connection)
        if self._per_address and address is not None and not is_inside(address):
            share.append(self._below(str(site_of(address)), self._per_address, "address"))
        self._open.update(share)
        return tuple(share)

    def give_back(self, share: Share) -> None:
        for key in share:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]

    def _below(self, key: str, limit: int, whose: str) -> str:
        if self._open[key] >= limit:
            raise TooMany(f"max_{self._kind}_per_{whose}")
        return key
