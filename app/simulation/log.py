"""`onsale log export`: a sale as lines of JSON, for audits and for `onsale simulate --log`.

From PostgreSQL, or with `--url` from a running server: embedded stores belong to one process.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

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
        reply = httpx.get(
            f"{args.url.rstrip('/')}/admin/events/{_event_id(args)}/log",
            headers={"authorization": f"Bearer {admin_token_of(settings)}"},
            trust_env=False,
            timeout=TIMEOUT_S,
        )
        return _write(args, reply.raise_for_status().content)
    except (httpx.HTTPError, OSError) as exc:
        sys.stderr.write(f"onsale: {args.url} does not give this log: {exc}\n")
        return BAD_USAGE


def kept(args: argparse.Namespace, database_url: str) -> int:
    """0; 2 when there is no such event."""
    try:
        return _write(args, asyncio.run(_read(_event_id(args), database_url)))
    except NotFound:
        sys.stderr.write(f"onsale: there is no event {_event_id(args)}\n")
        return BAD_USAGE


def _event_id(args: argparse.Namespace) -> str:
    named: str = args.event
    return named if named.startswith("ev_") else f"ev_{named}"


def _write(args: argparse.Namespace, text: bytes) -> int:
    if args.out:
        args.out.write_bytes(text)
    else:
        sys.stdout.buffer.write(text)
    return 0


async def _read(event_id: str, database_url: str) -> bytes:
    db = await Db.open(database_url, max_connections=1)
    try:
        return b"".join(export(await History(db).sale(event_id)))
    finally:
        await db.close()
