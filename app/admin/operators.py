"""Who is an operator: the bearer of the admin token, or a browser with a console session.

A session begins with a one-time link, which `onsale serve` and `onsale console` print: 15
minutes to open it, once.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final

from starlette.requests import HTTPConnection

from app.admin.errors import NotOperator
from app.admin.sessions import Sessions
from app.admin.store import AdminStore

LINK_LIFE_S: Final = 15 * 60
MAX_TOKEN_CHARACTERS: Final = 200

BY_TOKEN: Final = "admin token"  # noqa: S105 (who did it, in the audit log)


class Operators:
    def __init__(self, store: AdminStore, sessions: Sessions, admin_token: str) -> None:
        self._store, self._sessions = store, sessions
        self._token = admin_token.encode()

    async def make_link_token(self) -> str:
        token = secrets.token_urlsafe(24)
        await self._store.add_link(token, life_s=LINK_LIFE_S)
        return token

    async def open_session(self, token: str) -> str | None:
        """What the session's cookie says that a link is worth; None when it is used or ended."""
        if len(token) > MAX_TOKEN_CHARACTERS or not await self._store.use_link(token):
            return None
        return self._sessions.begin()

    def require(self, connection: HTTPConnection) -> str:
        """Who is calling, for the audit log. Raises NotOperator."""
        if self._has_token(connection):
            return BY_TOKEN
        session = self._sessions.of(connection)
        if session is None:
            raise NotOperator
        return f"console {session.name}"

    def require_token(self, connection: HTTPConnection) -> None:
        """For what a session may not do: begin another. Raises NotOperator."""
        if not self._has_token(connection):
            raise NotOperator

    def _has_token(self, connection: HTTPConnection) -> bool:
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), self._token)
        return right and scheme.lower() == "bearer"
