"""`onsale serve` as a process of its own, to be killed, restarted and drained.

onsale(workers=2, …)   starts one on a free port, on this session's stores or its own
fan_of(url)            makes an HTTP client, each another fan's
"""

import contextlib
import os
import signal
import tempfile

import pytest

from tests.running import Onsale, client_of


@pytest.fixture
def sockets():
    """A folder with a short path, as Unix sockets need it."""
    with tempfile.TemporaryDirectory(prefix="onsale-test-") as folder:
        yield folder


@pytest.fixture
def onsale(tmp_path, sockets, redis_url, database_url, gateway_socket):
    """With `own_stores`, it starts PostgreSQL and Valkey too. `env` is as it is, the rest are
    its settings."""
    started = []

    def start(*, workers=1, port=0, own_stores=False, env=None, **settings) -> Onsale:
        env = {"ONSALE_DRAIN_S": "2", "ONSALE_DEMO": "0", "ONSALE_CROWD": "0", **(env or {})}
        env["TMPDIR"] = str(sockets)  # what a killed one leaves behind goes with the test
        if not own_stores:
            env |= {"REDIS_URL": redis_url, "DATABASE_URL": database_url}
            env |= {"ONSALE_GATEWAY_SOCKET": str(gateway_socket)}
        env |= {f"ONSALE_{name.upper()}": str(value) for name, value in settings.items()}
        started.append(Onsale(tmp_path / f"onsale-{len(started)}", workers, port, env))
        return started[-1]

    yield start
    for one in started:
        left = one.workers()
        one.process.kill()
        one.process.wait()
        one.process.stdout.close()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
async def fan_of():
    async with contextlib.AsyncExitStack() as stack:

        async def make(url, **options):
            return await stack.enter_async_context(client_of(url, **options))

        yield make
