"""The one base of every error that a caller is meant to handle.

An `AppError` says *what* went wrong in a word that never changes (`code`) and whether trying
again may help (`retry`). It knows no HTTP and no WebSocket: `core.edge` turns it into a status
or a close code. Everything else (KeyError, RedisError, ...) is a bug or an outage: it
propagates, is logged once with its traceback, and reaches the client as plain `internal`.

Each package adds its own leaves in the file of the noun they belong to; a test walks
`AppError.__subclasses__()` and requires a row in the edge's table and in docs/protocol.md.

    AppError
    ├── BadRequest           the client sent nonsense; the same call fails again
    │   └── BodyTooLong      more bytes than the route takes
    ├── NotFound             no such thing, or not yours
    ├── BadOrigin            a page of another site made the call
    ├── NoVisitor            the call needs the signed visitor cookie
    ├── BadVisitor           the visitor cookie is forged
    ├── NotAdmitted          no live admission for this event; go to the queue
    ├── TooMany              a named limit is reached; wait `retry_after_s`
    └── StoreUnavailable     Redis or PostgreSQL did not answer in time
        └── Stale            this event's Redis state is being repaired
"""

from __future__ import annotations

from typing import ClassVar


class AppError(Exception):
    """`detail()` is safe to show to any client; `str(self)` is for logs only."""

    code: ClassVar[str]
    title: ClassVar[str]  # one sentence with a way out, shown to people
    retry: ClassVar[bool] = False
    retry_after_s: float | None = None  # set on those for which waiting is the cure

    def detail(self) -> dict[str, object]:
        """Facts for the client, JSON-ready, keys in camelCase. Never `str(self)`."""
        return {}


def leaves(error: type[AppError] = AppError) -> list[type[AppError]]:
    """Every error below this one, of all packages that are loaded."""
    return [found for sub in error.__subclasses__() for found in (sub, *leaves(sub))]


def titles() -> dict[str, str]:
    """What people are told, by error code."""
    return {error.code: error.title for error in leaves()}


class BadRequest(AppError):
    """`where` names the field, as a path in the body, the query or a header."""

    code = "bad_request"
    title = "The request is not as the API describes it. The problems are listed."

    def __init__(self, why: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {why}" if where else why)
        self.problems = [{"where": where, "why": why}]

    def detail(self) -> dict[str, object]:
        return {"problems": self.problems}


class BodyTooLong(BadRequest):
    code = "body_too_long"
    title = "The request body is longer than this address takes."

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"more than {max_bytes} bytes", where="body")
        self.max_bytes = max_bytes

    def detail(self) -> dict[str, object]:
        return {"maxBytes": self.max_bytes}


class NotFound(AppError):
    code = "not_found"
    title = "There is nothing here, or it is not yours."

    def __init__(self, what: str) -> None:
        super().__init__(what)


class BadOrigin(AppError):
    code = "bad_origin"
    title = "This call came from a page of another site and was refused."


class NoVisitor(AppError):
    code = "no_visitor"
    title = (
        "Open the event's page first: it gives your browser the id that your place is kept under."
    )


class TooMany(AppError):
    """`limit` is the name of the constant that was reached."""

    code = "too_many"
    title = "That is more than this server takes from one visitor. Wait a moment."
    retry = True

    def __init__(self, limit: str, *, retry_after_s: float = 5) -> None:
        super().__init__(limit)
        self.limit, self.retry_after_s = limit, retry_after_s

    def detail(self) -> dict[str, object]:
        return {"limit": self.limit}


class StoreUnavailable(AppError):
    code = "store_unavailable"
    title = (
        "We can't reach our own records just now. Nothing is lost; the page tries again by itself."
    )
    retry = True
    retry_after_s = 2


class Stale(StoreUnavailable):
    """A script found another epoch, or a log shorter than this node has seen (`behind`).

    `epoch`: in which it was called, so that what it says is not taken for a word on a newer one.
    """

    code = "repairing"
    title = "This sale's live state is being repaired. It takes seconds; your place is kept."

    def __init__(self, why: str, *, epoch: str = "", behind: bool = False) -> None:
        super().__init__(why)
        self.epoch, self.behind = epoch, behind


class BadVisitor(AppError):
    code = "bad_visitor"
    title = (
        "The visitor id is not one of ours. Open the event's page: it gives your browser another."
    )


class NotAdmitted(AppError):
    code = "not_admitted"
    title = "This part of the sale is for those whose turn it is. Go to the event's queue."
