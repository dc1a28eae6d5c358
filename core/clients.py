"""Which address a call comes from, and which network that is. Pure.

Behind a proxy the peer is the proxy, and the client is named in X-Forwarded-For, which anybody
may send. So it is read from the right, where the nearest proxy wrote, and only as far as proxies
of ours wrote it: the first address that is none of theirs is the client's. With no proxy named,
the header counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from starlette.requests import HTTPConnection

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_HOPS = 20  # entries of X-Forwarded-For that are looked at
# What one household or one server has, and what one provider gives out in a row.
SITE_BITS = {4: 32, 6: 64}
NEIGHBOURHOOD_BITS = {4: 24, 6: 48}


# This machine and private networks: no fan of the public internet has such an address.
INSIDE = tuple(
    map(
        ip_network,
        (
            *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
            *("::1/128", "fc00::/7", "fe80::/10"),
        ),
    )
)


class Clients:
    """Knows the proxies in front of us. `trusted`: their addresses and networks."""

    def __init__(self, trusted: Iterable[Network] = ()) -> None:
        self._trusted = tuple(trusted)

    def address_of(self, connection: HTTPConnection) -> Address | None:
        """None when the server does not know it, as behind a Unix socket."""
        peer = connection.client
        forwarded = connection.headers.getlist("x-forwarded-for")
        return None if peer is None else self.resolve(peer.host, forwarded)

    def resolve(self, peer: str, forwarded: Sequence[str]) -> Address | None:
        """`forwarded`: the values of each X-Forwarded-For header, in the order they came."""
        address = parse(peer)
        hops = ",".join(forwarded).split(",")[-MAX_HOPS:]
        while address is not None and hops and self._is_ours(address):
            named = parse(hops.pop().strip())
            if named is None:
                break
            address = named
        return address

    def _is_ours(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def parse(text: str) -> Address | None:
    """An IPv4 address that came as IPv6 (`::ffff:…`) is an IPv4 address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def parse_networks(text: str) -> tuple[Network, ...]:
    """`127.0.0.1, 10.0.0.0/8`. Raises ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def is_inside(address: Address) -> bool:
    return any(address in network for network in INSIDE)


def site_of(address: Address) -> Network:
    return ip_network((address, SITE_BITS[address.version]), strict=False)


def neighbourhood_of(address: Address) -> Network:
    return ip_network((address, NEIGHBOURHOOD_BITS[address.version]), strict=False)
