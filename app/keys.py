"""`onsale keys list | rotate`: the keys that sign admission passes.

A rotation publishes the next key; every node signs with it from the time that is printed. Passes
signed before stay good until they end.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from core.db import Db
from waiting_room.passes.keyring import PassKeyStore
from waiting_room.passes.policy import PassKey


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", choices=("list", "rotate"))


async def run(args: argparse.Namespace, database_url: str) -> None:
    db = await Db.open(database_url, max_connections=1)
    try:
        store = PassKeyStore(db)
        newest = (await store.all())[-1].number
        if args.verb == "rotate" and await store.rotate(newest) is None:
            print(f"key {newest} is published already and does not sign yet: nothing to do")
        for key in await store.all():
            print(_line(key))
    finally:
        await db.close()


def _line(key: PassKey) -> str:
    at = datetime.fromtimestamp(key.signs_from_ms / 1000, UTC)
    return f"key {key.number} signs from {at:%Y-%m-%d %H:%M:%S} UTC"
