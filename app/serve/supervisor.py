"""`onsale serve --workers N`: nodes in processes of their own, and who keeps them running.

Every slot has listening sockets of its own, which the supervisor makes and keeps. A worker
inherits them, and so their queues of connections outlive the worker:

- when a worker dies, also by `kill -9`, the others accept what waits at its slot and what comes,
  until its next worker is up (orphans.py). Where a dying process holds the only copy, the kernel
  resets what waits there (unless net.ipv4.tcp_migrate_req is set);
- on SIGHUP the next worker accepts from the same queues before the old one stops. One slot after
  another, so that the machine never carries more than one worker too many.

The supervisor serves nobody and does little, so that there is little to die of. Workers end when
it does: the kernel tells them (app/embedded/launch.py). It can't renew itself: a new version of
this package, of a migration or of the embedded stores takes a stop and a start.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from app.serve import children, policy, sockets
from app.serve.node import GOODBYE_S, STOP_S
from app.serve.slot import CannotStart, Slot, Worker
from config.settings import Settings, for_children
from core.tasks import end

log = logging.getLogger(__name__)

CANNOT_START = 1


class Supervisor:
    """`settings` are the workers' own, with every address settled; see run.py."""

    def __init__(self, settings: Settings, listeners: Sequence[Sequence[socket.socket]]) -> None:
        self._settings, self._listeners = settings, listeners
        self._stop_within_s = settings.drain_s + GOODBYE_S + STOP_S
        self._inner: list[tuple[Path, socket.socket]] = []
        self._workers: set[Worker] = set()  # every process, also those that start or leave
        self._stop_asked, self._renewal_asked = asyncio.Event(), asyncio.Event()
        self._failure = ""  # why it was given up

    def run(self, on_ready: Callable[[], None]) -> int:
        """Until SIGINT or SIGTERM. Returns the exit code; `on_ready`: all workers serve."""
        with (
            tempfile.TemporaryDirectory(prefix="onsale-") as folder,
            sockets.listen_inside(Path(folder), slots=len(self._listeners)) as self._inner,
        ):
            asyncio.run(self._supervise(on_ready))
        if self._failure:
            log.error("%s", self._failure)
        return CANNOT_START if self._failure else 0

    async def _supervise(self, on_ready: Callable[[], None]) -> None:
        slots: list[Slot] = []
        for number in range(len(self._listeners)):
            slot = Slot(number, self._spawn, self._stop_within_s, lambda: self._deal(slots))
            slots.append(slot)
        with self._signals():
            keeping = asyncio.create_task(self._keep(slots, on_ready))
            stopping = asyncio.create_task(self._until_asked_to_stop())
            try:
                await asyncio.wait({keeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if keeping.done():
                    keeping.result()
            finally:
                await end(keeping, stopping)
                await self._stop()

    async def _keep(self, slots: Sequence[Slot], on_ready: Callable[[], None]) -> None:
        def serving() -> int:
            return sum(slot.serving for slot in slots)

        try:
            async with asyncio.TaskGroup() as starts:
                for slot in slots:
                    starts.create_task(slot.fill(serving=serving, complete=False))
            on_ready()
            async with asyncio.TaskGroup() as duties:
                for slot in slots:
                    duties.create_task(slot.keep(serving=serving, leaving=duties))
                duties.create_task(self._renew_when_asked(slots))
        except* CannotStart as failed:
            self._failure = str(failed.exceptions[0])

    async def _renew_when_asked(self, slots: Sequence[Slot]) -> None:
        """SIGHUP during a renewal means another one after it: something newer may be there."""
        while True:
            await self._renewal_asked.wait()
            self._renewal_asked.clear()
            started_s = time.monotonic()
            for slot in slots:
                if not await slot.renew():
                    log.error("restart given up: the workers that serve go on")
                    break
            else:
                log.warning("all workers restarted in %.1f s", time.monotonic() - started_s)

    def _deal(self, slots: Sequence[Slot]) -> None:
        """Tell each worker that serves what it takes of slots that have none."""
        serving = {slot.number: slot.worker for slot in slots if slot.worker and slot.serving}
        shares = policy.dealt(serving, slots=len(slots), each=len(self._listeners[0]))
        for number, queues in shares.items():
            serving[number].take(queues)

    async def _spawn(self, number: int) -> Worker:
        paths = [str(path) for path, _ in self._inner]
        inner = self._inner[number][1].fileno()
        outer = [listener.fileno() for listener in itertools.chain(*self._listeners)]
        sockets_given = (",".join(map(str, outer)), str(inner))
        command = children.command("app.serve.worker", str(number), *paths, *sockets_given)
        worker = await Worker.spawn(command, for_children(self._settings), [*outer, inner])
        self._workers = {one for one in self._workers if not one.ended.is_set()} | {worker}
        return worker

    async def _stop(self) -> None:
        """All at once. Our own copies of the sockets first, or newcomers would wait for nobody."""
        for listener in itertools.chain(*self._listeners, (inner for _, inner in self._inner)):
            listener.close()
        await asyncio.gather(*(worker.stop(self._stop_within_s) for worker in self._workers))

    async def _until_asked_to_stop(self) -> None:
        await self._stop_asked.wait()

    def _ask_to_stop(self) -> None:
        if self._stop_asked.is_set():  # the second time it is meant
            for worker in self._workers:
                worker.kill()
        self._stop_asked.set()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGINT: self._ask_to_stop,
            signal.SIGTERM: self._stop_asked.set,
            signal.SIGHUP: self._renewal_asked.set,
        }
        before = {number: signal.getsignal(number) for number in handlers}
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number, handler_before in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler_before)
