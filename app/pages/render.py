"""Templates to replies, and errors as pages for whoever asked for a page."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

NO_STORE = {"cache-control": "no-store"}

Handler = Callable[[Request, Exception], Awaitable[Response]]

# What happened, what is safe, what to do.
PROBLEMS = {
    404: (
        "There is nothing here",
        "The address may be old, or the order belongs to another browser.",
    ),
    401: (
        "This needs a console link",
        "The server prints a one-time link when it starts. Open it in this browser.",
    ),
    405: ("This address takes no such call", "Go back to the events."),
    429: (
        "Too much at once",
        "Your place and your seats are kept. Wait a moment; this page tries again.",
    ),
    503: (
        "One moment",
        "A part of the shop is not answering. Nothing is lost: places, holds and orders are "
        "kept. This page tries again by itself.",
    ),
}
ELSE = (
    "Something broke on our side",
    "Nothing you did. This page charged nothing and your place is kept. Try again.",
)
RETRY_S = 5

_environment = Environment(
    loader=PackageLoader("app.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(
    template: str, status: int = 200, headers: dict[str, str] | None = None, **context: object
) -> Response:
    """One HTML page. Pages show live state, so no cache keeps them."""
    context = {"demo": False, "now_ms": time.time_ns() // 1_000_000} | context
    html = _environment.get_template(template).render(context)
    return HTMLResponse(html, status, NO_STORE | (headers or {}))


def problem_page(status: int, retry_after: str | None = None) -> Response:
    headline, text = PROBLEMS.get(status, ELSE)
    waits = status in {429, 503}
    ours = waits or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return page(
        "problem.html",
        status,
        {"retry-after": retry_after} if retry_after else None,
        number=f"{status} {HTTPStatus(status).phrase}",
        headline=headline,
        text=text,
        retry_s=(retry_after or RETRY_S) if waits else None,
        way_out="" if ours else "/",  # '' is this page again
        way_out_text="Try again" if ours else "See all events",
    )


def as_page(handler: Handler) -> Handler:
    """An exception handler that answers browsers with a page, all others as `handler` does."""

    async def handle(request: Request, exc: Exception) -> Response:
        reply = await handler(request, exc)
        if "text/html" not in request.headers.get("accept", ""):
            return reply
        status = 404 if reply.status_code in {403, 422} else reply.status_code
        return problem_page(status, reply.headers.get("retry-after"))

    return handle
