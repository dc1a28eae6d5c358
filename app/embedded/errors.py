"""Why the embedded servers did not start. Each message is written for whoever typed the command.

EmbeddedError
├── AlreadyRunning     another process serves this data; stop it, or use another folder
├── NoServerProgram    no wheel for this platform and nothing on PATH; use an address instead
└── ServerFailed       the program is there and did not start; says what its log says
"""

from __future__ import annotations

from pathlib import Path


class EmbeddedError(Exception):
    """The message is complete: show it without a traceback."""


class AlreadyRunning(EmbeddedError):
    def __init__(self, data_dir: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"{data_dir} is in use by {holder}. Stop it first, or choose another folder "
            "with ONSALE_DATA_DIR."
        )
        self.pid = pid


class NoServerProgram(EmbeddedError):
    def __init__(self, server: str, wheel: str, programs: str, variable: str) -> None:
        super().__init__(
            f"No {server} for this platform: the package {wheel} has no wheel for it, and "
            f"{programs} is not on PATH. Install {server}, or set {variable} to a running one."
        )


class ServerFailed(EmbeddedError):
    def __init__(self, name: str, why: str, log: Path) -> None:
        super().__init__(f"{name} did not start: {why}\n(its log: {log})")
