"""Whose address counts: the peer's, or what a proxy of ours wrote; never what a client wrote."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clients import Clients, neighbourhood_of, parse, parse_networks, site_of

PROXIES = Clients(parse_networks("10.0.0.0/8, 127.0.0.1, fd00::/8"))
NOBODY = Clients()


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),  # no proxy of ours wrote that
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),  # the client wrote the first
        ("10.0.0.1", ["6.6.6.6", "198.51.100.1"], "198.51.100.1"),  # in a header of its own
        ("10.0.0.1", ["198.51.100.1, 10.0.0.2"], "198.51.100.1"),  # two proxies
        ("10.0.0.1", ["6.6.6.6, nonsense"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        ("fd00::1", ["2001:db8::5"], "2001:db8::5"),
        ("fe80::1%eth0", [], "fe80::1"),
    ],
)
def test_the_header_is_read_from_the_right_and_only_as_far_as_our_proxies_wrote_it(
    peer, forwarded, found
):
    assert PROXIES.resolve(peer, forwarded) == ip_address(found)


def test_with_no_proxy_named_the_header_counts_for_nothing():
    assert NOBODY.resolve("127.0.0.1", ["6.6.6.6"]) == ip_address("127.0.0.1")
    assert NOBODY.resolve("a socket", []) is None


@given(st.lists(st.text(max_size=30), max_size=4))
def test_whatever_a_client_sends_the_nearest_address_that_is_not_ours_is_found(written):
    forwarded = [*written, "198.51.100.1"]
    assert PROXIES.resolve("10.0.0.1", forwarded) == ip_address("198.51.100.1")


@pytest.mark.parametrize(
    ("address", "site", "neighbourhood"),
    [
        ("203.0.113.7", "203.0.113.7/32", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1::/48"),
    ],
)
def test_who_has_one_ipv6_address_has_a_whole_64(address, site, neighbourhood):
    assert str(site_of(parse(address))) == site
    assert str(neighbourhood_of(parse(address))) == neighbourhood
