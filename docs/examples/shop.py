"""A shop behind Onsale's waiting room: ASGI middleware that lets in who has a pass.

    app = WaitingRoom(app, room="https://tickets.example", event_id="ev_arena",
                      here="https://shop.example/")

`here` must be on the event's list of return addresses. Who brings a code has it exchanged for the
pass, once; the pass is bound to a random session, and both are in one cookie. It is verified
offline, with the keys of the room: those are asked for when a pass can't be read with the ones
known, once a minute at most, which is enough since a key is published ten minutes before it signs.
When the room can't be asked, the answer is 503. Needs httpx, joserfc and Starlette.
"""

from contextlib import suppress
from hashlib import sha256
from secrets import token_hex
from time import monotonic, time

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse

COOKIE = "__Host-onsale"  # with this prefix no other host of the domain can set it
FOR_US_ALONE = "Path=/; Secure; HttpOnly; SameSite=Lax"
EXCHANGE = "/admissions/exchange"
ASK_EVERY_S = 60
UNSURE = PlainTextResponse("One moment, please.", 503, {"retry-after": "2"})


class WaitingRoom:
    def __init__(self, app, *, room, event_id, here, http=None):
        self.app, self.event, self.here = app, event_id, here
        self.queue = RedirectResponse(f"{room}/e/{event_id}/queue?return={here}", 303)
        self.http, self.keys, self.ask_at = http or httpx.AsyncClient(base_url=room), KeySet([]), 0

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan" or self.good(asked := HTTPConnection(scope)):
            return await self.app(scope, receive, send)
        reply = UNSURE  # unless the room can say: never "go on"
        with suppress(httpx.HTTPError, JoseError, ValueError):
            reply = await self.enter(asked, asked.query_params.get("onsale_code"), token_hex())
        return await reply(scope, receive, send)

    def good(self, asked):
        session, _, text = asked.cookies.get(COOKIE, "").partition(".")
        try:
            claims = jwt.decode(text, self.keys, algorithms=["Ed25519"]).claims
        except (JoseError, ValueError):
            return False
        mine = {"iss": "onsale", "aud": self.event, "bnd": sha256(session.encode()).hexdigest()}
        return mine.items() <= claims.items() and claims["exp"] > time()

    async def enter(self, asked, code, session):
        if monotonic() >= self.ask_at:
            got = (await self.http.get("/.well-known/jwks.json")).raise_for_status()
            self.keys, self.ask_at = KeySet.import_key_set(got.json()), monotonic() + ASK_EVERY_S
            return self.app if self.good(asked) else await self.enter(asked, code, session)
        body = {"code": code, "event": self.event, "binding": sha256(session.encode()).hexdigest()}
        if not code or (got := await self.http.post(EXCHANGE, json=body)).is_client_error:
            return self.queue
        cookie = f"{COOKIE}={session}.{got.raise_for_status().json()['pass']}; {FOR_US_ALONE}"
        return RedirectResponse(self.here, 303, {"set-cookie": cookie})
