"""A slot and the worker process in it, as the supervisor sees them.

A worker: starting ──says ready──► serving ──says draining──► leaving ──► ended
          with an end at any point, when it dies.

It has *left* as soon as it drains: from then on others accept what comes to its slot (orphans.py),
and the next one must start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Sequence

from app.serve import policy
from app.serve.orphans import share_line

log = logging.getLogger(__name__)

READY, DRAINING = b"ready\n", b"draining\n"
START_TIMEOUT_S = 60.0
EXIT_CODE_WITHIN_S = 0.1  # of a worker that has left; one that drains has none yet


class CannotStart(Exception):
    """A worker did not come up, and there is no use in trying again."""


class Worker:
    """One process. Made by `spawn`; whoever has one sees to its `stop` or its end."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.pid = process.pid
        self.left, self.ended = asyncio.Event(), asyncio.Event()
        self._process, self._writer = process, writer
        self._told_ready = asyncio.Event()
        self._watching = asyncio.create_task(self._watch(reader))

    @classmethod
    async def spawn(cls, command: Sequence[str], env: dict[str, str], fds: Sequence[int]) -> Worker:
        """The command gets `fds`, and as its last argument the one to speak with us through."""
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            inherited = [*fds, theirs.fileno()]
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    str(theirs.fileno()),
                    env=env,
                    pass_fds=inherited,
                    start_new_session=True,
                )
            except BaseException:
                writer.close()
                raise
        return cls(process, reader, writer)

    async def comes_up(self) -> bool:
        """True once it serves; False when it ended instead or took too long, and is killed."""
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._told_ready.wait()
        except TimeoutError:
            log.error("process %d is not ready after %.0f s", self.pid, START_TIMEOUT_S)  # noqa: TRY400
            self.kill()
        return not self.left.is_set()

    def take(self, queues: Collection[int]) -> None:
        """Accept from these too, and from no others but its own."""
        self._writer.write(share_line(queues))

    async def stop(self, within_s: float) -> None:
        """Ask it to drain, wait, insist. Safe to repeat."""
        self._signal(self._process.terminate)
        try:
            async with asyncio.timeout(within_s):
                await self.ended.wait()
        except TimeoutError:
            log.error("process %d did not end within %.0f s: killed", self.pid, within_s)  # noqa: TRY400
            self.kill()
            await self.ended.wait()

    def kill(self) -> None:
        self._signal(self._process.kill)

    @property
    def how_it_ended(self) -> str:
        code = self._process.returncode
        if code is None:
            return "is leaving"
        return f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"

    def _signal(self, send: Callable[[], None]) -> None:
        if self._process.returncode is None:
            send()

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):  # `take` was told to one that had just ended
            while line := await reader.readline():  # until it has ended
                if line == READY:
                    self._told_ready.set()
                elif line == DRAINING:
                    self.left.set()
        await self._process.wait()
        self._writer.close()
        for event in (self.left, self._told_ready, self.ended):
            event.set()


Spawn = Callable[[int], Awaitable[Worker]]


class Slot:
    """One place for a worker, with sockets of its own, and whoever serves there now.

    `changed` is called when another worker serves there, or none.
    """

    def __init__(
        self, number: int, spawn: Spawn, stop_within_s: float, changed: Callable[[], None]
    ) -> None:
        self.number = number
        self.worker: Worker | None = None
        self._spawn, self._stop_within_s, self._changed = spawn, stop_within_s, changed
        self._filling = asyncio.Lock()  # one new worker at a time, whether for a dead or an old one
        self._deaths = self._failed_starts = 0
        self._filled_at_s = 0.0

    @property
    def serving(self) -> bool:
        return self.worker is not None and not self.worker.left.is_set()

    async def fill(self, *, serving: Callable[[], int], complete: bool) -> None:
        """Start a worker and return when it serves. Raises CannotStart, see policy.gives_up."""
        while not await self._try():
            self._deaths += 1
            self._failed_starts += 1
            failed = self._failed_starts
            if policy.gives_up(failed_starts=failed, serving=serving(), complete=complete):
                raise CannotStart(f"worker {self.number} cannot start; it says why above")
            pause_s = policy.pause_s(self._deaths)
            log.warning("worker %d: next try in %.1f s", self.number, pause_s)
            await asyncio.sleep(pause_s)
        self._failed_starts = 0

    async def keep(self, *, serving: Callable[[], int], leaving: asyncio.TaskGroup) -> None:
        """Put a new worker where one has left, for ever. `leaving` sees to the ends of the old."""
        while True:
            worker = self.worker
            assert worker is not None
            await worker.left.wait()
            self._changed()
            async with self._filling:
                if worker is self.worker:  # else `renew` has replaced it, and sees to its end
                    leaving.create_task(worker.stop(self._stop_within_s))
                    await self._replace(worker, serving)

    async def renew(self) -> bool:
        """Another worker instead of the one that serves, who leaves when the new one is up.

        False when the new one did not come up: then the old one stays.
        """
        async with self._filling:
            old = self.worker
            if not await self._try():
                return False
        if old is not None:
            await old.stop(self._stop_within_s)
        return True

    async def _replace(self, worker: Worker, serving: Callable[[], int]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EXIT_CODE_WITHIN_S):  # it tells more than that it left
                await worker.ended.wait()
        lived_s = time.monotonic() - self._filled_at_s
        self._deaths = policy.deaths_in_a_row(self._deaths, lived_s)
        log.warning("worker %d %s and is replaced", self.number, worker.how_it_ended)
        await asyncio.sleep(policy.pause_s(self._deaths))
        await self.fill(serving=serving, complete=True)
        log.warning("worker %d serves again", self.number)

    async def _try(self) -> bool:
        try:
            fresh = await self._spawn(self.number)
        except OSError as exc:  # no memory, too many processes
            log.error("worker %d: %s", self.number, exc)  # noqa: TRY400 - the message is complete
            return False
        if not await fresh.comes_up():
            await fresh.ended.wait()
            log.error("worker %d %s before it served", self.number, fresh.how_it_ended)
            return False
        self.worker, self._filled_at_s = fresh, time.monotonic()
        self._changed()
        return True
