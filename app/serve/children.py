"""Processes of our own code that end with the one that started them."""

from __future__ import annotations

import signal
import subprocess
import sys

from app.embedded.identity import Identity

END_TIMEOUT_S = 5.0


def command(module: str, *arguments: str) -> list[str]:
    """What to run, from this thread: the kernel sends SIGTERM when the thread's process ends."""
    launcher = Identity("self", 0, 0).launcher(stop_signal=signal.SIGTERM)
    return [*launcher, sys.executable, "-m", module, *arguments]


def start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """In a session of its own: Ctrl-C reaches us alone, and we stop all in order."""
    return subprocess.Popen(command(module, *arguments), start_new_session=True)  # noqa: S603


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask, wait, insist."""
    process.terminate()
    try:
        process.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
