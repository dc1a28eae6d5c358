"""Workers: they share the load, are replaced when they die, and end with who started them."""

import os
import re
import signal

import httpx
import pytest

from tests.running import (
    LIMIT_S,
    STEADY_CLIENTS,
    Steady,
    alive,
    client_of,
    free_port,
    settled,
)
from tests.waiting import until


async def test_connections_spread_over_the_workers_and_one_scrape_tells_of_all(onsale, fan_of):
    server = onsale(workers=2)
    client = await fan_of(server.url)
    before = gauge((await client.get("/metrics")).text, "process_open_fds")
    for _ in range(40):
        await (await fan_of(server.url)).get("/health/live")  # and keep the connection
    text = (await client.get("/metrics")).text
    after = gauge(text, "process_open_fds")
    assert set(before) == set(after) == {"0", "1"}
    assert gauge(text, "onsale_worker_up") == {"0": 1, "1": 1}
    assert all(after[worker] >= before[worker] + 5 for worker in after)


async def test_a_killed_worker_is_replaced_and_nobody_is_refused(onsale):
    server = onsale(workers=2)
    victim, other = server.workers()
    async with Steady(server.url) as steady:
        await until(lambda: steady.statuses[200] > 20)
        os.kill(victim, signal.SIGKILL)
        await until(lambda: not alive(victim) and len(server.workers()) == 2, what="a new one")
        async with client_of(server.url) as client:
            await until_all_up(client, 2)
        seen = steady.statuses[200]
        await until(lambda: steady.statuses[200] > seen + 50)
    assert set(steady.statuses) == {200}
    # What the killed one had in hand is lost: one request a connection. Nobody was refused.
    lost = (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError)
    assert all(isinstance(failure, lost) for failure in steady.failures)
    assert len(steady.failures) <= STEADY_CLIENTS
    assert other in server.workers()
    assert "was killed by signal 9 and is replaced" in server.said()


async def test_a_restart_by_sighup_loses_no_request(onsale, make_sale):
    event_id = await make_sale()
    server = onsale(workers=2)
    await settled(server.url, event_id)
    before = set(server.workers())
    pages, joins = Steady(server.url, "/"), Steady(server.url, f"/events/{event_id}/queue", body={})
    async with pages, joins:
        await until(lambda: joins.statuses[200] > 20)
        server.send(signal.SIGHUP)
        await until(lambda: "all workers restarted" in server.said())
        seen = joins.statuses[200]
        await until(lambda: joins.statuses[200] > seen + 50)
    for steady in (pages, joins):
        assert (steady.failures, set(steady.statuses)) == ([], {200})
    assert not before & set(server.workers())
    server.send(signal.SIGTERM)
    assert await server.ends() == 0


async def test_a_restart_asked_for_during_one_comes_after_it_and_one_slot_at_a_time(onsale):
    server = onsale(workers=2)
    seen = [set(server.workers())]

    def ended(restarts):
        seen.append(set(server.workers()))
        return server.said().count("all workers restarted") == restarts

    server.send(signal.SIGHUP)
    await until(lambda: len(server.workers()) == 3, what="the first new one starts")
    server.send(signal.SIGHUP)
    await until(lambda: ended(restarts=2))
    assert max(map(len, seen)) == 3, "one worker too many at most"
    assert len(set.union(*seen)) == 6
    async with client_of(server.url) as client:
        assert (await client.get("/health/ready")).status_code == 200


async def test_a_worker_that_is_asked_to_stop_is_replaced_while_it_drains(onsale, fan_of):
    server = onsale(workers=2, drain_s=LIMIT_S)
    leaving, other = server.workers()
    for _ in range(20):  # connections that stay keep either worker from ending
        await (await fan_of(server.url)).get("/health/live")
    os.kill(leaving, signal.SIGTERM)
    await until(lambda: len(server.workers()) == 3, what="the next one starts")
    assert alive(leaving)
    assert alive(other)


async def test_workers_end_when_their_supervisor_is_killed_and_the_port_is_free(onsale):
    server = onsale(workers=2, port=free_port())
    workers = server.workers()
    server.send(signal.SIGKILL)
    await server.ends()
    await until(lambda: not any(map(alive, workers)), what="workers end")
    again = onsale(workers=2, port=server.port)
    assert again.port == server.port


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_port_in_use_is_told_in_one_line(workers, onsale):
    server = onsale(workers=2)
    refused = onsale(workers=workers, port=server.port)
    assert await refused.ends() == 2
    assert refused.said() == (
        "onsale: cannot listen: Address already in use. ONSALE_PORT sets another port\n"
    )
    async with client_of(server.url) as client:
        assert (await client.get("/health/ready")).status_code == 200


async def test_two_starts_in_a_row_with_stores_of_its_own(onsale, tmp_path):
    port = free_port()
    for _ in range(2):
        server = onsale(workers=2, own_stores=True, data_dir=tmp_path / "stores", port=port)
        async with client_of(server.url) as client:
            assert (await client.get("/health/dependencies")).status_code == 200
        server.send(signal.SIGTERM)
        assert await server.ends() == 0


def gauge(text: str, name: str) -> dict[str, float]:
    found = re.findall(rf'^{name}{{.*worker="(\d+)".*}} (\S+)$', text, re.MULTILINE)
    return {worker: float(value) for worker, value in found}


async def until_all_up(client: httpx.AsyncClient, workers: int) -> None:
    await until(
        lambda: client.get("/metrics"),
        lambda reply: sum(gauge(reply.text, "onsale_worker_up").values()) == workers,
    )
