"""What the Python servers under test share: their arguments, and uvicorn set up as in a sale."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette

from app.serve.sockets import BACKLOG, allow_files, listen


@dataclass(frozen=True, slots=True)
class Arguments:
    port: int
    every_ms: int
    size: int  # of a message, bytes

    @classmethod
    def parse(cls) -> Self:
        """PORT EVERY_MS BYTES, as c/floor.c takes them."""
        return cls(*map(int, sys.argv[1:4]))


def serve(app: Starlette, port: int, server: type[uvicorn.Server], **options: Any) -> None:
    """Until SIGTERM."""
    allow_files(0)
    settings: dict[str, Any] = {
        "http": "httptools",
        "ws": "websockets-sansio",
        "loop": "uvloop",
        "log_level": "warning",
        "access_log": False,
        "ws_per_message_deflate": False,
        "timeout_graceful_shutdown": 1,
        "backlog": BACKLOG,
        **options,
    }
    with listen("127.0.0.1", port, slots=1) as (queues,):
        server(uvicorn.Config(app, **settings)).run(sockets=queues)
