"""The visitor: a browser or API client, known by a signed id in an HttpOnly cookie.

An id is made when a route first asks for it, and only then is the cookie set: public pages stay
cacheable for everybody. A WebSocket can't set a cookie, so there a missing one is refused.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.cookies import cookies_of
from core.errors import BadVisitor, NoVisitor
from core.ids import Subject, is_id, new_id
from core.signing import Keys

COOKIE_LIFE_S = 400 * 24 * 3600  # the longest that browsers keep a cookie
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_SCOPE_KEY = "onsale.visitor"


class VisitorMiddleware:
    """Puts the visitor into the scope and, if a route made one, the cookie into the reply."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app, self._keys = app, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        cookies = cookies_of(connection)
        value = cookies.read(connection, "visitor")
        known = read_cookie(self._keys, value)
        scope[_SCOPE_KEY] = visitor = _Visitor(known, forged=bool(value) and known is None)

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and visitor.made is not None:
                value = cookie_value(self._keys, visitor.made)
                cookie = cookies.header("visitor", value, COOKIE_LIFE_S)
                MutableHeaders(scope=message).append("set-cookie", cookie)
            await send(message)

        await self._app(scope, receive, send_with_cookie)


class _Visitor:
    __slots__ = ("forged", "known", "made")

    def __init__(self, known: Subject | None, *, forged: bool) -> None:
        self.known, self.forged = known, forged
        self.made: Subject | None = None


def visitor_of(connection: HTTPConnection) -> Subject:
    """Who is calling. Makes a new visitor for a request; raises NoVisitor for a WebSocket.

    Raises BadVisitor for a forged id, except that reading replaces it: a browser whose id was
    signed before the secret changed gets another with the next page.
    """
    visitor: _Visitor = connection.scope[_SCOPE_KEY]
    if visitor.known is None:
        is_socket = connection.scope["type"] != "http"
        if visitor.forged and (is_socket or connection.scope["method"] not in SAFE_METHODS):
            raise BadVisitor
        if is_socket:
            raise NoVisitor
        visitor.known = visitor.made = Subject(new_id("vs"))
    return visitor.known


def known_visitor(connection: HTTPConnection) -> Subject | None:
    """Who is calling, if they have been here before. Never sets a cookie."""
    visitor: _Visitor = connection.scope[_SCOPE_KEY]
    return visitor.known


def cookie_value(keys: Keys, subject: Subject) -> str:
    return f"{subject}.{keys.mac('visitor', subject)}"


def read_cookie(keys: Keys, value: str) -> Subject | None:
    """The subject in a cookie's value, or None when it is missing, forged or malformed."""
    subject, _, mac = value.partition(".")
    good = is_id("vs", subject) and mac.isascii() and keys.mac_ok(mac, "visitor", subject)
    return Subject(subject) if good else None
