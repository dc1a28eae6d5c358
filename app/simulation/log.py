"""`onsale log export`: a sale as lines of JSON, for audits and for `onsale simulate --log`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from core.db import Db
from core.errors import NotFound
from waiting_room.history.lines import export
from waiting_room.history.store import History

BAD_USAGE = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", choices=("export",))
    parser.add_argument("--event", required=True, help="arena, theatre, … or ev_…")
    parser.add_argument("--out", type=Path, help="a file; standard output otherwise")


async def run(args: argparse.Namespace, database_url: str) -> int:
    """0; 2 when there is no such event."""
    event_id = args.event if args.event.startswith("ev_") else f"ev_{args.event}"
    db = await Db.open(database_url, max_connections=1)
    try:
        sale = await History(db).sale(event_id)
    except NotFound:
        sys.stderr.write(f"onsale: there is no event {event_id}\n")
        return BAD_USAGE
    finally:
        await db.close()
    text = b"".join(export(sale))
    if args.out:
        args.out.write_bytes(text)
    else:
        sys.stdout.buffer.write(text)
    return 0
