"""A shop behind Onsale's waiting room: ASGI middleware that lets in who has a pass.

    app = WaitingRoom(app, room="https://tickets.example", event_id="ev_arena",
                      here="https://shop.example/")

`here` must be on the event's list of return addresses. The pass is verified offline, with the
keys of the room, and is worth nothing without the cookie that it is bound to. Needs httpx,
joserfc and Starlette.
"""

import time
from hashlib import sha256
from secrets import token_hex

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse

COOKIE = {"httponly": True, "samesite": "lax"}  # and "secure": True, once the shop has https
KEYS_LIFE_S = 60  # a key that is new is asked for this often at most


class WaitingRoom:
    def __init__(self, app, *, room, event_id, here, http=None):
        self.app, self.event_id, self.here = app, event_id, here
        self.queue = f"{room}/e/{event_id}/queue?return={here}"
        self.http, self.keys, self.ask_at = http or httpx.AsyncClient(base_url=room), KeySet([]), 0

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        asked = HTTPConnection(scope)
        session = asked.cookies.get("shop_session", "")
        if await self.good(asked.cookies.get("shop_pass", ""), session):
            return await self.app(scope, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close"})
        code = asked.query_params.get("onsale_code")
        reply = await self.enter(code, session or token_hex()) if code else None
        return await (reply or RedirectResponse(self.queue, 303))(scope, receive, send)

    async def enter(self, code, session):
        """Who comes back with a code that is good gets the pass, bound to the session."""
        body = {"code": code, "binding": bound(session)}
        exchanged = await self.http.post("/admissions/exchange", json=body)
        if not exchanged.is_success:
            return None
        reply = RedirectResponse(self.here, 303)
        reply.set_cookie("shop_session", session, **COOKIE)
        reply.set_cookie("shop_pass", exchanged.json()["pass"], **COOKIE)
        return reply

    async def good(self, text, session):
        try:
            claims = jwt.decode(text, self.keys, algorithms=["Ed25519"]).claims
        except (JoseError, ValueError):  # forged, or signed with a key that is new
            if not text or time.monotonic() < self.ask_at:
                return False
            self.ask_at = time.monotonic() + KEYS_LIFE_S
            keys = await self.http.get("/.well-known/jwks.json")
            self.keys = KeySet.import_key_set(keys.json())
            return await self.good(text, session)
        wanted = {"iss": "onsale", "aud": self.event_id, "bnd": bound(session)}
        return wanted.items() <= claims.items() and claims["exp"] > time.time()


def bound(session):
    return sha256(session.encode()).hexdigest()
