"""A real PostgreSQL and a real Valkey of our own, for a machine that has neither.

    with EmbeddedServices(Path(".onsale")) as services:
        ... services.database_url, services.redis_url ...

Data stays in the folder between runs. The servers listen on sockets in a folder of mode 0700 and
on no port, are started again when they die, and end with this process however it ends (on
Linux; elsewhere a `kill -9` leaves them behind, and the next start says so).

    .onsale/
      lock servers.lock who uses the folder; see lock.py
      postgres/ valkey/ data
      run/              sockets, unless its path can't name one
      logs/             what the servers say, cut off at 5 MB
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, TypeAlias

from app.embedded import lock, postgres, valkey
from app.embedded.identity import Identity, choose
from app.embedded.postgres import Postgres
from app.embedded.process import Keeper, Surroundings
from app.embedded.valkey import Valkey

Kind: TypeAlias = Literal["postgres", "valkey"]

KINDS: tuple[Kind, ...] = ("postgres", "valkey")
MAX_SOCKET_PATH_BYTES = 103  # sun_path: 108 on Linux and 104 on macOS, with a closing zero


class EmbeddedServices:
    """The servers of one data folder. `with` starts and stops them; so do start and stop.

    Args:
        durable: False for tests: quicker, and loses its data when the machine goes down.
        kinds: Which servers: those whose address is not configured. None, and nothing is done.
        redis_program: Another Redis or Valkey server than the wheel's.
        identity: Who the servers run as; None chooses what fits this machine.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool = True,
        kinds: Sequence[Kind] = KINDS,
        redis_program: Path | None = None,
        identity: Identity | None = None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self._durable = durable
        self._kinds = kinds
        self._redis_program = redis_program
        self._identity = identity
        self._keepers: dict[str, Keeper] = {}
        self._urls: dict[str, str] = {}
        self._undo = ExitStack()

    @property
    def database_url(self) -> str:
        """For asyncpg, psycopg and yoyo. Raises KeyError unless PostgreSQL was started."""
        return self._urls["postgres"]

    @property
    def redis_url(self) -> str:
        return self._urls["valkey"]

    def start(self) -> EmbeddedServices:
        """Start the servers and return when both answer: about 0.8 s at first, 0.2 s later.

        Raises EmbeddedError, with a message for whoever started us; nothing runs then.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop both and give the folder free. Does nothing when they are stopped already."""
        self._undo.close()
        self._keepers.clear()

    def __enter__(self) -> EmbeddedServices:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def pid_of(self, kind: Kind) -> int:
        """Process id of a server. Raises LookupError while it is down."""
        return self._keepers[kind].pid

    def restart_postgres(self) -> None:
        """Stop PostgreSQL as an operator would, and return when it answers again."""
        self._keepers["postgres"].restart()

    def restart_valkey(self) -> None:
        self._keepers["valkey"].restart()

    def _start(self) -> None:
        if not self._kinds:
            return  # nothing to run, and so nothing to lock: nodes may share the folder
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.data_dir.chmod(0o700)
        lock_fd = lock.take(self.data_dir, self._undo)
        identity = self._identity or choose()
        around = Surroundings(
            data_dir=self.data_dir,
            socket_dir=self._socket_dir(identity),
            identity=identity,
            durable=self._durable,
            lock_fd=lock_fd,
        )
        servers = [self._server(kind, around) for kind in self._kinds]
        for server in servers:
            keeper = self._keepers[server.name] = Keeper(server)
            self._urls[server.name] = server.url
            self._undo.callback(keeper.stop)
            keeper.start()
        for keeper in self._keepers.values():
            keeper.wait_up()

    def _server(self, kind: Kind, around: Surroundings) -> Postgres | Valkey:
        return Postgres(around) if kind == "postgres" else Valkey(around, self._redis_program)

    def _socket_dir(self, identity: Identity) -> Path:
        """A folder that only we may enter, with a path short enough for sockets in it.

        And without a comma, which separates hosts in PostgreSQL's addresses.
        """
        folder = self.data_dir / "run"
        longest = max((postgres.SOCKET_NAME, valkey.SOCKET_NAME), key=len)
        if len(os.fsencode(folder / longest)) <= MAX_SOCKET_PATH_BYTES and "," not in str(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        else:
            folder = Path(tempfile.mkdtemp(prefix="onsale-"))
            self._undo.callback(shutil.rmtree, folder, ignore_errors=True)
        identity.own(folder)
        return folder
