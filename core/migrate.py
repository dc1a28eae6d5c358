"""Migrations: numbered SQL files in app/migrations, run by yoyo, which locks while it works.

Each file begins with a comment that says what it is for, whether it is safe online, and how to
undo it. A file that has landed is never edited: yoyo compares nothing, readers do.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from yoyo import get_backend, read_migrations

from core.db import Db


class OldSchema(Exception):
    """This code needs a newer schema than the database has."""


MIGRATIONS = Path(__file__).parents[1] / "app" / "migrations"


def migrate(database_url: str) -> list[str]:
    """Bring the schema up to date; ids of the migrations that were applied. Safe to repeat."""
    logging.getLogger("yoyo").setLevel(logging.WARNING)
    # yoyo records who migrated, and getpass raises for a uid without an account: a container's.
    os.environ.setdefault("LOGNAME", os.environ.get("USER", str(os.getuid())))
    with get_backend(_for_yoyo(database_url)) as backend, backend.lock():
        pending = backend.to_apply(read_migrations(str(MIGRATIONS)))
        backend.apply_migrations(pending)
        return [migration.id for migration in pending]


async def require_schema(db: Db) -> None:
    """Raises OldSchema unless the last migration of this code was applied."""
    newest = max(path.stem for path in MIGRATIONS.glob("[0-9]*.sql"))
    table = await db.fetchval("select to_regclass('_yoyo_migration')")
    applied = "select exists (select from _yoyo_migration where migration_id = $1)"
    if table is None or not await db.fetchval(applied, newest):
        raise OldSchema(f"the database lacks migration {newest}: run `onsale migrate`")


def _for_yoyo(database_url: str) -> str:
    parts = urlsplit(database_url)
    return urlunsplit(parts._replace(scheme="postgresql+psycopg"))
