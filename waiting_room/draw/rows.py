"""The draw in PostgreSQL: seed, beacon, the list and its order. It outlives Redis."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from core.db import Connection, Db, load_queries
from core.errors import NotFound, Stale
from core.generations import Epoch
from waiting_room.draw.model import Chunk, Draw, Proof, StoredList
from waiting_room.draw.policy import CHUNK, leaf_hash, proof, root_of
from waiting_room.rooms import Note

WRITE_TIMEOUT_S = 60.0  # of a statement that carries a million entries
CHUNK_COLUMNS = ("event_id", "chunk", "first", "entries", "fans", "root")


class DrawRows:
    def __init__(self, db: Db) -> None:
        self._db = db
        self._sql = load_queries("waiting_room.draw")

    async def get(self, event_id: str) -> Draw:
        """Raises NotFound."""
        row = await self._db.fetchrow(self._sql["draw_get"], event_id)
        if row is None:
            raise NotFound(event_id)
        return Draw(**dict(row))

    @asynccontextmanager
    async def alone(self, event_id: str) -> AsyncIterator[bool]:
        """Whether this node is the one that draws. The lock goes when the node dies."""
        name = f"onsale draw {event_id}"
        async with self._db.connection() as connection:
            mine: bool = await connection.fetchval(self._sql["draw_lock"], name)
            try:
                yield mine
            finally:
                if mine:
                    await connection.execute(self._sql["draw_unlock"], name)

    # -- the list -----------------------------------------------------------------------------

    async def fix(self, event_id: str, epoch: Epoch, base: int, chunks: Sequence[Chunk]) -> None:
        """Store the list and its root, once. Raises Stale when Redis was repaired meanwhile."""
        entries = sum(len(chunk.entry_ids) for chunk in chunks)
        root = root_of([chunk.root for chunk in chunks])
        async with self._db.transaction() as connection:
            if await connection.fetchval(self._sql["draw_epoch"], event_id) != epoch.text:
                raise Stale(f"draw {event_id}: the lobby was read before a repair")
            fixed = await connection.fetchval(self._sql["draw_fix"], event_id, entries, base, root)
            if fixed is None:
                return
            await self._copy(connection, event_id, chunks)
            await connection.execute(self._sql["draw_ceiling"], event_id, base + entries)

    async def _copy(self, connection: Connection, event_id: str, chunks: Sequence[Chunk]) -> None:
        await connection.copy_records_to_table(
            "draw_chunk",
            records=[
                (
                    *(event_id, chunk.number, chunk.entry_ids[0]),
                    *("\n".join(chunk.entry_ids), "\n".join(chunk.fans), chunk.root),
                )
                for chunk in chunks
            ],
            columns=CHUNK_COLUMNS,
            timeout=WRITE_TIMEOUT_S,
        )

    async def stored_list(self, event_id: str) -> StoredList:
        async with self._db.connection() as connection:
            query = self._sql["draw_chunks"]
            rows = await connection.fetch(query, event_id, timeout=WRITE_TIMEOUT_S)
        places: list[int] = []
        for row in rows:
            places.extend(_places(row["places"]) if row["places"] is not None else ())
        entry_ids = [entry_id for row in rows for entry_id in row["entries"].split("\n")]
        return StoredList(
            entry_ids=entry_ids,
            fans=[fan for row in rows for fan in row["fans"].split("\n")],
            places=places if len(places) == len(entry_ids) else None,
        )

    async def order(self, event_id: str, places: Sequence[int]) -> None:
        """Store the place of each line; seed and beacon are public from then on."""
        parts = [places[begin : begin + CHUNK] for begin in range(0, len(places), CHUNK)]
        async with self._db.transaction() as connection:
            await connection.executemany(
                self._sql["draw_order"],
                [(event_id, number, _packed(part)) for number, part in enumerate(parts)],
                timeout=WRITE_TIMEOUT_S,
            )
            await connection.execute(self._sql["draw_ordered"], event_id)

    async def laid(self, event_id: str) -> None:
        await self._db.execute(self._sql["draw_laid"], event_id)

    # -- what is published --------------------------------------------------------------------

    async def chunk_texts(self, event_id: str, number: int) -> tuple[str, list[int] | None]:
        """(entry ids, one a line; their places) of one chunk. Raises NotFound after the last."""
        row = await self._db.fetchrow(self._sql["draw_chunk_texts"], event_id, number)
        if row is None:
            raise NotFound(f"chunk {number}")
        return row["entries"], None if row["places"] is None else _places(row["places"])

    async def proof(self, event_id: str, entry_id: str) -> Proof:
        """Reads one chunk and the roots of all. Raises NotFound when it is not in the list."""
        row = await self._db.fetchrow(self._sql["draw_chunk_of"], event_id, entry_id)
        entry_ids = row["entries"].split("\n") if row else []
        at = bisect_left(entry_ids, entry_id)
        if row is None or at == len(entry_ids) or entry_ids[at] != entry_id:
            raise NotFound(entry_id)
        roots = [r["root"] for r in await self._db.fetch(self._sql["draw_roots"], event_id)]
        leaves, index = [leaf_hash(line) for line in entry_ids], row["chunk"] * CHUNK + at
        return Proof(
            entry_id=entry_id,
            leaf=leaves[at],
            index=index,
            path=proof(leaves, roots, index),
            place=None if row["places"] is None else _places(row["places"])[at],
        )

    # -- the beacon ---------------------------------------------------------------------------

    async def name_beacon(self, event_id: str, name: str, note: Note | None = None) -> bool:
        """False when the list is fixed already. `note` is written in the same transaction."""
        return await self._changed("beacon_name", note, event_id, name)

    async def give_beacon(self, event_id: str, value: bytes, note: Note | None = None) -> bool:
        """Safe to repeat. False when it is too early or too late, or another was given."""
        return await self._changed("beacon_value", note, event_id, value)

    async def give_beacon_up(self, event_id: str, note: Note | None = None) -> bool:
        """Draw without it. False before the list is fixed, and once the value is known."""
        return await self._changed("beacon_give_up", note, event_id)

    async def _changed(self, query: str, note: Note | None, *values: object) -> bool:
        async with self._db.transaction() as connection:
            if await connection.fetchval(self._sql[query], *values) is None:
                return False
            if note is not None:
                await note(connection)
            return True

    # -- for a repair -------------------------------------------------------------------------

    async def left(self, event_id: str, subject: str) -> None:
        await self._db.execute(self._sql["draw_left_add"], event_id, subject)

    async def left_by(self, event_id: str) -> set[str]:
        rows = await self._db.fetch(self._sql["draw_left"], event_id)
        return {row["subject"] for row in rows}

    async def called(self, event_id: str, first: int, last: int) -> tuple[set[str], int]:
        """(fans who had their turn, the highest of their places or 0)."""
        row: Any = await self._db.fetchrow(self._sql["draw_calls"], event_id, first, last)
        return set(row["subjects"]), row["frontier"]


def _packed(places: Sequence[int]) -> bytes:
    return b"".join(place.to_bytes(4, "big") for place in places)


def _places(packed: bytes) -> list[int]:
    numbers = array("I", packed)
    numbers.byteswap()
    return list(numbers)
