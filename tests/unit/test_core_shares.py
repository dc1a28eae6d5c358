"""How many live connections one visitor and one address may have."""

import pytest
from starlette.requests import HTTPConnection

from core.clients import Clients
from core.errors import TooMany
from core.live.shares import Shares

SOMEBODY, NEIGHBOUR, PROXY = "203.0.113.7", "203.0.113.8", "10.0.0.1"


def coming_from(address):
    return HTTPConnection({"type": "http", "client": (address, 1), "headers": []})


@pytest.fixture
def shares():
    return Shares(Clients(), "streams", per_visitor=2, per_address=3)


def test_a_visitor_has_so_many_of_an_event_wherever_they_come_from(shares):
    for address in (SOMEBODY, NEIGHBOUR):
        shares.take(coming_from(address), "ev_a", "vs_1")
    with pytest.raises(TooMany, match="max_streams_per_visitor"):
        shares.take(coming_from(PROXY), "ev_a", "vs_1")
    shares.take(coming_from(SOMEBODY), "ev_b", "vs_1")
    shares.take(coming_from(SOMEBODY), "ev_a", "vs_2")


@pytest.mark.parametrize("visitor", ["vs_{}", None])
def test_an_address_has_so_many_whoever_they_say_they_are(shares, visitor):
    for number in range(3):
        shares.take(coming_from(SOMEBODY), "ev_a", visitor and visitor.format(number))
    with pytest.raises(TooMany, match="max_streams_per_address"):
        shares.take(coming_from(SOMEBODY), "ev_a", visitor and visitor.format(4))
    shares.take(coming_from(NEIGHBOUR), "ev_a", visitor and visitor.format(4))


def test_a_site_of_ipv6_is_one_address(shares):
    for host in range(1, 4):
        shares.take(coming_from(f"2001:db8::{host}"), "ev_a", None)
    with pytest.raises(TooMany):
        shares.take(coming_from("2001:db8::9"), "ev_a", None)


def test_what_is_given_back_may_be_taken_again_and_leaves_nothing_behind(shares):
    taken = [shares.take(coming_from(SOMEBODY), "ev_a", "vs_1") for _ in range(2)]
    with pytest.raises(TooMany):
        shares.take(coming_from(SOMEBODY), "ev_a", "vs_1")
    shares.give_back(taken.pop())
    taken.append(shares.take(coming_from(SOMEBODY), "ev_a", "vs_1"))
    for share in taken:
        shares.give_back(share)
    assert not shares._open


def test_addresses_of_the_inside_and_no_address_are_not_counted(shares):
    for visitor in range(9):
        shares.take(coming_from(PROXY), "ev_a", f"vs_{visitor}")
        shares.take(HTTPConnection({"type": "http", "headers": []}), "ev_b", f"vs_{visitor}")


def test_without_a_limit_of_an_address_only_visitors_are_counted():
    shares = Shares(Clients(), "sockets", per_visitor=2, per_address=0)
    for visitor in range(9):
        shares.take(coming_from(SOMEBODY), "ev_a", f"vs_{visitor}")
