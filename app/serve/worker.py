"""A worker: the process of one node under a supervisor. Run by it, see supervisor.py.

    python -m app.serve.worker NUMBER PATH … LISTENER,… INNER STATUS

PATH …: where the workers listen for each other, in the order of their numbers, this one too.
LISTENER …, INNER, STATUS: inherited file descriptors, of the sockets for everybody (those of all
slots, in the order of their numbers), of the one for the other workers, and of the one on which it
tells the supervisor how far it is, and hears what to take of slots without a worker.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from app import logs
from app.crew import Crew
from app.serve import node
from app.serve.orphans import Orphans
from app.serve.run import leave, stores
from app.serve.slot import DRAINING, READY
from app.serve.sockets import QUEUES
from config.settings import load
from core.errors import StoreUnavailable
from core.redis import TooOld

CANNOT_START = 1


def main(arguments: Sequence[str]) -> int:
    number, *paths, outer, inner, status = arguments
    crew = Crew(int(number), tuple(map(Path, paths)))
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, leave)
    node.end_on_hangup()
    settings = load()
    logs.configure(level=settings.log_level, json=settings.env == "production", worker=crew.me)

    def say(line: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # the supervisor is gone, and so are we, soon
            os.write(int(status), line)

    try:
        with stores(settings) as addresses, contextlib.ExitStack() as inherited:
            fds = map(int, (*outer.split(","), inner))
            *queues, inside = [inherited.enter_context(socket.socket(fileno=fd)) for fd in fds]
            mine = slice(crew.me * QUEUES, (crew.me + 1) * QUEUES)
            heard = socket.fromfd(int(status), socket.AF_UNIX, socket.SOCK_STREAM)
            node.run(
                node.serve(
                    settings,
                    addresses,
                    [*queues[mine], inside],
                    on_ready=lambda: say(READY),
                    on_drain=lambda: say(DRAINING),
                    crew=crew,
                    orphans=Orphans(queues, heard),
                )
            )
    except (TooOld, StoreUnavailable) as exc:
        sys.stderr.write(f"onsale: worker {number}: {exc}\n")
        return CANNOT_START
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
