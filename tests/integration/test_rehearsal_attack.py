"""The rehearsal of an attack measures what limits and the draw take from one with many cookies."""

import pytest

from app.main import Addresses
from app.rehearsal import attack
from config.settings import load

FANS, MANY = 20, 130  # cookies: more than an address may have in an hour


@pytest.fixture
def addresses(redis, database_url, redis_url, gateway_socket):
    return Addresses(redis_url=redis_url, database_url=database_url, gateway_socket=gateway_socket)


async def test_limits_bound_what_one_address_gets_in_both_orders(
    addresses, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(attack, "IDENTITIES", (MANY,))
    settings = attack.settings_for(load(), str(tmp_path), limited=True)
    outcomes = await attack.run(settings, addresses, FANS)
    got = {(one.scenario.order, one.scenario.limited): one for one in outcomes}
    limit = settings.joins_per_address
    for order in attack.ORDERS:
        assert (got[order, False].places, got[order, True].places) == (MANY, limit)
    assert got["first come", False].share == 1.0  # who is quickest is in front
    attack.print_table(outcomes)
    said = capsys.readouterr().out
    assert "first come   on              130          100             100.0%" in said


def test_a_share_is_of_the_places_that_would_all_be_the_fans():
    scenario = attack.Scenario(order="draw", identities=10, limited=True)
    assert attack.Outcome(scenario=scenario, places=10, in_front=5, fans=50).share == 0.1
