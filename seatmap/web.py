"""Routes of the seat map: the plan, the snapshot, the stream."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from core.edge import event_id_of
from core.ids import Subject
from core.live import sse
from core.live.connection import Connection
from core.live.hub import Hub
from core.live.reply import StreamReply
from core.live.shares import Share, Shares
from core.visitor import known_visitor
from seatmap.delta import Cursor
from seatmap.follower import Follower
from seatmap.service import SeatMap

FOR_EVER = "public, max-age=31536000, immutable"
A_MOMENT = "public, max-age=1"  # a snapshot is only where a stream begins
RESET_SPREAD_MS = 1_000

# Raises unless the fan is admitted; who it is, None for a stranger where anybody may look.
Gate = Callable[[Request, str], Awaitable[Subject | None]]
OnOpened = Callable[[str, Connection, Subject | None], None]  # event id, the stream, its fan


class SeatMapWeb:
    """`on_opened` is called with each stream once it is open."""

    def __init__(
        self,
        seat_map: SeatMap,
        gate: Gate,
        live: Hub,
        shares: Shares,
        on_opened: OnOpened | None = None,
    ) -> None:
        self._seat_map, self._gate, self._live, self._shares = seat_map, gate, live, shares
        self._on_opened = on_opened

    def routes(self) -> list[Route]:
        return [
            Route("/events/{event_id}/plan", self.plan),
            Route("/events/{event_id}/seats", self.seats),
            Route("/events/{event_id}/seats/stream", self.stream),
        ]

    async def plan(self, request: Request) -> Response:
        """GET /events/{id}/plan?v=<sha256> → 200, 304; 307 to ?v= without or with an old one."""
        event_id = event_id_of(request)
        document = await self._seat_map.plan(event_id)
        if request.query_params.get("v") != document.sha256:
            return RedirectResponse(
                f"/events/{event_id}/plan?v={document.sha256}",
                307,
                headers={"cache-control": "no-cache"},
            )
        etag = f'"{document.sha256}"'
        headers = {"etag": etag, "cache-control": FOR_EVER, "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return _json(request, document.packed, document.json, headers)

    async def seats(self, request: Request) -> Response:
        """GET /events/{id}/seats → 200 snapshot; 404, 503."""
        follower = await self._seat_map.follower(event_id_of(request))
        snapshot = await follower.fresh()
        headers = {"cache-control": A_MOMENT, "vary": "accept-encoding"}
        return _json(request, snapshot.gzip, lambda: snapshot.json, headers)

    async def stream(self, request: Request) -> Response:
        """GET /events/{id}/seats/stream → 200 events; 403 without an admission, 404, 429, 503."""
        event_id = event_id_of(request)
        fan = await self._gate(request, event_id)
        follower = await self._seat_map.follower(event_id)
        # A browser that reconnects says Last-Event-ID, which is later than what `after` was.
        said = request.headers.get("last-event-id") or request.query_params.get("after") or ""
        at = Cursor.parse(said)
        after = await follower.position(at)
        if after is None and at is not None and at.epoch != follower.snapshot().cursor.epoch:
            return _reset()
        share = self._shares.take(request, event_id, known_visitor(request))
        self._seat_map.follow(follower)

        def opened(stream: Connection) -> None:
            if self._on_opened is not None:
                self._on_opened(event_id, stream, fan)

        left = partial(self._left, follower, share)
        return StreamReply(self._live, follower.channel, after, on_opened=opened, on_closed=left)

    def _left(self, follower: Follower, share: Share, connection: Connection) -> None:
        self._shares.give_back(share)
        follower.left(connection)


def _reset() -> Response:
    """To a client from before a repair that this node knows no way across.

    Not a snapshot down each stream: after a loss all clients of a node come at once, and /seats is
    packed, and the same for all of them.
    """
    retry_ms = random.randint(0, RESET_SPREAD_MS)  # noqa: S311 (no secret)
    return Response(
        sse.come_back("reset", retry_ms), headers=sse.HEADERS, media_type=sse.MEDIA_TYPE
    )


def _json(
    request: Request, packed: bytes, plain: Callable[[], bytes], headers: dict[str, str]
) -> Response:
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        return Response(packed, headers=headers, media_type="application/json")
    return Response(plain(), headers=headers, media_type="application/json")
