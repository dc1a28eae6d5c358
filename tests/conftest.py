"""A real PostgreSQL and a real Valkey for every test process, and what a test wants of them.

Each pytest-xdist worker starts one ephemeral pair in a folder of its own. A test that asks for a
database gets a fresh copy of the migrated one (10 ms), and an empty Redis.

    services           the pair, to restart and to kill; it comes back by itself
    database_url       of a migrated, empty database that only this test uses
    db                 a core.db.Db on it
    redis_url          of an empty Redis; ONSALE_TEST_REDIS names another server program for it
    redis              a client of it, bytes for replies
    chromium_program   the browser's path; for tests marked `browser`
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import hypothesis
import psycopg
import pytest
import redis as redis_sync
from psycopg import sql
from redis.asyncio import Redis

from app.embedded.services import EmbeddedServices
from core.db import Db
from core.migrate import migrate
from core.redis import connect

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
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
            prefix="onsale-test-", dir=_memory(), ignore_cleanup_errors=True
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
    with redis_sync.Redis.from_url(services.redis_url) as client:
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


def _memory() -> Path | None:
    """A folder in memory, if there is one of a useful size: a copy takes 10 ms there, not 300."""
    folder = Path("/dev/shm")
    roomy = folder.is_dir() and shutil.disk_usage(folder).free >= MIN_MEMORY_BYTES
    return folder if roomy and os.access(folder, os.W_OK) else None


def _administer(url: str, statement: str, *names: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def find_browser() -> Path | None:
    return next((Path(path) for name in BROWSERS if (path := shutil.which(name))), None)


# Without Chromium the browser tests are left out and named at the end, by the process that
# prints: with pytest-xdist, workers hand their lists to it.


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-browser",
        action="store_true",
        help="fail at once if there is no Chromium for the browser tests",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOT_RUN] = []
    config.addinivalue_line("markers", "redis: uses a Redis of this session; set by itself")
    if config.getoption("--require-browser") and find_browser() is None:
        raise pytest.UsageError("no Chromium on PATH, and the browser tests are required")


@pytest.hookimpl(tryfirst=True)  # before -m selects by these marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "redis_url" in getattr(item, "fixturenames", ()):
            item.add_marker("redis")
    if find_browser() is not None:
        return
    left_out = [item for item in items if item.get_closest_marker("browser")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    names = [item.nodeid for item in left_out]
    config.stash[NOT_RUN] = names
    if hasattr(config, "workeroutput"):
        config.workeroutput["browser_tests_not_run"] = names


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object, error: object) -> None:
    output = getattr(node, "workeroutput", {})
    node.config.stash[NOT_RUN] = output.get("browser_tests_not_run", [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    names = config.stash[NOT_RUN]
    if names:
        terminalreporter.section("NOT RUN: no Chromium on PATH", red=True, bold=True)
        for name in names:
            terminalreporter.line(name)
