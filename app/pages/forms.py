"""What HTML forms send: the way of the pages without JavaScript."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request

from core.errors import BadRequest, BodyTooLong

MAX_FORM_BYTES = 4096
MAX_FIELDS = 10


async def read_form(request: Request) -> dict[str, str]:
    """The fields of `application/x-www-form-urlencoded`; the last of a name counts.

    Raises BodyTooLong, BadRequest.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise BodyTooLong(MAX_FORM_BYTES)
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=MAX_FIELDS, keep_blank_values=True))
    except ValueError as exc:  # not UTF-8, or too many fields
        raise BadRequest(str(exc), where="body") from exc
