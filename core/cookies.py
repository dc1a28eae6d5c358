"""Our cookies: how each is called, read and set. Nothing else in the server knows.

On an https site their names begin with `__Host-` (RFC 6265bis, 4.1.3.2): browsers take such a
cookie only over https, for the whole site and from this very host. Without it a page on a sibling
host could set a visitor id of its own, in whose name the fan would then shop. A cookie that lacks
the prefix there is not looked at, whoever set it. Plain http can't set one that has it, so on a
developer's machine the names are bare. Decision 0018.
"""

from __future__ import annotations

from typing import Literal

from starlette.requests import HTTPConnection
from starlette.responses import Response

# Each of the last three is of one event, whose id its name ends in.
What = Literal["visitor", "language", "console", "pass", "receipt", "return"]


def cookie_name(what: What, event_id: str = "", *, secure: bool) -> str:
    """`secure`: whether fans come to the site by https."""
    bare = f"onsale_{what}_{event_id}" if event_id else f"onsale_{what}"
    return f"__Host-{bare}" if secure else bare


class Cookies:
    """Those of one site, which is on https or is not."""

    def __init__(self, *, secure: bool) -> None:
        self.secure = secure

    def read(self, connection: HTTPConnection, what: What, event_id: str = "") -> str:
        """What the cookie says, which may be anything; '' for none."""
        return connection.cookies.get(cookie_name(what, event_id, secure=self.secure), "")

    def set(
        self, reply: Response, what: What, value: str, *, life_s: int, event_id: str = ""
    ) -> None:
        """`value`: letters, digits and `._=-`. With a life of 0 s it takes the cookie away."""
        reply.headers.append("set-cookie", self.header(what, value, life_s, event_id))

    def header(self, what: What, value: str, life_s: int, event_id: str = "") -> str:
        """The Set-Cookie header's value. No Domain: it is for this host alone."""
        name = cookie_name(what, event_id, secure=self.secure)
        kept = f"{name}={value}; Path=/; Max-Age={life_s}; HttpOnly; SameSite=Lax"
        return f"{kept}; Secure" if self.secure else kept


def cookies_of(connection: HTTPConnection) -> Cookies:
    """Those of the application, which the composition root made."""
    found: Cookies = connection.app.state.cookies
    return found
