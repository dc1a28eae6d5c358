"""A real PostgreSQL and a real Valkey for every test process, and what a test wants of them.

Each pytest-xdist worker starts one ephemeral pair in a folder of its own. A test that asks for a
database gets a fresh copy of the migrated one (10 ms), and an empty Redis.

    services           the pair, to restart and to kill; it comes back by itself
    database_url       of a migrated, empty database that only this test uses
    db                 a core.db.Db on it
    redis_url          of an empty Redis; ONSALE_TEST_REDIS names another server program for it
    redis              a client of it, bytes for replies
    live               a hub that ticks
    chromium_program   the browser's path; for tests marked `browser`
    nginx_program      likewise, for tests marked `nginx`
    served             the test's node behind a real socket; its address
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gzip
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from signal import SIGTERM
from urllib.parse import urlsplit

import httpx
import hypothesis
import orjson
import psycopg
import pytest
import redis as redis_sync
import uvicorn
from psycopg import sql
from redis.asyncio import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from app.checkout.bookings.model import Claim
from app.embedded.identity import Identity
from app.embedded.lock import SERVERS_FILE
from app.embedded.services import EmbeddedServices
from app.main import Addresses, Node
from app.serve.node import server_config
from config.settings import load
from core.db import Db
from core.ids import HoldId, Subject, new_id
from core.live.hub import Hub
from core.migrate import migrate
from core.redis import connect
from seatmap.model import Hold
from tests.operators import ADMIN_TOKEN, Operator

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FOLDER_PREFIX = "onsale-test-"
SETTLED_S = 60  # by then a process that made a folder has locked it
MIN_MEMORY_BYTES = 2_000_000_000
NOT_RUN = pytest.StashKey[list[str]]()

# No deadline: two workers and their servers share two cores. `make soak` uses the other profile.
hypothesis.settings.register_profile("quick", deadline=None, max_examples=50)
hypothesis.settings.register_profile(
    "soak",
    deadline=None,
    max_examples=3000,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("quick")

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def services() -> Iterator[EmbeddedServices]:
    program = os.environ.get("ONSALE_TEST_REDIS")
    with (
        tempfile.TemporaryDirectory(
            prefix=FOLDER_PREFIX, dir=_memory(), ignore_cleanup_errors=True
        ) as folder,
        EmbeddedServices(
            Path(folder),
            durable=False,
            redis_program=Path(program) if program else None,
        ) as running,
    ):
        migrate(running.database_url)
        yield running


@pytest.fixture
def database_url(services: EmbeddedServices) -> Iterator[str]:
    template = urlsplit(services.database_url)
    name = f"test_{next(_numbers)}"
    admin_url = template._replace(path="/postgres").geturl()
    _administer(
        admin_url,
        "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy",
        name,
        template.path.strip("/"),
    )
    yield template._replace(path=f"/{name}").geturl()
    _administer(admin_url, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Db]:
    opened = await Db.open(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def redis_url(services: EmbeddedServices) -> str:
    patient = Retry(ConstantBackoff(0.05), 200)  # the test before may have killed it
    with redis_sync.Redis.from_url(services.redis_url, retry=patient) as client:
        client.client_unpause()
        client.flushall()
    return services.redis_url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with connect(redis_url) as client:
        yield client


@pytest.fixture(scope="session")
def chromium_program() -> Path:
    program = find_browser()
    assert program, "tests that need a browser must be marked `browser`"
    return program


@pytest.fixture(scope="session")
def nginx_program() -> Path:
    program = find_nginx()
    assert program, "tests that need nginx must be marked `nginx`"
    return program


def _memory() -> Path | None:
    """A folder in memory, if there is one of a useful size: a copy takes 10 ms there, not 300."""
    folder = Path("/dev/shm")
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        return None
    _forget_killed_runs(folder)
    return folder if shutil.disk_usage(folder).free >= MIN_MEMORY_BYTES else None


def _forget_killed_runs(folder: Path) -> None:
    """A test process that was killed left its data in memory: nobody holds its lock any more."""
    for left in folder.glob(f"{FOLDER_PREFIX}*/{SERVERS_FILE}"):
        with contextlib.suppress(OSError), left.open() as file:
            if time.time() - left.stat().st_mtime > SETTLED_S:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left.parent, ignore_errors=True)


@pytest.fixture(scope="session")
def gateway_socket() -> Iterator[Path]:
    """The sandbox gateway, a process of its own as in the product; `gateway_ledger` is its book."""
    with tempfile.TemporaryDirectory(prefix="onsale-gw-") as folder:
        socket = Path(folder, "gw.sock")
        places = ["--ledger", str(socket.with_name("ledger")), "--socket", str(socket)]
        launcher = Identity("self", os.geteuid(), os.getegid()).launcher(stop_signal=SIGTERM)
        sandbox = [*launcher, sys.executable, "-m", "app.payments.sandbox", *places]
        process = subprocess.Popen(sandbox)  # ends with us, also when a test run is killed
        _wait_for(socket)
        yield socket
        process.terminate()
        process.wait()


@pytest.fixture
def gateway_ledger(gateway_socket: Path) -> Path:
    return gateway_socket.with_name("ledger")


@pytest.fixture
async def make_sale(db: Db) -> Callable[..., Awaitable[str]]:
    """Makes an event with `seats` seats in one row at 10 EUR, and its room; the event id."""

    async def make(
        *, seats: int = 20, opens_in_s: int = -60, draw: bool = True, **room: object
    ) -> str:
        event_id = f"ev_gig{next(_numbers)}"
        limits = {"per_minute": 600, "max_active": 50, "accept_ms": 60_000}
        wanted = {"mode": "off"} | limits | room
        await db.execute(
            "insert into venue values ('v', 'Hall', 'Town', 'DE', 'UTC') on conflict do nothing"
        )
        await db.execute(
            "insert into plan values ($1, 'v', $2, 'x', $3)", event_id, seats, _plan(seats)
        )
        await db.execute(
            "insert into event (event_id, title, description, venue_id, plan_id, genre, starts_at,"
            " currency, max_tickets, hold_ms, search)"
            " values ($1, 'Gig', '', 'v', $1, '', now() + interval '9 days', 'EUR', 6, 600000, '')",
            event_id,
        )
        await db.execute("insert into price_category values ($1, 1, 'All', 1000)", event_id)
        await db.execute(
            "insert into ticket select $1, n, 1 from generate_series(0, $2 - 1) n", event_id, seats
        )
        await db.execute(
            "insert into room (event_id, mode, per_minute, max_active, accept_ms, shop_ms,"
            " grace_ms, opens_at, draw) values ($1, $2, $3, $4, $5, 900000, 120000,"
            " now() + make_interval(secs => $6), $7)",
            event_id,
            *wanted.values(),
            opens_in_s,
            draw,
        )
        return event_id

    return make


@pytest.fixture
async def make_claim(db: Db) -> Callable[..., Awaitable[Claim]]:
    """Makes what a node has in hand between pin and claim; no lock in Redis keeps others off."""

    async def make(
        event_id: str, *seats: int, subject: str = "vs_fan", token: str = "tok_approve"
    ) -> Claim:
        booking_id, key = new_id("bk"), f"key {next(_numbers)}"
        begun = "insert into idempotency (subject, key, fingerprint, booking_id)"
        await db.execute(f"{begun} values ($1, $2, '', $3)", subject, key, booking_id)
        lines = [{"seat": seat, "category": 1, "priceMinor": 1000} for seat in seats]
        hold = Hold(
            hold_id=HoldId(new_id("hd")),
            subject=Subject(subject),
            seats=seats,
            fence="1.1",
            ends_ms=0,
            quote={"currency": "EUR", "totalMinor": 1000 * len(seats), "lines": lines},
            pinned=True,
        )
        return Claim(
            booking_id=booking_id,
            event_id=event_id,
            subject=subject,
            key=key,
            hold=hold,
            email="fan@example.org",
            token=token,
        )

    return make


@pytest.fixture
async def live() -> AsyncIterator[Hub]:
    """A hub that ticks."""
    hub = Hub(drain_s=0.5)
    await hub.start()
    yield hub
    await hub.stop()


@pytest.fixture
async def node(redis: Redis, database_url: str, redis_url: str, gateway_socket: Path, make_sale):
    """A whole node in this process, without a socket: `fan()` talks to its ASGI application."""
    made = await open_node(database_url, redis_url, gateway_socket)
    async with made.app.router.lifespan_context(made.app):
        yield made
    await made.close()


@pytest.fixture
async def served(node: Node) -> AsyncIterator[str]:
    """The test's node on a socket of this machine, as `onsale serve` would set it up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(server_config(node, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield "http://{}:{}".format(*listener.getsockname())
        server.should_exit = True
        await serving


