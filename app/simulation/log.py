"""`onsale log export`: a sale as lines of JSON, for audits and for `onsale simulate --log`.

From PostgreSQL, or with `--url` from a running server: embedded stores belong to one process.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

import httpx

from app.secrets import admin_token_of
from config.settings import Settings
from core.db import Db
from core.errors import NotFound
from waiting_room.history.lines import export
from waiting_room.history.store import History

BAD_USAGE = 2
TIMEOUT_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", choices=("export",))
    parser.add_argument("--event", required=True, help="arena, theatre, … or ev_…")
    parser.add_argument("--url", help="of a running server, whose own stores nobody else can open")
    parser.add_argument("--out", type=Path, help="a file; standard output otherwise")


def from_server(args: argparse.Namespace, settings: Settings) -> int:
    """0; 2 when the server does not give it."""
    try:
        with httpx.stream(
            "GET",
            f"{args.url.rstrip('/')}/admin/events/{_event_id(args)}/log",
            headers={"authorization": f"Bearer {admin_token_of(settings)}"},
            trust_env=False,
            timeout=TIMEOUT_S,
        ) as reply:
            reply.raise_for_status()
            with _out(args) as out:
                for some in reply.iter_bytes():
                    out.write(some)
    except (httpx.HTTPError, OSError) as exc:
        sys.stderr.write(f"onsale: {args.url} does not give this log: {exc}\n")
        return BAD_USAGE
    return 0


def kept(args: argparse.Namespace, database_url: str) -> int:
    """0; 2 when there is no such event."""
    try:
        asyncio.run(_export(args, database_url))
    except NotFound:
        sys.stderr.write(f"onsale: there is no event {_event_id(args)}\n")
        return BAD_USAGE
    return 0


def _event_id(args: argparse.Namespace) -> str:
    named: str = args.event
    return named if named.startswith("ev_") else f"ev_{named}"


def _out(args: argparse.Namespace) -> AbstractContextManager[BinaryIO]:
    return args.out.open("wb") if args.out else nullcontext(sys.stdout.buffer)


async def _export(args: argparse.Namespace, database_url: str) -> None:
    """Written as it is read."""
    db = await Db.open(database_url, max_connections=1)
    try:
        async with History(db).recording(_event_id(args)) as recording:
            with _out(args) as out:
                async for some in export(recording):
                    out.write(some)
    finally:
        await db.close()
