"""Logging: one line an event, key=value for people, JSON in production.

Expected refusals are info without a traceback; the rest once, with it. Ids and codes are logged;
cookies, tokens, passes and e-mail addresses never are.
"""

from __future__ import annotations

import logging
import sys

import structlog


def configure(*, level: str, json: bool, worker: int | None = None) -> None:
    """`worker`: the number to put on each line, where several processes write to one log."""
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if worker is not None:
        shared.append(_numbered(worker))
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("uvicorn", "uvicorn.error", "httpx", "websockets", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _numbered(worker: int) -> structlog.types.Processor:
    def number(_: object, __: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
        line["worker"] = worker
        return line

    return number