@pytest.fixture
async def other_node(node: Node, database_url: str, redis_url: str, gateway_socket: Path):
    """A second node on the stores of the first."""
    made = await open_node(database_url, redis_url, gateway_socket)
    async with made.app.router.lifespan_context(made.app):
        yield made
    await made.close()


async def open_node(database_url: str, redis_url: str, gateway_socket: Path) -> Node:
    addresses = Addresses(
        redis_url=redis_url, database_url=database_url, gateway_socket=gateway_socket
    )
    return await Node.open(load(), addresses, secret="s" * 32, admin_token=ADMIN_TOKEN)


@pytest.fixture
async def fan(node: Node) -> AsyncIterator[Callable[[], httpx.AsyncClient]]:
    """Makes another fan at each call: an HTTP client with cookies of its own."""
    async with AsyncExitStack() as clients:
        opened = []

        def make() -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app=node.app, raise_app_exceptions=False)
            opened.append(httpx.AsyncClient(transport=transport, base_url="http://onsale.test"))
            clients.push_async_callback(opened[-1].aclose)
            return opened[-1]

        yield make


@pytest.fixture
def operator(fan: Callable[[], httpx.AsyncClient]) -> Callable[[str], Operator]:
    """Makes an operator of an event on `node`."""
    return lambda event_id: Operator(fan(), event_id)


