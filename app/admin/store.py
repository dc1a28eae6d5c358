"""One-time console links, sessions that were ended, and the audit log, in PostgreSQL."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.admin.errors import NothingToUndo
from core.db import Connection, Db, load_queries

AUDIT_ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    audit_id: int
    at_ms: int
    who: str
    action: str
    before: Mapping[str, object]
    after: Mapping[str, object]


class AdminStore:
    def __init__(self, db: Db) -> None:
        self._db = db
        self._sql = load_queries("app.admin")

    async def add_link(self, token: str, *, life_s: int) -> None:
        """Keeps the hash of `token`: who reads the table can't use the link."""
        await self._db.execute(self._sql["console_link_forget"])
        await self._db.execute(self._sql["console_link_add"], _hash(token), life_s)

    async def use_link(self, token: str) -> bool:
        """True for exactly one call within the link's life."""
        used = await self._db.fetchval(self._sql["console_link_use"], _hash(token))
        return used is not None

    async def log_out(self, session: str, ends_at_s: int) -> None:
        """Safe to repeat."""
        await self._db.execute(self._sql["console_logout_forget"])
        await self._db.execute(self._sql["console_logout_add"], session, ends_at_s)

    async def logged_out(self) -> set[str]:
        """Sessions that were ended before their time, which has not come yet."""
        rows = await self._db.fetch(self._sql["console_logouts"])
        return {row["session"] for row in rows}

    async def record(
        self,
        connection: Connection,
        who: str,
        action: str,
        event_id: str,
        *,
        before: Mapping[str, object],
        after: Mapping[str, object],
    ) -> None:
        """In the transaction of what it tells of: neither is there without the other."""
        await connection.execute(
            self._sql["audit_add"],
            who,
            action,
            event_id,
            orjson.dumps(before).decode(),
            orjson.dumps(after).decode(),
        )

    async def last_change(self, event_id: str, *actions: str) -> dict[str, Any]:
        """What was before the last of these actions, by the names of the API: for an undo.

        Raises NothingToUndo.
        """
        before = await self._db.fetchval(self._sql["audit_last_change"], event_id, actions)
        if before is None:
            raise NothingToUndo(event_id)
        return dict(orjson.loads(before))

    async def audit(self, event_id: str) -> list[AuditRow]:
        """The last AUDIT_ROWS, the newest first."""
        rows = await self._db.fetch(self._sql["audit_of_event"], event_id, AUDIT_ROWS)
        return [
            AuditRow(
                audit_id=row["audit_id"],
                at_ms=row["at_ms"],
                who=row["who"],
                action=row["action"],
                before=orjson.loads(row["before"]),
                after=orjson.loads(row["after"]),
            )
            for row in rows
        ]


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
