"""What every request passes before any route sees it: pure ASGI, in this order.

- a bound on connections, so that a flood is answered instead of felt;
- the Origin of unsafe methods and WebSockets, so that no other site can act for a fan;
- security headers on every reply: the pages have no inline script or style, and say so. What
  names no cache is kept by none.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.edge import problem_of
from core.errors import BadOrigin, TooMany
from core.live.hub import Hub
from core.refusals import Refusals
from core.visitor import SAFE_METHODS

BAD_ORIGIN_CLOSE = 4501

SECURITY_HEADERS = {
    "cache-control": "no-store",  # unless the route says who may keep the reply, and how long
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; manifest-src 'self'; media-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guards:
    """`public_url` is the one allowed Origin; '' allows the Origin that the Host header names."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        public_url: str,
        max_connections: int,
        live: Hub,
        refused: Refusals,
    ) -> None:
        self._app, self._public_url, self._live = app, public_url, live
        self._refused = refused
        self._max_connections, self._open = max_connections, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            self._refused.count(refusal.code)
            await _refuse(refusal, scope, receive, send)
            return
        self._open += 1
        try:
            await self._app(scope, receive, _with_headers(send))
        finally:
            self._open -= 1

    def _refusal(self, scope: Scope) -> BadOrigin | TooMany | None:
        if self._open + self._live.outside_calls >= self._max_connections:
            return TooMany("max_connections")
        guarded = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if guarded and not self._own_origin(Headers(scope=scope)):
            return BadOrigin()
        return None

    def _own_origin(self, headers: Headers) -> bool:
        """A browser always names its Origin here; a client that names none is no browser."""
        if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        if self._public_url:
            return origin == self._public_url
        parts = urlsplit(origin)
        return parts.scheme in {"http", "https"} and parts.netloc == headers.get("host")


async def _refuse(error: BadOrigin | TooMany, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await problem_of(error)(scope, receive, _with_headers(send))
        return
    await receive()
    # A close before the accept is an HTTP 403 for the client: the handshake never happens.
    await send({"type": "websocket.close", "code": BAD_ORIGIN_CLOSE, "reason": error.code})


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
