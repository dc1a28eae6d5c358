"""Who is an operator: the bearer of the admin token, or a browser with a console session.

A session begins with a one-time link, which `onsale serve` prints: 15 minutes to open it, once.
The session's cookie names its end and carries a MAC, so every node knows it without a store.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from typing import Final

from starlette.requests import HTTPConnection

from app.admin.errors import NotOperator
from app.admin.store import AdminStore
from core.signing import Keys

COOKIE: Final = "onsale_console"
LINK_LIFE_S: Final = 15 * 60
SESSION_LIFE_S: Final = 12 * 3600
MAX_TOKEN_CHARACTERS: Final = 200

BY_TOKEN: Final = "admin token"  # noqa: S105 (who did it, in the audit log)

_SESSION = re.compile(r"([a-f0-9]{8})\.(\d{10})\.([\w-]{1,64})", re.ASCII)


class Operators:
    def __init__(self, store: AdminStore, keys: Keys, admin_token: str, *, secure: bool) -> None:
        self._store, self._keys, self._secure = store, keys, secure
        self._token = admin_token.encode()

    async def make_link_token(self) -> str:
        token = secrets.token_urlsafe(24)
        await self._store.add_link(token, life_s=LINK_LIFE_S)
        return token

    async def open_session(self, token: str) -> str | None:
        """The Set-Cookie value that a one-time link is worth; None when it is used or ended."""
        if len(token) > MAX_TOKEN_CHARACTERS or not await self._store.use_link(token):
            return None
        value = self.session_value(int(time.time()) + SESSION_LIFE_S)
        secure = "; Secure" if self._secure else ""
        return f"{COOKIE}={value}; Path=/; Max-Age={SESSION_LIFE_S}; HttpOnly; SameSite=Lax{secure}"

    def session_value(self, ends_at_s: int) -> str:
        name, end = secrets.token_hex(4), str(ends_at_s)
        return f"{name}.{end}.{self._keys.mac('console', name, end)}"

    def require(self, connection: HTTPConnection) -> str:
        """Who is calling, for the audit log. Raises NotOperator."""
        who = self._by_token(connection) or self._by_session(connection)
        if who is None:
            raise NotOperator
        return who

    def _by_token(self, connection: HTTPConnection) -> str | None:
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), self._token)
        return BY_TOKEN if right and scheme.lower() == "bearer" else None

    def _by_session(self, connection: HTTPConnection) -> str | None:
        session = _SESSION.fullmatch(connection.cookies.get(COOKIE, ""))
        if session is None:
            return None
        name, end, mac = session.groups()
        live = self._keys.mac_ok(mac, "console", name, end) and int(end) > time.time()
        return f"console {name}" if live else None
