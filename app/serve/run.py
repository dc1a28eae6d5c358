"""`onsale serve`: one node or several, and on a bare machine everything they stand on.

With REDIS_URL and DATABASE_URL unset, a real Valkey and a real PostgreSQL are started here and
revived when they die; the sandbox gateway and the demo crowd are processes of their own. All of
them end with this process, also when it is killed. What is shared is done here, once: migration,
demo events, secrets, the console's link. Nodes run in this process, or in workers under it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import SecretStr

from app.catalogue.demo import CROWD_EVENT
from app.embedded.services import EmbeddedServices, Kind
from app.main import Addresses, Node
from app.rehearsal import guests
from app.secrets import secrets_of
from app.serve import children, node, sockets
from app.serve.supervisor import Supervisor
from config.settings import Settings, plain
from core.migrate import migrate


def serve(settings: Settings) -> int:
    """Runs until SIGINT or SIGTERM. Returns the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    sockets.allow_files(settings.max_connections)
    with contextlib.ExitStack() as stack:
        addresses = stack.enter_context(stores(settings))
        migrate(addresses.database_url)
        listeners = stack.enter_context(
            sockets.listen(
                *(settings.host, settings.port),
                slots=settings.workers,
                peer_timeout_s=settings.peer_timeout_s,
            )
        )
        if settings.gateway_socket is None:
            stack.enter_context(_gateway(settings.data_dir, addresses.gateway_socket))
        url = settings.public_url or _url(listeners[0][0])
        link = asyncio.run(_prepare(settings, addresses, url))

        def on_ready() -> None:
            _announce(url, link)
            if settings.demo and settings.crowd:
                crowd = ("crowd", "--url", url, "--guests", str(settings.data_dir / guests.FILE))
                stack.enter_context(_child("app.cli", *crowd))

        return _run(settings, addresses, listeners, on_ready)


def _run(
    settings: Settings,
    addresses: Addresses,
    listeners: Sequence[Sequence[socket.socket]],
    on_ready: Callable[[], None],
) -> int:
    if settings.workers > 1:
        return Supervisor(_settled(settings, addresses, listeners), listeners).run(on_ready)
    node.end_on_hangup()
    node.run(
        node.serve(settings, addresses, listeners[0], on_ready=on_ready, on_drain=lambda: None),
    )
    return 0


def leave(*_: object) -> None:
    """Handles a signal: unwind, so that everything started here is stopped in order.

    While a node serves, the signal is uvicorn's; it raises it once more when it has finished,
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
            redis_url=plain(settings.redis_url) or embedded.redis_url,
            database_url=plain(settings.database_url) or embedded.database_url,
            gateway_socket=settings.gateway_socket or settings.data_dir.resolve() / "gateway.sock",
        )


def _settled(
    settings: Settings, addresses: Addresses, listeners: Sequence[Sequence[socket.socket]]
) -> Settings:
    """What a worker shall find in its environment: nothing that it would have to start itself."""
    settled = {
        "redis_url": SecretStr(addresses.redis_url),
        "database_url": SecretStr(addresses.database_url),
        "gateway_socket": addresses.gateway_socket,
        "data_dir": settings.data_dir.absolute(),
        "port": listeners[0][0].getsockname()[1],
    }
    return settings.model_copy(update=settled)


async def _prepare(settings: Settings, addresses: Addresses, url: str) -> str:
    """What is done once for all nodes, before the first. Returns the console's one-time link."""
    secret, admin_token = secrets_of(settings)
    opened = await Node.open(settings, addresses, secret=secret, admin_token=admin_token)
    try:
        if settings.demo:
            await opened.seed_demo()
            crowd = guests.left_behind(settings.data_dir / guests.FILE)
            await opened.send_home(CROWD_EVENT, crowd)
        return await opened.services.admin.make_link(url)
    finally:
        await opened.close()


def _gateway(data_dir: Path, path: Path) -> contextlib.AbstractContextManager[None]:
    ledger = str(data_dir / "gateway.sqlite")
    return _child("app.payments.sandbox", "--ledger", ledger, "--socket", str(path))


@contextlib.contextmanager
def _child(module: str, *arguments: str) -> Iterator[None]:
    process = children.start(module, *arguments)
    try:
        yield
    finally:
        children.end(process)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _announce(url: str, link: str) -> None:
    lines = [f"Onsale    {url}", f"Console   {link}  (works once, within 15 minutes)"]
    sys.stdout.write("\n".join(["", *lines, ""]) + "\n")
    sys.stdout.flush()
