"""Who the servers run as, and so who owns their files.

PostgreSQL refuses to be root, and initdb a uid without an account (`docker run --user 12345`).
"""

from __future__ import annotations

import functools
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

LAUNCH = Path(__file__).with_name("launch.py")
PROBE_TIMEOUT_S = 10.0
NOBODY_ID = 65534  # where the system has no account of that name


@dataclass(frozen=True, slots=True)
class Identity:
    how: Literal["self", "namespace", "nobody"]  # explained in launch.py
    uid: int  # of the files, as seen from here
    gid: int

    def launcher(self, *, stop_signal: int) -> list[str]:
        """What to put before a command so that it runs as this identity and ends with us."""
        python = [sys.executable, "-I", "-S", str(LAUNCH)]
        return [*python, self.how, *map(str, (self.uid, self.gid, int(stop_signal), os.getpid()))]

    def own(self, folder: Path) -> None:
        """Give a folder and all in it to this identity, unless it has it already.

        The folder itself goes last: if we die on the way, the next start does it again.
        """
        if self.how == "self" or os.stat(folder).st_uid == self.uid:
            return
        for path in _inside_out(folder):
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def choose() -> Identity:
    """Ourselves, or the least intrusive stand-in that this machine allows."""
    if not _acceptable(os.geteuid()) and namespaces_allowed():
        return in_namespace()
    return as_nobody() if os.geteuid() == 0 else Identity("self", os.geteuid(), os.getegid())


def _acceptable(uid: int) -> bool:
    try:
        return pwd.getpwuid(uid).pw_uid != 0
    except KeyError:
        return False


def in_namespace() -> Identity:
    return Identity("namespace", os.geteuid(), os.getegid())


def as_nobody() -> Identity:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return Identity("nobody", NOBODY_ID, NOBODY_ID)
    return Identity("nobody", entry.pw_uid, entry.pw_gid)


@functools.cache
def namespaces_allowed() -> bool:
    """Tried, since no setting tells: kernel limits, seccomp and LSMs each have a say."""
    command = [*in_namespace().launcher(stop_signal=9), shutil.which("true") or "/bin/true"]
    probe = subprocess.run(command, capture_output=True, check=False, timeout=PROBE_TIMEOUT_S)  # noqa: S603
    return probe.returncode == 0


def _inside_out(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, topdown=False):
        yield from (Path(parent, name) for name in (*files, *folders))
    yield folder
