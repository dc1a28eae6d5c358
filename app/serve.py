"""`onsale serve`: one node, and on a bare machine everything it stands on.

With REDIS_URL and DATABASE_URL unset, a real Valkey and a real PostgreSQL are started here and
revived when they die; the sandbox gateway and the demo crowd are processes of their own. All of
them end with this process, also when it is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import uvicorn
from pydantic import SecretStr

from app.embedded.identity import Identity
from app.embedded.services import EmbeddedServices, Kind
from app.main import Addresses, Node
from app.secrets import read_or_make
from config.settings import BadSettings, Settings
from core.migrate import migrate

log = logging.getLogger(__name__)

GOODBYE_S = 5.0  # on top of the drain, for requests under way
MAX_MESSAGE_BYTES = 4096


def serve(settings: Settings) -> int:
    """Runs until SIGINT or SIGTERM. Returns the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    with contextlib.ExitStack() as stack:
        addresses = stack.enter_context(stores(settings))
        migrate(addresses.database_url)
        listener = stack.enter_context(_listen(settings))
        if settings.gateway_socket is None:
            stack.enter_context(_gateway(settings.data_dir, addresses.gateway_socket))
        asyncio.run(_serve(settings, addresses, listener))
    return 0


def _leave(*_: object) -> None:
    """Unwind, so that everything started here is stopped in order.

    While uvicorn serves, the signal is its own; it raises it once more when it has finished,
    and by default that would end us before the stores and the gateway are stopped.
    """
    raise SystemExit(0)


@contextlib.contextmanager
def stores(settings: Settings) -> Iterator[Addresses]:
    """The stores at the given addresses, or embedded ones for as long as the context lasts."""
    given: dict[Kind, SecretStr | None] = {
        "postgres": settings.database_url,
        "valkey": settings.redis_url,
    }
    missing = [kind for kind, url in given.items() if url is None]
    with EmbeddedServices(settings.data_dir, kinds=missing) as embedded:
        yield Addresses(
            redis_url=_plain(settings.redis_url) or embedded.redis_url,
            database_url=_plain(settings.database_url) or embedded.database_url,
            gateway_socket=settings.gateway_socket or settings.data_dir.resolve() / "gateway.sock",
        )


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def secrets_of(settings: Settings) -> tuple[str, str]:
    """(the secret that keys derive from, the admin token), made once if nobody set them."""
    return (
        _plain(settings.secret) or read_or_make(settings.data_dir / "secret"),
        _plain(settings.admin_token) or read_or_make(settings.data_dir / "admin-token"),
    )


class _Server(uvicorn.Server):
    """Tells streams and sockets to say goodbye as soon as a signal comes.

    uvicorn itself would wait for streams for ever and close all sockets in one go.
    """

    def __init__(self, config: uvicorn.Config, node: Node) -> None:
        super().__init__(config)
        self._node = node

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._node.drain.begin()
        super().handle_exit(sig, frame)


async def _serve(settings: Settings, addresses: Addresses, listener: socket.socket) -> None:
    secret, admin_token = secrets_of(settings)
    node = await Node.open(settings, addresses, secret=secret, admin_token=admin_token)
    url = settings.public_url or "http://{}:{}".format(*listener.getsockname()[:2])
    server = _Server(_config(settings, node), node)
    crowd = None
    try:
        if settings.demo:
            await node.seed_demo()
        link = await node.services.admin.make_link(url)
        _announce(url, link)
        if settings.demo and settings.crowd:
            crowd = _start("app.cli", "crowd", "--url", url)
        await server.serve(sockets=[listener])
    finally:
        if crowd is not None:
            _end(crowd)
        await node.close()


def _config(settings: Settings, node: Node) -> uvicorn.Config:
    return uvicorn.Config(
        node.app,
        http="httptools",
        ws="websockets-sansio",
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=int(settings.drain_s + GOODBYE_S),
    )


@contextlib.contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    try:
        listener = socket.create_server((settings.host, settings.port), backlog=4096)
    except OSError as exc:
        raise BadSettings(f"cannot listen: {exc.strerror}. ONSALE_PORT sets another port") from exc
    with listener:
        yield listener


@contextlib.contextmanager
def _gateway(data_dir: Path, path: Path) -> Iterator[None]:
    ledger = data_dir / "gateway.sqlite"
    process = _start("app.payments.sandbox", "--ledger", str(ledger), "--socket", str(path))
    try:
        yield
    finally:
        _end(process)


def _start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A child of our own code that ends with us, also when we are killed."""
    launcher = Identity("self", 0, 0).launcher(stop_signal=signal.SIGTERM)
    command = [*launcher, sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command)  # noqa: S603 (our own modules)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(GOODBYE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _announce(url: str, link: str) -> None:
    lines = [f"Onsale    {url}", f"Console   {link}  (works once, within 15 minutes)"]
    sys.stdout.write("\n".join(["", *lines, ""]) + "\n")
    sys.stdout.flush()
