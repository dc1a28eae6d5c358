"""One Onsale per data folder.

The lock is flock(2) on a file that the servers inherit: it stays taken until the last process
with a hand on the data is gone, and the kernel frees it, whatever killed them. So whoever has
it knows that no server is left on the data, not even one on its way out.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from app.embedded.errors import AlreadyRunning

FILE_NAME = "lock"
LEFTOVERS_TIMEOUT_S = 30.0  # servers whose parent was killed are writing their last page
POLL_S = 0.05
MAX_PID_DIGITS = 10


def take(data_dir: Path) -> int:
    """The descriptor that is the lock: hand it to the servers, close it when they have ended.

    Waits for servers whose parent is dead. Raises AlreadyRunning when it is alive, or when
    they do not end.
    """
    fd = os.open(data_dir / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait_for(fd, data_dir)
        os.truncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _wait_for(fd: int, data_dir: Path) -> None:
    deadline = time.monotonic() + LEFTOVERS_TIMEOUT_S
    while not _try_lock(fd):
        pid = _holder(fd)
        if (pid is not None and _is_alive(pid)) or time.monotonic() > deadline:
            raise AlreadyRunning(data_dir, pid)
        time.sleep(POLL_S)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(fd: int) -> int | None:
    text = os.pread(fd, MAX_PID_DIGITS + 1, 0).strip()
    return int(text) if text.isdigit() else None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # alive, and somebody else's
    return True
