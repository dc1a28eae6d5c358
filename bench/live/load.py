"""The clients: processes of c/clients.c, told what to do by line, answering in JSON."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.live import machine
from bench.live.servers import Way

CLIENTS_A_PROCESS = 18_000  # of the 20,000 files that a process may open on a small machine
FIRST_SOURCE, SOURCES = 10, 8  # 127.0.0.x; c/clients.c takes eight addresses a process
ANSWER_TIMEOUT_S = 120.0
LOOK_S = 0.5  # between two looks at whether all has come
SILENT_S = 5.0  # without a message: no more will come
SETTLE_TIMEOUT_S = 60.0


class TooSlow(Exception):
    """The clients did not all get what they asked for in ANSWER_TIMEOUT_S."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What all clients together received since the last reset."""

    open: int
    ended_stalled: int
    messages: int
    refused: int
    closed: int
    cpu_s: float  # of the client processes, since they started
    deliveries: dict[int, tuple[int, int]]  # stamp -> clients it reached, last arrival
    latency_us: Counter[int]  # at most that many -> messages

    @property
    def is_complete(self) -> bool:
        """Whether what reached one client reached all."""
        return bool(self.deliveries) and all(
            clients >= self.open for clients, _ in self.deliveries.values()
        )

    @property
    def last_ms(self) -> list[float]:
        """From publishing to the last client, of each message that reached somebody; sorted."""
        return sorted((last - stamp) / 1e6 for stamp, (_, last) in self.deliveries.items())

    def percentile_ms(self, share: float) -> float:
        """Of all deliveries."""
        left = share * sum(self.latency_us.values())
        for at_most_us, count in sorted(self.latency_us.items()):
            left -= count
            if left <= 0:
                return at_most_us / 1000
        return 0.0


class Load:
    """All client processes of one run. `load` makes one."""

    def __init__(self, processes: list[subprocess.Popen[str]], log: Path) -> None:
        self._processes, self._log = processes, log

    def give_cookies(self, file: Path) -> None:
        """One a line, for as many clients. Before they connect, and in one process only."""
        assert len(self._processes) == 1
        self._all(f"cookies {file}")

    def connect(self, count: int) -> float:
        """That many more; seconds until all were open."""
        return self._longest(self._shared("connect", count))

    def stall(self, count: int) -> None:
        """That many more which will never read."""
        self._shared("stall", count)

    def unstall(self) -> None:
        self._all("unstall")

    def storm(self) -> float:
        """Drop all connections and ask for all anew at once; seconds until all are open."""
        return self._longest(self._all("storm"))

    def until_back(self) -> None:
        """Until all have been ended since the last reset, and are open again."""
        self._all("await")

    def reset(self) -> None:
        self._all("reset")

    def report(self) -> Arrivals:
        answers = self._all("report")
        deliveries: dict[int, tuple[int, int]] = {}
        latency_us: Counter[int] = Counter()
        for answer in answers:
            for stamp, clients, last in answer["deliveries"]:
                before, earlier = deliveries.get(stamp, (0, 0))
                deliveries[stamp] = (before + clients, max(earlier, last))
            latency_us.update(dict(answer["latency_us"]))
        names = ("open", "ended_stalled", "messages", "refused", "closed", "cpu_s")
        sums = {name: sum(answer[name] for answer in answers) for name in names}
        return Arrivals(**sums, deliveries=deliveries, latency_us=latency_us)

    def settled(self) -> Arrivals:
        """The report once every message has reached everybody, or nothing comes any more."""
        ends = time.monotonic() + SETTLE_TIMEOUT_S
        silent_since, before = time.monotonic(), -1
        while True:
            time.sleep(LOOK_S)
            report, now = self.report(), time.monotonic()
            if report.messages != before:
                silent_since, before = now, report.messages
            elif report.is_complete or now - silent_since > SILENT_S:
                return report
            if now > ends:
                return report

    def _shared(self, command: str, count: int) -> list[Any]:
        """`count` spread over the processes."""
        size, rest = divmod(count, len(self._processes))
        counts = [size + (number < rest) for number in range(len(self._processes))]
        return self._ask([f"{command} {share}" for share in counts])

    def _all(self, command: str) -> list[Any]:
        return self._ask([command] * len(self._processes))

    def _ask(self, commands: list[str]) -> list[Any]:
        for process, command in zip(self._processes, commands, strict=True):
            assert process.stdin is not None
            process.stdin.write(command + "\n")
            process.stdin.flush()
        return [self._answer(process) for process in self._processes]

    def _answer(self, process: subprocess.Popen[str]) -> Any:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], ANSWER_TIMEOUT_S)
        if not ready:
            raise TooSlow
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"clients ended: {self._log.read_text('utf-8')[-2000:]}")
        return json.loads(line)

    @staticmethod
    def _longest(answers: list[Any]) -> float:
        return float(max(answer["seconds"] for answer in answers))


@contextlib.contextmanager
def load(
    program: Path, port: int, way: Way, path: str, *, most: int, look_us: int
) -> Iterator[Load]:
    """Client processes for up to `most` clients of the server on `port`, none connected yet.

    They look for what arrived every `look_us`; with 0, what arrives wakes them.
    """
    log = program.with_suffix(".log")
    with contextlib.ExitStack() as stack:
        processes = []
        for number in range(-(-most // CLIENTS_A_PROCESS)):
            source = str(FIRST_SOURCE + number * SOURCES)
            command = [str(program), "127.0.0.1", str(port), way, path, source]
            command.append(str(look_us))
            child = machine.child(command, machine.OTHER_CORES, log, pipes=True)
            processes.append(stack.enter_context(child))
        yield Load(processes, log)
