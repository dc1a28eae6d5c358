"""Sessions of the console: who is in one, how it ends, and what ends with it.

The cookie names the session and its end and carries a MAC, so every node knows it without a store.
That somebody logged out is in PostgreSQL, which every node reads once a second; the node that was
told knows at once. A stream of numbers is asked for once and then runs for hours: so each is kept
beside the session that opened it, and ends within a second of it.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection

from app.admin.store import AdminStore
from core.cookies import cookies_of
from core.live.connection import Connection
from core.live.websocket import COME_BACK
from core.signing import Keys
from core.tasks import Repeated

SESSION_LIFE_S: Final = 12 * 3600
LOOK_EVERY_S: Final = 1.0

_SESSION = re.compile(r"([a-f0-9]{8})\.(\d{10})\.([\w-]{1,64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Session:
    name: str
    ends_at_s: int


class Sessions(Repeated):
    def __init__(self, store: AdminStore, keys: Keys) -> None:
        super().__init__(self.look, every_s=LOOK_EVERY_S)
        self._store, self._keys = store, keys
        self._logged_out: set[str] = set()
        self._streams: dict[Connection, Session] = {}

    def begin(self) -> str:
        """What the cookie of a new session says, for SESSION_LIFE_S."""
        return self.value(int(time.time()) + SESSION_LIFE_S)

    def value(self, ends_at_s: int) -> str:
        name, ends = secrets.token_hex(4), str(ends_at_s)
        return f"{name}.{ends}.{self._keys.mac('console', name, ends)}"

    def of(self, connection: HTTPConnection) -> Session | None:
        """The caller's, if it lives."""
        found = _SESSION.fullmatch(cookies_of(connection).read(connection, "console"))
        if found is None:
            return None
        name, ends, mac = found.groups()
        session = Session(name, int(ends))
        genuine = self._keys.mac_ok(mac, "console", name, ends)
        return session if genuine and self._lives(session) else None

    async def log_out(self, session: Session) -> None:
        """Its cookie is worth nothing any more, nor are copies of it.

        On other nodes within LOOK_EVERY_S. Safe to repeat. Raises StoreUnavailable: then it lives.
        """
        await self._store.log_out(session.name, session.ends_at_s)
        self._logged_out.add(session.name)
        self._end_streams()

    def watch(self, session: Session, stream: Connection) -> None:
        """`stream` ends with the session. Tell `forget` when it ended before."""
        self._streams[stream] = session

    def forget(self, stream: Connection) -> None:
        self._streams.pop(stream, None)

    async def look(self) -> None:
        """What other nodes were told, and the end of what has ended. Raises StoreUnavailable."""
        try:
            self._logged_out = await self._store.logged_out()
        finally:
            self._end_streams()

    def _lives(self, session: Session) -> bool:
        return session.name not in self._logged_out and session.ends_at_s > time.time()

    def _end_streams(self) -> None:
        """The reader comes back, as after any goodbye, and is told why it gets no further."""
        for stream, session in list(self._streams.items()):
            if not self._lives(session):
                stream.close(COME_BACK)
