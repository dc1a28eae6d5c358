"""Where domain words become HTTP and WebSocket numbers. The only such place.

`HTTP_STATUS` must have a row for each code of `AppError`'s tree, and docs/protocol.md too: a
test walks both.
"""

from __future__ import annotations

import logging
import math
from typing import TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response

from core.errors import AppError, BadRequest, BodyTooLong, NotFound
from core.ids import EVENT_ID
from core.refusals import Refusals

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 16_384
MAX_PROBLEMS = 10

HTTP_STATUS = {
    "bad_request": 422,
    "body_too_long": 413,
    "not_found": 404,
    "bad_origin": 403,
    "no_visitor": 401,
    "bad_visitor": 401,
    "not_operator": 401,
    "too_many": 429,
    "store_unavailable": 503,
    "repairing": 503,
    "not_open": 409,
    "queue_closed": 409,
    "sale_stopped": 409,
    "cap_reached": 409,
    "not_called": 409,
    "not_admitted": 403,
    "pass_invalid": 403,
    "pass_expired": 403,
    "pass_other_fan": 403,
    "pass_other_event": 403,
    "pass_used": 403,
    "bad_slip": 422,
    "slip_other_fan": 403,
    "slip_other_event": 403,
    "slip_used": 409,
    "slip_expired": 409,
    "bad_receipt": 422,
    "return_refused": 400,
    "at_shop": 409,
    "code_invalid": 403,
    "code_other_event": 403,
    "code_expired": 403,
    "pass_exchanged": 403,
    "not_drawn": 409,
    "beacon_refused": 409,
    "changed": 412,
    "nothing_to_undo": 409,
    "seats_taken": 409,
    "other_event": 422,
    "same_ticket_twice": 422,
    "too_many_tickets": 409,
    "no_hold": 404,
    "hold_ended": 409,
    "hold_differs": 409,
    "event_closed": 409,
    "key_missing": 400,
    "key_reused": 422,
    "key_in_use": 409,
    "payment_declined": 402,
}

SOCKET_CLOSE = {
    "no_visitor": 4500,
    "bad_visitor": 4500,
    "bad_origin": 4501,
    "not_found": 4502,
    "too_many": 4504,
}
SOCKET_CLOSE_ELSE = 4002  # come back with backoff


class Body(BaseModel):
    """Base of what clients send: camelCase, exact types, nothing unknown."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=False,
        strict=True,
        extra="forbid",
        frozen=True,
    )


Model = TypeVar("Model", bound=BaseModel)


def json_reply(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


async def read_body(
    request: Request, model: type[Model], *, max_bytes: int = MAX_BODY_BYTES
) -> Model:
    """The request's JSON body as `model`. An empty body counts as `{}`.

    Raises BodyTooLong, or BadRequest that lists what is wrong and where.
    """
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                raise BodyTooLong(max_bytes)
    except ClientDisconnect as exc:
        raise BadRequest("the client hung up before its end", where="body") from exc
    return parse_body(body or b"{}", model)


def parse_body(body: bytes, model: type[Model]) -> Model:
    try:
        return model.model_validate_json(body)
    except ValidationError as exc:
        error = BadRequest("not as described")
        error.problems = [
            {"where": ".".join(map(str, problem["loc"])), "why": problem["msg"]}
            for problem in exc.errors(include_url=False, include_input=False)[:MAX_PROBLEMS]
        ]
        raise error from exc


def event_id_of(connection: HTTPConnection) -> str:
    """The event id in the path. Raises NotFound when it can't be one."""
    text: str = connection.path_params["event_id"]
    if not EVENT_ID.fullmatch(text):
        raise NotFound(text)
    return text


def problem(
    code: str, title: str, status: int, *, retry: bool = False, **facts: object
) -> Response:
    """RFC 9457 problem details, with our `code` and `retry`."""
    body = {
        "type": f"urn:onsale:{code}",
        "title": title,
        "status": status,
        "code": code,
    }
    payload = orjson.dumps({**body, "retry": retry, **facts})
    return Response(payload, status, media_type="application/problem+json")


def problem_of(exc: AppError) -> Response:
    reply = problem(exc.code, exc.title, HTTP_STATUS[exc.code], retry=exc.retry, **exc.detail())
    if exc.retry_after_s is not None:
        reply.headers["retry-after"] = str(math.ceil(exc.retry_after_s))
    reply.headers["cache-control"] = "no-store"
    return reply


async def on_app_error(request: Request, exc: Exception) -> Response:
    """Starlette exception handler for AppError: expected, so no traceback."""
    assert isinstance(exc, AppError)
    count_refusal(request, exc)
    log.info(
        "refused",
        extra={"code": exc.code, "path": request.scope["path"], "why": str(exc)},
    )
    return problem_of(exc)


def count_refusal(connection: HTTPConnection, exc: AppError) -> None:
    """Every refusal comes by here or by `Guards`: HTTP in the handler above, sockets by hand."""
    refused: Refusals | None = getattr(connection.app.state, "refused", None)
    if refused is not None:
        refused.count(exc.code)


async def on_http_error(_: Request, exc: Exception) -> Response:
    """Starlette's own 404 and 405, in our form."""
    assert isinstance(exc, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(exc.status_code, "bad_request")
    reply = problem(code, exc.detail, exc.status_code)
    for name, value in (exc.headers or {}).items():
        reply.headers[name] = value
    return reply


async def on_bug(_: Request, __: Exception) -> Response:
    """Anything else is ours: Starlette logs it with its traceback, the client sees `internal`."""
    return problem("internal", "Something broke on our side. Nothing you did.", 500, retry=True)


def socket_close_code(exc: AppError) -> int:
    return SOCKET_CLOSE.get(exc.code, SOCKET_CLOSE_ELSE)
