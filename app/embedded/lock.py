"""One Onsale per data folder, told by two flock(2) locks, which the kernel frees whatever happens.

`lock` is held by the process that runs the servers, `servers.lock` by the servers too, which
inherit it: it stays taken until the last of them is gone. So a second instance learns at once
that there is a first, and one that comes after a `kill -9` waits for the servers on their way
out. Process numbers decide nothing: they come back, and the dead keep theirs until reaped.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import ExitStack
from pathlib import Path

from app.embedded.errors import AlreadyRunning

OWNER_FILE = "lock"
SERVERS_FILE = "servers.lock"
LEFTOVERS_TIMEOUT_S = 30.0  # they are writing their last page
POLL_S = 0.05
MAX_PID_DIGITS = 10


def take(data_dir: Path, until: ExitStack) -> int:
    """Hold the folder until `until` is closed. Returns the descriptor to hand to the servers.

    Raises AlreadyRunning when another process has it, or its servers do not end.
    """
    owner = _open(data_dir / OWNER_FILE, until)
    if not _try_lock(owner):
        raise AlreadyRunning(data_dir, _written(owner))
    os.truncate(owner, 0)
    os.pwrite(owner, f"{os.getpid()}\n".encode(), 0)
    servers = _open(data_dir / SERVERS_FILE, until)
    deadline = time.monotonic() + LEFTOVERS_TIMEOUT_S
    while not _try_lock(servers):
        if time.monotonic() > deadline:
            raise AlreadyRunning(data_dir, None)
        time.sleep(POLL_S)
    return servers


def _open(path: Path, until: ExitStack) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until.callback(os.close, fd)
    return fd


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _written(fd: int) -> int | None:
    text = os.pread(fd, MAX_PID_DIGITS, 0).strip()
    return int(text) if text.isdigit() else None
