"""One server process: how it is started, known to be up, stopped, and kept running.

    not started ──start()──► up ──dies──► restarting ──► up ──stop()──► ended

A `Keeper` is a thread that owns one server for its whole life. Every child is started by that
thread, and this is the point of it: the kernel's "tell me when my parent ends" follows the
*thread* that forked, so a server started from a pool's thread would end with that thread.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from app.embedded.errors import EmbeddedError, ServerFailed
from app.embedded.identity import Identity

log = logging.getLogger(__name__)

START_TIMEOUT_S = 60.0  # a start after a crash replays the log first
STOP_TIMEOUT_S = 20.0  # then SIGKILL: both servers recover from that
POLL_S = 0.01
RESTART_PAUSE_S = 0.05  # doubled each time a server dies young
MAX_RESTART_PAUSE_S = 5.0
YOUNG_S = 10.0
MAX_LOG_BYTES = 5_000_000
LOG_TAIL_LINES = 8


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every server needs to know of where it runs."""

    data_dir: Path
    socket_dir: Path
    identity: Identity
    durable: bool  # False: for tests, loses its data when the machine goes down
    lock_fd: int | None = None  # inherited, so that the lock lasts as long as the last server


class Server(ABC):
    """What a Keeper must know of a kind of server."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.log_path = around.data_dir / "logs" / f"{self.name}.log"

    @abstractmethod
    def prepare(self) -> None:
        """Make the data folder fit for `command`. Safe to repeat."""

    @abstractmethod
    def command(self) -> list[str]:
        """Program and arguments; runs in the foreground and logs to its output."""

    @abstractmethod
    def answers(self) -> bool:
        """True when a client gets an answer now. Returns within about a second."""

    def spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        """Start a program as the servers' identity. It ends when this thread does."""
        inherited = () if self.around.lock_fd is None else (self.around.lock_fd,)
        launcher = self.around.identity.launcher(stop_signal=self.stop_signal)
        with self.log_path.open("ab") as output:
            return subprocess.Popen(  # noqa: S603
                [*launcher, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                pass_fds=inherited,
                start_new_session=True,  # Ctrl-C reaches us alone, and we stop them in order
            )

    def failure(self, why: str) -> ServerFailed:
        return ServerFailed(self.name, f"{why}\n  {self.last_words()}", self.log_path)

    def last_words(self) -> str:
        """The end of its log."""
        text = self.log_path.read_text("utf-8", errors="replace") if self.log_path.exists() else ""
        return "\n  ".join(text.splitlines()[-LOG_TAIL_LINES:])

    def turn_log_over(self) -> None:
        self.log_path.parent.mkdir(mode=0o700, exist_ok=True)
        if self.log_path.exists() and self.log_path.stat().st_size > MAX_LOG_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))


class Keeper(threading.Thread):
    """Keeps one server running from `start` to `stop`."""

    def __init__(self, server: Server) -> None:
        # A daemon: an interpreter that exits without stop() must not wait for us. The servers
        # end then all the same, because their parent does.
        super().__init__(name=f"keeper of {server.name}", daemon=True)
        self.server = server
        self._process: subprocess.Popen[bytes] | None = None  # while it is up
        self._starts = 0  # how often it came up
        self._error: Exception | None = None  # why it never did
        self._changed = threading.Condition()
        self._stopping = threading.Event()

    @property
    def pid(self) -> int:
        """Of the server now running. Raises LookupError while none is."""
        process = self._process
        if process is None:
            raise LookupError(f"{self.server.name} is not running")
        return process.pid

    def wait_up(self, *, starts: int = 1) -> None:
        """Return when the server has come up that many times. Raises what kept it from it."""
        with self._changed:
            self._changed.wait_for(lambda: self._starts >= starts or self._error is not None)
            if self._error is not None:
                raise self._error

    def restart(self) -> None:
        """Stop the server cleanly and return when it is up again."""
        with self._changed:
            starts = self._starts
            os.kill(self.pid, self.server.stop_signal)
        self.wait_up(starts=starts + 1)

    def stop(self) -> None:
        """Stop the server for good. Safe to call twice, from any thread, and before start."""
        self._stopping.set()
        with self._changed:
            process = self._process
        if process is not None:
            _end(process, self.server)
        if self.ident is not None:
            self.join()

    def run(self) -> None:
        try:
            self._keep()
        except Exception as exc:  # noqa: BLE001 - wait_up raises it where somebody can act
            self._tell(error=exc)
        else:
            self._tell(error=EmbeddedError(f"{self.server.name} was stopped"))

    def _keep(self) -> None:
        pause_s = RESTART_PAUSE_S
        while not self._stopping.is_set():
            started_s = time.monotonic()
            try:
                self._run_once()
            except (EmbeddedError, OSError) as exc:
                if self._starts == 0:
                    raise
                log.error("%s", exc)  # noqa: TRY400 - the message is complete
            if self._stopping.is_set():
                return
            said = self.server.last_words()
            log.warning("%s has ended and is started again\n  %s", self.server.name, said)
            lived_s = time.monotonic() - started_s
            pause_s = RESTART_PAUSE_S if lived_s > YOUNG_S else pause_s * 2
            self._stopping.wait(min(pause_s, MAX_RESTART_PAUSE_S))

    def _run_once(self) -> None:
        """From start to end of one process."""
        self.server.turn_log_over()
        self.server.prepare()
        process = self.server.spawn(self.server.command())
        try:
            if self._comes_up(process):
                self._tell(process=process)
                # Either stop() saw the process that was just told, or we see its wish here.
                if not self._stopping.is_set():
                    process.wait()
        finally:
            self._tell()
            _end(process, self.server)

    def _comes_up(self, process: subprocess.Popen[bytes]) -> bool:
        """False when we were asked to stop meanwhile."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.server.answers():
            if process.poll() is not None:
                raise self.server.failure(f"it ended at once, with status {process.returncode}")
            if time.monotonic() > deadline:
                raise self.server.failure(f"it did not answer within {START_TIMEOUT_S:.0f} s")
            if self._stopping.wait(POLL_S):
                return False
        return True

    def _tell(
        self,
        *,
        process: subprocess.Popen[bytes] | None = None,
        error: Exception | None = None,
    ) -> None:
        with self._changed:
            self._process, self._error = process, error
            self._starts += process is not None
            self._changed.notify_all()


def _end(process: subprocess.Popen[bytes], server: Server) -> None:
    """Ask, wait, insist. Does nothing to a process that has ended."""
    process.send_signal(server.stop_signal)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        log.error("%s did not stop and is killed", server.name)  # noqa: TRY400
        process.kill()
        process.wait()
