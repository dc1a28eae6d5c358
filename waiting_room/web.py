"""The queue's addresses.

POST /events/{event_id}/queue           200, 409 not_open, 422 bad_slip; the lobby before it opens
GET  /events/{event_id}/queue           200; renews the pass while admitted
GET  /events/{event_id}/queue/status.json   200, the same in Cloudflare's shape
POST /events/{event_id}/queue/accept    200, 409 not_called
POST /events/{event_id}/queue/leave     200
WS   /events/{event_id}/queue/socket    queue states; see docs/protocol.md
GET  /.well-known/jwks.json             200, the public keys of passes
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from core.cookies import cookies_of
from core.edge import Body, count_refusal, event_id_of, json_reply, read_body, socket_close_code
from core.errors import AppError
from core.live.connection import Connection, Socket
from core.live.hub import Hub
from core.live.reply import serve_socket
from core.live.shares import Share, Shares
from core.visitor import visitor_of
from waiting_room.cloudflare import cf_waiting_room
from waiting_room.draw.receipts import MAX_RECEIPT_CHARACTERS, keep_receipt
from waiting_room.limits import JoinLimits
from waiting_room.passes.signed import MAX_SLIP_CHARACTERS
from waiting_room.service import WaitingRoom

KEYS_CACHE_CONTROL = "public, max-age=300"  # half of PUBLISH_AHEAD_MS
PING = {"type": "ping"}


class JoinBody(Body):
    slip: str | None = Field(None, max_length=MAX_SLIP_CHARACTERS)
    receipt: str | None = Field(None, max_length=MAX_RECEIPT_CHARACTERS)


class Nothing(Body):
    pass


class QueueWeb:
    def __init__(
        self,
        room: WaitingRoom,
        live: Hub,
        limits: JoinLimits,
        shares: Shares,
    ) -> None:
        self._room, self._live, self._limits, self._shares = room, live, limits, shares

    def routes(self) -> list[BaseRoute]:
        queue = "/events/{event_id}/queue"
        return [
            Route(queue, self.join, methods=["POST"]),
            Route(queue, self.state, methods=["GET"]),
            Route(f"{queue}/status.json", self.status, methods=["GET"]),
            Route(f"{queue}/accept", self.accept, methods=["POST"]),
            Route(f"{queue}/leave", self.leave, methods=["POST"]),
            WebSocketRoute(f"{queue}/socket", self.socket),
            Route("/.well-known/jwks.json", self.jwks, methods=["GET"]),
        ]

    async def join(self, request: Request) -> Response:
        body = await read_body(request, JoinBody)
        event_id, subject = event_id_of(request), visitor_of(request)
        await self._limits.require(request, event_id, subject)
        joined = await self._room.join(event_id, subject, body.slip, body.receipt)
        reply = self._reply(request, event_id, joined)
        if "receipt" in joined:
            keep_receipt(request, reply, event_id, joined["receipt"])
        return reply

    async def state(self, request: Request) -> Response:
        event_id = event_id_of(request)
        return self._reply(request, event_id, await self._room.state(event_id, visitor_of(request)))

    async def status(self, request: Request) -> Response:
        state = await self._room.state(event_id_of(request), visitor_of(request))
        return json_reply(cf_waiting_room(state), headers={"cache-control": "no-store"})

    async def accept(self, request: Request) -> Response:
        await read_body(request, Nothing)
        event_id = event_id_of(request)
        return self._reply(
            request, event_id, await self._room.accept(event_id, visitor_of(request))
        )

    async def leave(self, request: Request) -> Response:
        await read_body(request, Nothing)
        event_id = event_id_of(request)
        return self._reply(request, event_id, await self._room.leave(event_id, visitor_of(request)))

    async def jwks(self, _: Request) -> Response:
        keys = self._room.passes.public_keys(now_ms=time.time_ns() // 1_000_000)
        return json_reply(keys, headers={"cache-control": KEYS_CACHE_CONTROL})

    async def socket(self, websocket: WebSocket) -> None:
        """Accepted first, so that a refusal reaches the page as a close code it can act on."""
        await websocket.accept()
        try:
            event_id, subject = event_id_of(websocket), visitor_of(websocket)
            share = self._shares.take(websocket, event_id, subject)
        except AppError as exc:
            await self._turn_away(websocket, exc)
            return
        left = partial(self._left, event_id, subject, share)
        socket = Socket(self._live, _understood, left)
        try:
            await self._room.hub.connect(event_id, subject, socket)
        except AppError as exc:
            left(socket)
            await self._turn_away(websocket, exc)
            return
        except BaseException:
            left(socket)
            raise
        await serve_socket(websocket, socket)

    def _left(self, event_id: str, subject: str, share: Share, socket: Connection) -> None:
        self._shares.give_back(share)
        self._room.hub.disconnect(event_id, subject, socket)

    async def _turn_away(self, websocket: WebSocket, exc: AppError) -> None:
        self._room.refusals.count(websocket.path_params["event_id"], exc.code)
        count_refusal(websocket, exc)
        await websocket.close(socket_close_code(exc), exc.code)

    def _reply(self, request: Request, event_id: str, body: dict[str, Any]) -> Response:
        reply = json_reply(body, headers={"cache-control": "no-store"})
        if "pass" in body:
            life_s = max(0, (body["endsAt"] - body["now"]) // 1000)
            cookies = cookies_of(request)
            cookies.set(reply, "pass", body["pass"], life_s=life_s, event_id=event_id)
        return reply


def _understood(text: str) -> bool:
    try:
        return bool(orjson.loads(text) == PING)
    except orjson.JSONDecodeError:
        return False
