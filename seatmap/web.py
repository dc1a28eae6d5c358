"""Routes of the seat map: the plan, the snapshot, the stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from core.live.hub import Hub
from core.live.reply import StreamReply
from seatmap.delta import Cursor
from seatmap.service import SeatMap

FOR_EVER = "public, max-age=31536000, immutable"
A_MOMENT = "public, max-age=1"  # a snapshot is only where a stream begins

Gate = Callable[[Request, str], Awaitable[object]]  # raises unless the fan is admitted


class SeatMapWeb:
    def __init__(self, seat_map: SeatMap, gate: Gate, live: Hub) -> None:
        self._seat_map, self._gate, self._live = seat_map, gate, live

    def routes(self) -> list[Route]:
        return [
            Route("/events/{event_id}/plan", self.plan),
            Route("/events/{event_id}/seats", self.seats),
            Route("/events/{event_id}/seats/stream", self.stream),
        ]

    async def plan(self, request: Request) -> Response:
        """GET /events/{id}/plan?v=<sha256> → 200, 304; 307 to ?v= without or with an old one."""
        event_id = request.path_params["event_id"]
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
        follower = await self._seat_map.follower(request.path_params["event_id"])
        snapshot = await follower.fresh()
        headers = {"cache-control": A_MOMENT, "vary": "accept-encoding"}
        return _json(request, snapshot.gzip, lambda: snapshot.json, headers)

    async def stream(self, request: Request) -> Response:
        """GET /events/{id}/seats/stream → 200 events; 403 without an admission, 404, 503."""
        event_id = request.path_params["event_id"]
        await self._gate(request, event_id)
        follower = await self._seat_map.follower(event_id)
        # A browser that reconnects says Last-Event-ID, which is later than what `after` was.
        said = request.headers.get("last-event-id") or request.query_params.get("after") or ""
        after = await follower.position(Cursor.parse(said))
        self._seat_map.follow(follower)
        return StreamReply(self._live, follower.channel, after, follower.left)


def _json(
    request: Request, packed: bytes, plain: Callable[[], bytes], headers: dict[str, str]
) -> Response:
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        return Response(packed, headers=headers, media_type="application/json")
    return Response(plain(), headers=headers, media_type="application/json")
