"""Places of a running sale when the store, or the whole server, is killed with no warning."""

import os
import re
import signal
from pathlib import Path

import httpx
import pytest
import redis.asyncio

from tests.operators import ADMIN_TOKEN, Operator
from tests.running import alive, free_port, settled
from tests.waiting import until

FANS = 12
RESTORE_S = 1  # nobody is called anyway before all have asked for their places


class Fan:
    """A page that is open, keeps the slip of its place, and asks again while nobody answers."""

    def __init__(self, client: httpx.AsyncClient, event_id: str) -> None:
        self._client, self._path = client, f"/events/{event_id}/queue"
        self._slip: str | None = None

    async def place(self) -> int:
        """Joined again, as a page does that was cut off."""
        said = await self._asked("POST", json={"slip": self._slip} if self._slip else {})
        self._slip = said["slip"]
        return said["place"]

    async def state(self) -> str:
        return (await self._asked("GET"))["state"]

    async def reaches(self, state: str) -> None:
        await until(self.state, lambda said: said == state, what=state)

    async def _asked(self, method: str, **body):
        def answered(reply: httpx.Response) -> bool:
            assert reply.status_code in {200, 503}, reply.text
            return reply.status_code == 200

        def ask():
            return self._client.request(method, self._path, **body)

        return (await until(ask, answered, despite=httpx.TransportError)).json()


@pytest.fixture
def sale(onsale, tmp_path):
    """A server with stores of its own and the demo events; on one port, whenever it starts."""
    port = free_port()

    def start():
        env = {"ONSALE_DEMO": "1", "ONSALE_ADMIN_TOKEN": ADMIN_TOKEN}
        same = {"data_dir": tmp_path / "stores", "restore_s": RESTORE_S}
        return onsale(workers=2, own_stores=True, env=env, port=port, **same)

    return start


@pytest.fixture
async def line(sale, fan_of):
    """(server, operator, fans), the fans in the arena's queue one after another; none is called."""
    server = sale()
    client = await fan_of(server.url)
    operator = Operator(client, await event_named(client, "arena"))
    await settled(server.url, operator.event_id)
    await operator.change(mode="on", maxActive=0)
    fans = [Fan(await fan_of(server.url), operator.event_id) for _ in range(FANS)]
    assert await places(fans) == list(range(1, FANS + 1))
    return server, operator, fans


async def test_kill_9_of_the_store_moves_nobody(line, tmp_path):
    _, operator, fans = line
    before = await places(fans)
    await killed(await store_of(tmp_path))
    assert await places(fans) == before
    await called_in_order(operator, fans)


async def test_when_the_store_loses_everything_all_get_their_places_back(line, tmp_path):
    _, operator, fans = line
    before = await places(fans)
    async with store(tmp_path) as client:
        await client.flushall()
    await killed(await store_of(tmp_path))
    assert await places(fans) == before
    await called_in_order(operator, fans)


async def test_kill_9_of_everything_at_once_moves_nobody(line, sale, tmp_path):
    server, operator, fans = line
    before = await places(fans)
    stores = [await store_of(tmp_path), database_of(tmp_path)]
    for pid in (server.process.pid, *server.workers(), *stores):
        os.kill(pid, signal.SIGKILL)
    server.process.wait()
    await until(lambda: not any(map(exists, stores)), what="the stores are gone, and reaped")
    again = sale()
    await settled(again.url, operator.event_id)
    assert await places(fans) == before
    await called_in_order(operator, fans)


async def event_named(client: httpx.AsyncClient, name: str) -> str:
    """By the slug that the first page links."""
    found = re.findall(r"/e/([\w-]+)", (await client.get("/")).text)
    return next(event for event in found if name in event)


async def places(fans) -> list[int]:
    return [await fan.place() for fan in fans]


async def called_in_order(operator: Operator, fans) -> None:
    """With room for one more at a time, it is always the next in line who is called."""
    for room, fan in enumerate(fans[:3], 1):
        await operator.change(maxActive=room)
        await fan.reaches("called")
        assert {await other.state() for other in fans[room:]} == {"waiting"}


async def killed(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not alive(pid), what="the store is gone")


def exists(pid: int) -> bool:
    """Also as a zombie, which PostgreSQL takes for another one that runs in its folder."""
    return Path(f"/proc/{pid}").exists()


async def store_of(folder) -> int:
    """Valkey's process id, as it says itself."""
    async with store(folder) as client:
        return (await client.info("server"))["process_id"]


def database_of(folder) -> int:
    """PostgreSQL's process id, from the file that it keeps it in."""
    return int((folder / "stores/postgres/postmaster.pid").read_text().split()[0])


def store(folder) -> redis.asyncio.Redis:
    socket = next((folder / "stores").glob("run/valkey.sock"))
    return redis.asyncio.Redis(unix_socket_path=str(socket))
