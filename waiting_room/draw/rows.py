"""The draw in PostgreSQL: seed, beacon, the list and its order. It outlives Redis."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from core.db import Db, load_queries
from core.errors import NotFound, Stale
from core.generations import Epoch
from waiting_room.draw.model import Draw, Proof, StoredList, entry_ids, parts_of
from waiting_room.draw.policy import CHUNK, Numbers, leaf_hash, proof, root_of
from waiting_room.rooms import Note

WRITE_TIMEOUT_S = 60.0  # of a statement that carries a million entries
CHUNK_COLUMNS = ("event_id", "chunk", "first", "lines", "root")
PACKED = ">u4"  # of places


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

    async def fix(
        self, event_id: str, epoch: Epoch, base: int, lines: Sequence[bytes], roots: Sequence[bytes]
    ) -> None:
        """Store the list and its root, once. Raises Stale when Redis was repaired meanwhile.

        `lines` are sorted, `roots` are those of their parts.
        """
        async with self._db.transaction() as connection:
            if await connection.fetchval(self._sql["draw_epoch"], event_id) != epoch.text:
                raise Stale(f"draw {event_id}: the lobby was read before a repair")
            fixed = await connection.fetchval(
                self._sql["draw_fix"], event_id, len(lines), base, root_of(roots)
            )
            if fixed is None:
                return
            await connection.copy_records_to_table(
                "draw_chunk",
                records=(
                    (event_id, number, entry_ids(part[:1])[0].decode(), b"\n".join(part), root)
                    for number, (part, root) in enumerate(zip(parts_of(lines), roots, strict=True))
                ),
                columns=CHUNK_COLUMNS,
                timeout=WRITE_TIMEOUT_S,
            )
            await connection.execute(self._sql["draw_ceiling"], event_id, base + len(lines))

    async def stored_list(self, event_id: str) -> StoredList:
        async with self._db.connection() as connection:
            query = self._sql["draw_chunks"]
            rows = await connection.fetch(query, event_id, timeout=WRITE_TIMEOUT_S)
        lines = [line for row in rows for line in row["lines"].split(b"\n")]
        if any(row["places"] is None for row in rows):
            return StoredList(lines=lines, places=None)
        return StoredList(lines=lines, places=_places(b"".join(row["places"] for row in rows)))

    async def order(self, event_id: str, places: Numbers) -> None:
        """Store the place of each line; seed and beacon are public from then on."""
        packed = places.astype(PACKED).tobytes()
        parts = [packed[at : at + 4 * CHUNK] for at in range(0, len(packed), 4 * CHUNK)]
        async with self._db.transaction() as connection:
            await connection.executemany(
                self._sql["draw_order"],
                [(event_id, number, part) for number, part in enumerate(parts)],
                timeout=WRITE_TIMEOUT_S,
            )
            await connection.execute(self._sql["draw_ordered"], event_id)

    async def laid(self, event_id: str) -> None:
        await self._db.execute(self._sql["draw_laid"], event_id)

    # -- what is published --------------------------------------------------------------------

    async def part(self, event_id: str, number: int) -> tuple[list[bytes], Numbers]:
        """(entry ids, their places if they are known) of one chunk; both empty after the last."""
        row = await self._db.fetchrow(self._sql["draw_chunk_get"], event_id, number)
        if row is None:
            return [], _places(b"")
        return entry_ids(row["lines"].split(b"\n")), _places(row["places"] or b"")

    async def proof(self, event_id: str, entry_id: str) -> Proof:
        """Reads one chunk and the roots of all. Raises NotFound when it is not in the list."""
        row = await self._db.fetchrow(self._sql["draw_chunk_of"], event_id, entry_id)
        found, wanted = entry_ids(row["lines"].split(b"\n")) if row else [], entry_id.encode()
        at = bisect_left(found, wanted)
        if row is None or at == len(found) or found[at] != wanted:
            raise NotFound(entry_id)
        roots = [r["root"] for r in await self._db.fetch(self._sql["draw_roots"], event_id)]
        leaves, index = [leaf_hash(one) for one in found], row["chunk"] * CHUNK + at
        return Proof(
            leaf=leaves[at],
            index=index,
            path=proof(leaves, roots, index),
            place=None if row["places"] is None else int(_places(row["places"])[at]),
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

    async def left(self, event_id: str, subject: str, entry_id: str) -> None:
        """A repair shall not lay this entry, and no receipt bring it back."""
        await self._db.execute(self._sql["draw_left_add"], event_id, subject, entry_id)

    async def has_left(self, event_id: str, subject: str, entry_id: str) -> bool:
        query = self._sql["draw_left_has"]
        return bool(await self._db.fetchval(query, event_id, subject, entry_id))

    async def all_left(self, event_id: str) -> tuple[set[str], set[str]]:
        """(entry ids, fans none of whose entries are to be laid)."""
        rows = await self._db.fetch(self._sql["draw_left"], event_id)
        fans = {row["subject"] for row in rows if not row["entry_id"]}
        return {row["entry_id"] for row in rows}, fans

    async def places_left(self, event_id: str, first: int, last: int) -> set[int]:
        rows = await self._db.fetch(self._sql["draw_places_left"], event_id, first, last)
        return {row["place"] for row in rows}

    async def called(self, event_id: str, first: int, last: int) -> tuple[set[str], int]:
        """(fans who had their turn, the highest of their places or 0)."""
        row: Any = await self._db.fetchrow(self._sql["draw_calls"], event_id, first, last)
        return set(row["subjects"]), row["frontier"]


def _places(packed: bytes) -> Numbers:
    return np.frombuffer(packed, PACKED).astype(np.int64)
