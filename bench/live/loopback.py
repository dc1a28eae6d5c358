"""Whose core receives: on the loopback the kernel delivers within the sender's send().

Between two machines each receives for itself. Linux can hand what arrives to chosen cores (receive
packet steering, Documentation/networking/scaling.rst of the kernel); with that the clients' half of
a message is done on the clients' core. What the clients acknowledge is then done there, too, as a
server does whose network card interrupts another core.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

STEERING = Path("/sys/class/net/lo/queues/rx-0/rps_cpus")  # a mask of cores, in hexadecimal
BACKLOG = Path("/proc/sys/net/core/netdev_max_backlog")  # packets that wait for another core
ENOUGH = 200_000  # of them: one for each client and its acknowledgement; more are dropped


class NotSteered(Exception):
    """This system does not let us choose the core that receives."""


@contextlib.contextmanager
def receiving_on(cores: Collection[int]) -> Iterator[None]:
    """All that arrives on the loopback is processed by `cores`; as it was, afterwards.

    Raises:
        NotSteered: Not Linux, or not root.
    """
    mask = sum(1 << core for core in cores)
    with _holding(BACKLOG, str(ENOUGH)), _holding(STEERING, f"{mask:x}"):
        yield


@contextlib.contextmanager
def _holding(setting: Path, value: str) -> Iterator[None]:
    try:
        before = setting.read_text("ascii")
        setting.write_text(value, "ascii")
    except OSError as exc:
        raise NotSteered(str(exc)) from exc
    try:
        yield
    finally:
        setting.write_text(before, "ascii")
