"""What shops elsewhere call, and the fan on the way to one.

POST /events/{event_id}/queue/return    200 where to go; 400, 403, 409 at_shop
POST /admissions/exchange               200 the pass, once; 403 code_invalid, code_expired, …
GET  /admissions/check?event=           204 with X-Onsale-… headers; 403; for nginx auth_request
POST /admissions/{admission_id}/end     204, idempotent; 403 pass_invalid; 404

The pass comes as a bearer token: who has it speaks for the admission, so a shop needs no key.
"""

from __future__ import annotations

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.edge import Body, event_id_of, json_reply, parse_body, read_body
from core.ids import EVENT_ID
from core.visitor import visitor_of
from waiting_room.gate import bearer_of
from waiting_room.shops.policy import MAX_URL_CHARACTERS
from waiting_room.shops.service import Shops

NO_STORE = {"cache-control": "no-store"}
MAX_CODE_CHARACTERS = 64
MAX_BINDING_CHARACTERS = 128


class ReturnBody(Body):
    return_url: str = Field(alias="return", max_length=MAX_URL_CHARACTERS)


class ExchangeBody(Body):
    """`binding` is what the shop will ask for beside the pass, such as its cookie's SHA-256.

    `event`: the one the shop sells, so that a code for another is refused and not used up.
    """

    code: str = Field(max_length=MAX_CODE_CHARACTERS)
    binding: str = Field("", max_length=MAX_BINDING_CHARACTERS, pattern=r"^[A-Za-z0-9_-]*$")
    event: str = Field("", pattern=f"^({EVENT_ID.pattern})?$")


class CheckQuery(Body):
    event: str = Field(pattern=f"^{EVENT_ID.pattern}$")


class ShopsWeb:
    def __init__(self, shops: Shops) -> None:
        self._shops = shops

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/events/{event_id}/queue/return", self.send_back, methods=["POST"]),
            Route("/admissions/exchange", self.exchange, methods=["POST"]),
            Route("/admissions/check", self.check, methods=["GET"]),
            Route("/admissions/{admission_id}/end", self.end, methods=["POST"]),
        ]

    async def send_back(self, request: Request) -> Response:
        body, event_id = await read_body(request, ReturnBody), event_id_of(request)
        location = await self._shops.send_back(event_id, visitor_of(request), body.return_url)
        return json_reply({"location": location}, headers=NO_STORE)

    async def exchange(self, request: Request) -> Response:
        body = await read_body(request, ExchangeBody)
        exchanged = await self._shops.exchange(body.code, body.binding, body.event)
        return json_reply(exchanged, headers={"x-onsale-pass": exchanged["pass"], **NO_STORE})

    async def check(self, request: Request) -> Response:
        asked = parse_body(orjson.dumps(dict(request.query_params)), CheckQuery)
        claims = await self._shops.check(asked.event, bearer_of(request))
        facts = {
            "x-onsale-admission": claims.call_id,
            "x-onsale-subject": claims.subject,
            "x-onsale-ends-at": str(claims.ends_ms),
            "x-onsale-binding": claims.binding,
        }
        return Response(status_code=204, headers=facts | NO_STORE)

    async def end(self, request: Request) -> Response:
        await self._shops.end(request.path_params["admission_id"], bearer_of(request))
        return Response(status_code=204, headers=NO_STORE)
