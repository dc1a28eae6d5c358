"""The machine under the benchmarks: cores, what a process spends, and the C programs.

The server under test has one core to itself; clients, publisher and this process share the rest.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from app.embedded.identity import Identity

C_SOURCES = Path(__file__).parent / "c"
C_FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra")
PROGRAMS = {
    "clients": ("clients.c", "client.c", "tally.c", "websocket.c"),
    "floor": ("floor.c",),
}
CPUCLOCK_SCHED = 2  # clock_getcpuclockid(3): run time as the scheduler counts it
STOP_TIMEOUT_S = 10.0
START_TIMEOUT_S = 15.0

ALL_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = {ALL_CORES[0]}
OTHER_CORES = set(ALL_CORES[1:]) or SERVER_CORE


def compiled(folder: Path) -> dict[str, Path]:
    """The C programs by name, built into `folder`; nothing where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return {}
    for name, sources in PROGRAMS.items():
        paths = [str(C_SOURCES / source) for source in sources]
        subprocess.run([compiler, *C_FLAGS, "-o", folder / name, *paths], check=True)
    return {name: folder / name for name in PROGRAMS}


@contextlib.contextmanager
def child(
    command: Sequence[str],
    cores: set[int],
    log: Path,
    *,
    pipes: bool = False,
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """A process on these cores from its first moment, which ends with the context or with us."""
    launcher = Identity("self", 0, 0).launcher(stop_signal=signal.SIGTERM)
    ours = os.sched_getaffinity(0)
    pipe = subprocess.PIPE if pipes else subprocess.DEVNULL
    os.sched_setaffinity(0, cores)
    try:
        with log.open("a") as errors:
            process = subprocess.Popen(
                [*launcher, *command], stdin=pipe, stdout=pipe, stderr=errors, text=True, env=env
            )
    finally:
        os.sched_setaffinity(0, ours)
    try:
        with process:
            try:
                yield process
            finally:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_TIMEOUT_S)
                process.kill()
    except BrokenPipeError:
        pass  # it had ended before its input was closed


def await_port(port: int, process: subprocess.Popen[str], log: Path) -> None:
    """Until somebody listens there.

    Raises:
        RuntimeError: The process ended, or START_TIMEOUT_S passed; with the end of its log.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"{process.args} does not listen: {log.read_text('utf-8')[-2000:]}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def with_children(pid: int) -> list[int]:
    """The process and those it started, as nginx does its workers."""
    lines = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    return [pid, *map(int, lines.split())]


def cpu_s(pids: Sequence[int]) -> float:
    """User and system time so far, threads included.

    The kernel's clock of a process: to the nanosecond, where /proc/PID/stat counts hundredths.
    """
    return sum(time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED) for pid in pids)


def memory_bytes(pids: Sequence[int]) -> int:
    """Pss: resident memory, what is shared counted in shares."""
    total_kib = 0
    for pid in pids:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
        found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        assert found is not None
        total_kib += int(found[1])
    return total_kib * 1024


def unsent_bytes(port: int) -> float:
    """Kernel memory of what a server's sockets could not send yet; nan without ss(8).

    Of each such socket `w`, what is queued as the kernel counts it, and `f`, set aside for it.
    (/proc/net/sockstat has a sum, too coarse for a few sockets: each core keeps a megabyte.)
    """
    program = shutil.which("ss")
    if program is None:
        return float("nan")
    listed = subprocess.run(
        [program, "-tmnH", "sport", "=", f":{port}"], capture_output=True, text=True, check=True
    )
    pairs = re.findall(r"skmem:\(\S*?,f(\d+),w(\d+),", listed.stdout)
    return float(sum(int(ahead) + int(queued) for ahead, queued in pairs if int(queued) > 0))
