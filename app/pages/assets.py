"""The static files: read and compressed once at the start, served from memory.

Pages name them below a folder that is the hash of them all (`/static/<hash>/js/queue.js`), so
that browsers may keep them for ever, and a page never meets scripts of another version. Relative
imports stay in that folder by themselves; so no script has to be rewritten, and nothing is built.

A first load is to fit into the first ten packets of a connection, so what only people read stays
here: comments and indentation. Lines keep their numbers. A page has one style sheet, whose first
line names those that it stands on: they come in one file.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

STATIC: Final = Path(__file__).parents[2] / "static"
VERSION_CHARACTERS = 12
FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}
ASK_AGAIN = {"cache-control": "no-cache"}
STANDS_ON = re.compile(rb"/\* on: ([a-z ]+) \*/")  # first line of a page's style sheet
# Whole lines of comment, and indentation: no script has a text that runs over lines.
# At a line's end only after these signs, and with a space: no address and no text looks like that.
JS_UNREAD = re.compile(rb"^[ \t]+(?://.*)?|^//.*|(?<=[;{},]) // .*", re.MULTILINE)
CSS_UNREAD = re.compile(rb"/\*.*?\*/|(?<=[{};:,\n])\s+|\s+(?=\{)", re.DOTALL)
IMPORT = re.compile(r'^(?:import|export) [^"\n]*"(\.{1,2}/[^"\n]+)";$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Asset:
    plain: bytes
    packed: bytes | None  # gzip, where it is shorter
    media_type: str
    etag: str


class Assets:
    """Every file of a folder. `version` names the set."""

    def __init__(self, folder: Path = STATIC) -> None:
        plain = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        self._files = {name: _asset(name, _served(name, plain)) for name in plain}
        together = "\n".join(f"{name} {asset.etag}" for name, asset in self._files.items())
        self.version = hashlib.sha256(together.encode()).hexdigest()[:VERSION_CHARACTERS]
        self.url = f"/static/{self.version}"

    async def serve(self, request: Request) -> Response:
        """GET /static/{path}, with the version or without. 200, 304, 404."""
        path: str = request.path_params["path"]
        version, _, rest = path.partition("/")
        current = version == self.version
        asset = self._files.get(rest if current else path)
        if asset is None:
            raise HTTPException(404)
        headers = (FOR_EVER if current else ASK_AGAIN) | {
            "etag": f'"{asset.etag}"',
            "vary": "Accept-Encoding",
        }
        if asset.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        body = asset.plain
        if asset.packed is not None and takes_gzip(request.headers):
            body, headers["content-encoding"] = asset.packed, "gzip"
        return Response(body, headers=headers, media_type=asset.media_type)

    def modules_of(self, entry: str) -> list[str]:
        """The scripts that `entry` loads, itself first; [] if there is no such script."""
        found: list[str] = []
        wanted = [entry] if entry in self._files else []
        while wanted:
            name = wanted.pop(0)
            if name not in found:
                found.append(name)
                wanted += [_beside(name, to) for to in IMPORT.findall(self.text(name))]
        return found

    def text(self, name: str) -> str:
        return self._files[name].plain.decode()


@cache
def assets() -> Assets:
    """Those of the product. They do not change while a server runs."""
    return Assets()


def takes_gzip(headers: Headers) -> bool:
    return "gzip" in headers.get("accept-encoding", "")


def packed(plain: bytes, level: int = 9) -> bytes:
    return gzip.compress(plain, level, mtime=0)


def _served(name: str, plain: Mapping[str, bytes]) -> bytes:
    if name.endswith(".js") and "/vendor/" not in name:
        return JS_UNREAD.sub(b"", plain[name])
    stands_on = STANDS_ON.match(plain[name])
    if name.endswith(".css") and stands_on is not None:
        under = [f"css/{sheet}.css" for sheet in stands_on[1].decode().split()]
        return CSS_UNREAD.sub(b"", b"".join(plain[sheet] for sheet in (*under, name)))
    return plain[name]


def _asset(name: str, plain: bytes) -> Asset:
    short = packed(plain)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    etag = hashlib.sha256(plain).hexdigest()[:VERSION_CHARACTERS]
    return Asset(plain, short if len(short) < len(plain) else None, kind, etag)


def _beside(name: str, to: str) -> str:
    parts: list[str] = []
    for part in (PurePosixPath(name).parent / to).parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)
