"""Where a fan may be sent back to: pure text work, decided on what browsers will make of it.

An address is taken apart by one strict pattern, not by a URL library: what the pattern does not
know (user info, IPv6, a fragment, a backslash, a control character) is refused, and so is any
path that a browser, a proxy or a server might read as another one (`//`, dot segments, also with
`;` behind, encoded slashes, what is encoded twice). What is left compares as text: the origin must
be equal, the path must begin with the prefix at the border of a segment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_plus

MAX_URL_CHARACTERS = 2_000
MAX_RETURN_URLS = 20
CODE_PARAMETER = "onsale_code"

_URL = re.compile(
    r"(?P<origin>https://[a-z0-9.-]+(:[0-9]{1,5})?"
    r"|http://(localhost|127\.0\.0\.1)(:[0-9]{1,5})?)"  # for trying it out
    r"(?P<path>(/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*)"
    r"(\?(?P<query>[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*))?",
    re.ASCII,
)
_TREACHEROUS = re.compile(
    r"//|%2f|%5c|%2e|%25|%00|%(?![0-9a-f]{2})|/\.{1,2}([/;]|$)", re.ASCII | re.IGNORECASE
)
# However a shop's parser takes the query apart: some read `onsale.code` and `onsale_code[]` as it.
_OURS = re.compile(CODE_PARAMETER.replace("_", "."), re.ASCII | re.IGNORECASE)


def split(url: str) -> tuple[str, str, str] | None:
    """(origin, path, query) of an address that can't be read in two ways, else None."""
    match = _URL.fullmatch(url) if len(url) <= MAX_URL_CHARACTERS else None
    if match is None or _TREACHEROUS.search(match["path"]):
        return None
    return match["origin"], match["path"] or "/", match["query"] or ""


def is_prefix(url: str) -> bool:
    """Whether it may stand in an allow-list: an origin and a path, and nothing behind."""
    parts = split(url)
    return parts is not None and "?" not in url


def is_allowed(url: str, prefixes: Iterable[str]) -> bool:
    """Whether a fan may be sent to `url`, given an event's allow-list."""
    parts = split(url)
    if parts is None or _OURS.search(unquote_plus(parts[2])):
        return False
    return any(_begins(parts, prefix) for prefix in prefixes)


def with_code(url: str, code: str) -> str:
    """`url`, which is allowed, with the exchange code in its query."""
    return f"{url}{'&' if '?' in url else '?'}{CODE_PARAMETER}={code}"


def _begins(parts: tuple[str, str, str], prefix: str) -> bool:
    begin = split(prefix)
    if begin is None or begin[0] != parts[0]:
        return False
    folder = begin[1].removesuffix("/")
    return parts[1] == begin[1] or parts[1].startswith(f"{folder}/")