def _plan(seats: int) -> bytes:
    row = {"row": "A", "seats": [[n, str(n + 1), n * 10, 0] for n in range(seats)]}
    section = {"sectionId": "s1", "name": "Stalls", "category": 1, "outline": [], "rows": [row]}
    plan = {"planId": "p", "name": "Hall", "width": seats * 10, "height": 10}
    return gzip.compress(orjson.dumps(plan | {"sections": [section]}))


def _wait_for(socket: Path) -> None:
    deadline = time.monotonic() + 20
    while not socket.exists():
        assert time.monotonic() < deadline, "the sandbox gateway did not start"
        time.sleep(0.02)


def _administer(url: str, statement: str, *names: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def find_browser() -> Path | None:
    return next((Path(path) for name in BROWSERS if (path := shutil.which(name))), None)


def find_nginx() -> Path | None:
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    return Path(found) if found else None


# Tests with such a mark need a program that Python brings none of. Without it they are left out
# and named at the end, by the process that prints: with pytest-xdist, workers hand lists to it.
PROGRAMS = {"browser": ("Chromium", find_browser), "nginx": ("nginx", find_nginx)}


def missing() -> list[str]:
    return [mark for mark, (_, find) in PROGRAMS.items() if find() is None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-programs",
        action="store_true",
        help="fail at once if Chromium or nginx is not there for the tests that need it",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOT_RUN] = []
    config.addinivalue_line("markers", "redis: uses a Redis of this session; set by itself")
    if config.getoption("--require-programs") and missing():
        names = ", ".join(PROGRAMS[mark][0] for mark in missing())
        raise pytest.UsageError(f"no {names} on PATH, and the tests with it are required")


@pytest.hookimpl(tryfirst=True)  # before -m selects by these marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "redis_url" in getattr(item, "fixturenames", ()):
            item.add_marker("redis")
    marks = missing()
    left_out = [item for item in items if any(map(item.get_closest_marker, marks))]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    names = [item.nodeid for item in left_out]
    config.stash[NOT_RUN] = names
    if hasattr(config, "workeroutput"):
        config.workeroutput["tests_not_run"] = names


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object, error: object) -> None:
    output = getattr(node, "workeroutput", {})
    node.config.stash[NOT_RUN] = output.get("tests_not_run", [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    names = config.stash[NOT_RUN]
    if names:
        programs = ", ".join(PROGRAMS[mark][0] for mark in missing())
        terminalreporter.section(f"NOT RUN: no {programs} on PATH", red=True, bold=True)
        for name in names:
            terminalreporter.line(name)
