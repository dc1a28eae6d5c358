"""Every named query is prepared on the migrated schema: a column that is gone shows here."""

import importlib.util
from pathlib import Path

from core.db import load_queries

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for package in ("core", "waiting_room", "seatmap", "app")
    for path in (ROOT / package).rglob("queries.sql")
)


async def test_every_query_prepares_on_the_migrated_schema(db):
    assert FILES
    async with db.connection() as connection:
        for path in FILES:
            package = ".".join(path.parent.relative_to(ROOT).parts)
            assert importlib.util.find_spec(package)
            queries = load_queries(package)
            assert queries, path
            for name, query in queries.items():
                assert query.rstrip().endswith(";"), f"{path}: {name}"
                await connection.prepare(query)
