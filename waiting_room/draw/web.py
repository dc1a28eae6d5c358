"""What anybody may read of a draw, to check it: docs/draw.md.

GET /events/{event_id}/queue/draw           200: commitment, list, beacon, seed, each when it is due
GET /events/{event_id}/queue/draw/entries   200: entry ids, sorted, one a line; 409 not_drawn
GET /events/{event_id}/queue/draw/places    200: the place of each, one a line; 409 not_drawn
GET /events/{event_id}/queue/draw/proof?entry=en_…   200; 404; 409 not_drawn
GET /verify_draw.py                         200: the program that checks it
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from core.edge import Body, event_id_of, json_reply
from core.errors import BadRequest, TooMany
from core.ids import is_id
from waiting_room.draw import verify_draw
from waiting_room.draw.model import Draw
from waiting_room.draw.policy import ALGORITHM, Numbers, commitment
from waiting_room.draw.rows import DrawRows
from waiting_room.errors import NotDrawn

A_MOMENT = "public, max-age=1"
AN_HOUR = "public, max-age=3600"
FOR_EVER = "public, max-age=31536000, immutable"
MAX_LISTS_AT_ONCE = 8  # of one node: a list of a million takes a second of its process
GZIP = 16 + zlib.MAX_WBITS
GZIP_LEVEL = 1  # ids are random: more effort saves nothing

Text = Callable[[list[bytes], Numbers], list[bytes]]  # entries, places → what is listed


class ProofQuery(Body):
    entry: str = Field(description="entry id, as on the receipt")


class DrawWeb:
    def __init__(self, rows: DrawRows) -> None:
        self._rows, self._reading = rows, 0

    def routes(self) -> list[BaseRoute]:
        draw = "/events/{event_id}/queue/draw"
        return [
            Route(draw, self.draw, methods=["GET"]),
            Route(f"{draw}/entries", self.entries, methods=["GET"]),
            Route(f"{draw}/places", self.places, methods=["GET"]),
            Route(f"{draw}/proof", self.proof, methods=["GET"]),
            Route("/verify_draw.py", self.program, methods=["GET"]),
        ]

    async def draw(self, request: Request) -> Response:
        event_id = event_id_of(request)
        draw = await self._rows.get(event_id)
        age = AN_HOUR if draw.ordered else A_MOMENT
        return json_reply(draw_json(event_id, draw), headers={"cache-control": age})

    async def entries(self, request: Request) -> Response:
        event_id = event_id_of(request)
        draw = await self._rows.get(event_id)
        if draw.root is None:
            raise NotDrawn(event_id)
        return self._list(request, event_id, draw.root.hex(), lambda entries, _: entries)

    async def places(self, request: Request) -> Response:
        event_id = event_id_of(request)
        draw = await self._rows.get(event_id)
        if draw.root is None or draw.base is None or not draw.ordered:
            raise NotDrawn(event_id)
        base = draw.base
        return self._list(
            request,
            event_id,
            f"{draw.root.hex()}-places",
            lambda _, places: [b"%d" % place for place in (base + places).tolist()],
        )

    async def proof(self, request: Request) -> Response:
        event_id, entry_id = event_id_of(request), request.query_params.get("entry", "")
        if not is_id("en", entry_id):
            raise BadRequest("an entry id, as on the receipt", where="entry")
        draw = await self._rows.get(event_id)
        if draw.root is None or draw.base is None:
            raise NotDrawn(event_id)
        proof = await self._rows.proof(event_id, entry_id)
        body = {
            "eventId": event_id,
            "entryId": entry_id,
            "entries": draw.entries,
            "root": draw.root.hex(),
            "leaf": proof.leaf.hex(),
            "index": proof.index,
            "path": [node.hex() for node in proof.path],
            "place": None if proof.place is None else draw.base + proof.place,
        }
        age = FOR_EVER if draw.ordered else A_MOMENT
        return json_reply(body, headers={"cache-control": age})

    async def program(self, _: Request) -> Response:
        return FileResponse(
            Path(verify_draw.__file__),
            media_type="text/x-python; charset=utf-8",
            headers={"cache-control": AN_HOUR},
        )

    # -- the long lists -----------------------------------------------------------------------

    def _list(self, request: Request, event_id: str, tag: str, text: Text) -> Response:
        """A list is read chunk by chunk and never in memory as a whole."""
        headers = {"etag": f'"{tag}"', "cache-control": FOR_EVER, "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        if self._reading >= MAX_LISTS_AT_ONCE:
            raise TooMany("MAX_LISTS_AT_ONCE")
        packed = "gzip" in request.headers.get("accept-encoding", "")
        if packed:
            headers["content-encoding"] = "gzip"
        chunks = self._chunks(event_id, text)
        body = _gzipped(chunks) if packed else chunks
        return StreamingResponse(body, headers=headers, media_type="text/plain; charset=ascii")

    async def _chunks(self, event_id: str, text: Text) -> AsyncIterator[bytes]:
        self._reading += 1
        try:
            for number in itertools.count():
                entries, places = await self._rows.part(event_id, number)
                if not entries:
                    return
                yield b"\n".join(text(entries, places)) + b"\n"
        finally:
            self._reading -= 1


async def _gzipped(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP)
    async for chunk in chunks:
        yield packer.compress(chunk)
    yield packer.flush()


def draw_json(event_id: str, draw: Draw) -> dict[str, Any]:
    """The public part. The seed comes last: list, beacon and order are fixed by then."""
    state = "drawn" if draw.ordered else "fixed" if draw.root is not None else "open"
    beacon = None
    if draw.beacon_name:
        value = draw.beacon_value.hex() if draw.beacon_value else None
        beacon = {"name": draw.beacon_name, "value": value, "givenUp": draw.beacon_given_up}
    return {
        "eventId": event_id,
        "draw": draw.draw,
        "state": state,
        "algorithm": ALGORITHM,
        "opensAt": draw.opens_at_ms,
        "commitment": commitment(draw.seed).hex(),
        "closedAt": draw.closed_at_ms,
        "entries": draw.entries,
        "firstPlace": None if draw.base is None else draw.base + 1,
        "root": None if draw.root is None else draw.root.hex(),
        "beacon": beacon,
        "seed": draw.seed.hex() if draw.ordered else None,
    }
