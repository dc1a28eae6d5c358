"""Templates to replies, and errors as sentences for whoever asked: as pages, or as problems."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app.pages.assets import assets, packed, takes_gzip
from app.pages.language import VARY, Language, language_of, languages_of
from app.pages.words import N_

NO_STORE = {"cache-control": "no-store"}
PAGE_GZIP_LEVEL = 5  # pages are made for each request

Handler = Callable[[Request, Exception], Awaitable[Response]]

# What happened, what is safe, what to do.
PROBLEMS = {
    404: (
        N_("There is nothing here"),
        N_("The address may be old, or the order belongs to another browser."),
    ),
    401: (
        N_("This needs a console link"),
        N_(
            "The server prints a one-time link when it starts, and `onsale console` prints "
            "another. Open it in this browser."
        ),
    ),
    405: (N_("This address takes no such call"), N_("Go back to the events.")),
    429: (
        N_("Too much at once"),
        N_("Your place and your seats are kept. Wait a moment; this page tries again."),
    ),
    503: (
        N_("One moment"),
        N_(
            "A part of the shop is not answering. Nothing is lost: places, holds and orders are "
            "kept. This page tries again by itself."
        ),
    ),
}
BROKEN = (
    N_("Something broke on our side"),
    N_("Nothing you did. This page charged nothing and your place is kept. Try again."),
)
REFUSED = N_("This did not work")
INTERNAL = N_("Something broke on our side. Nothing you did.")  # the title of core.edge.on_bug
AS_NOT_FOUND = {403, 422}  # a page says no more of what is not the browser's own
RETRY_S = 5

_environment = Environment(
    loader=PackageLoader("app.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _json(value: object) -> Markup:
    """For a script element: no `<` may end it. Jinja's own writes every umlaut as six bytes."""
    text = orjson.dumps(value).decode().replace("<", "\\u003c")
    return Markup(text)  # noqa: S704 (just escaped)


_environment.filters["json"] = _json


def page(
    request: Request,
    template: str,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **context: object,
) -> Response:
    """One HTML page. It shows live state: no cache keeps it."""
    words = language_of(request)
    context = {"demo": False, "now_ms": time.time_ns() // 1_000_000} | context
    common = _common(request, words, template.partition(".")[0])
    html = _environment.get_template(template).render(common | context).encode()
    headers = NO_STORE | VARY | {"content-language": words.lang} | (headers or {})
    headers["vary"] += ", Accept-Encoding"
    if takes_gzip(request.headers):
        html, headers["content-encoding"] = packed(html, PAGE_GZIP_LEVEL), "gzip"
    return HTMLResponse(html, status, headers)


def _common(request: Request, words: Language, name: str) -> dict[str, object]:
    files, languages = assets(), languages_of(request)
    modules = files.modules_of(f"js/{name}.js")
    return {
        "t": words.t,
        "tn": words.tn,
        "language": words,
        "others": [other for other in languages.spoken.values() if other is not words],
        "here": address_of(request),
        "static": files.url,
        "modules": [f"{files.url}/{module}" for module in modules[1:]],  # the first is asked for
        "scripted": bool(modules),
        "words": words.for_scripts(f"static/{module}" for module in modules),
    }


def address_of(request: Request) -> str:
    """The path and the query that were asked for."""
    query = request.scope["query_string"].decode("latin-1")
    return f"{request.scope['path']}{'?' if query else ''}{query}"


def problem_page(
    request: Request, status: int, title: str = "", retry_after: str | None = None
) -> Response:
    """`title`: the error's own sentence, for a status that has no page of its own."""
    words = language_of(request)
    broken = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    headline, text = PROBLEMS.get(status, BROKEN if broken else (REFUSED, title))
    waits = status in {429, 503}
    again = waits or broken
    return page(
        request,
        "problem.html",
        status,
        {"retry-after": retry_after} if retry_after else None,
        number=str(status),
        headline=words.t(headline),
        text=words.t(text),
        retry_s=(retry_after or RETRY_S) if waits else None,
        way_out="" if again else "/",  # '' is this page again
        way_out_text=words.t("Try again") if again else words.t("See all events"),
    )


def as_page(handler: Handler) -> Handler:
    """An exception handler that answers browsers with a page, all others as `handler` does.

    Both in the language of whoever asked: a problem's title is for people (RFC 9457, 3.1.3).
    """

    async def handle(request: Request, exc: Exception) -> Response:
        reply = await handler(request, exc)
        problem = orjson.loads(bytes(reply.body))
        title = problem["title"]
        if "text/html" in request.headers.get("accept", ""):
            status = 404 if reply.status_code in AS_NOT_FOUND else reply.status_code
            return problem_page(request, status, title, reply.headers.get("retry-after"))
        words = language_of(request)
        problem["title"] = words.t(title)
        kept = {n: v for n, v in reply.headers.items() if n not in {"content-length", "vary"}}
        told = kept | VARY | {"content-language": words.lang}
        return Response(orjson.dumps(problem), reply.status_code, told)

    return handle
