"""The operator API. Every route but the console's two doors wants an operator, checked first.

GET   /admin/events/{id}/admission   200 the room, ETag; 404
PATCH /admin/events/{id}/admission   If-Match; any of RoomChange → 200 the room; 412 changed
POST  /admin/events/{id}/admission/undo   If-Match → 200 the room; 409 nothing_to_undo; 412 changed
POST  /admin/events/{id}/admission/preview   any of RoomChange → 200 now and then; changes nothing
POST  /admin/events/{id}/skip        200; 404, 409 sale_stopped | not_open | cap_reached
POST  /admin/events/{id}/revoke      200; 404
GET   /admin/events/{id}/numbers     200
GET   /admin/events/{id}/numbers/history   200 of the last 15 minutes, one each 5 s
GET   /admin/events/{id}/numbers/stream   200 server-sent events `numbers`, one a second
GET   /admin/events/{id}/calls?after=<place>   200
GET   /admin/events/{id}/log         200 the sale's log, a line of JSON each; 404
GET   /admin/events/{id}/audit       200 the last 100 rows, the newest first
POST  /admin/console-links           200 the path of a one-time link; by the admin token only
GET   /console/enter/{token}         303 to /console, with a session if the link still works
POST  /console/leave                 303 to /console, without the session
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING

from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from app.admin.model import FanNamed, Nothing, Revocation, RoomChange, shown
from app.admin.past import EVERY_S
from app.admin.sessions import SESSION_LIFE_S
from app.admin.store import AuditRow
from core.cookies import cookies_of
from core.edge import event_id_of, json_reply, read_body
from core.errors import BadRequest
from core.live.reply import StreamReply
from waiting_room.errors import Changed
from waiting_room.rooms import SET_BY_OPERATORS

if TYPE_CHECKING:
    from app.admin.service import Admin
    from waiting_room.model import RoomSettings, Standing

CONSOLE_DOOR = "/console/enter/"
NO_STORE = {"cache-control": "no-store"}

# A proxy that packs a reply makes its ETag weak (nginx does); the version in it is the same.
_VERSION = re.compile(r'(?:W/)?"(\d{1,9})"', re.ASCII)
_PLACE = re.compile(r"-1|\d{1,15}", re.ASCII)

Handler = Callable[[Request, str, str], Awaitable[Response]]  # request, event id, who


class AdminWeb:
    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    def routes(self) -> list[Route]:
        admin = self._admin
        return [
            route(admin, "GET", "admission", self.room),
            route(admin, "PATCH", "admission", self.change_room),
            route(admin, "POST", "admission/undo", self.undo),
            route(admin, "POST", "admission/preview", self.preview),
            route(admin, "POST", "skip", self.skip),
            route(admin, "POST", "revoke", self.revoke),
            route(admin, "GET", "numbers", self.numbers),
            route(admin, "GET", "numbers/history", self.numbers_lately),
            route(admin, "GET", "numbers/stream", self.numbers_stream),
            route(admin, "GET", "calls", self.calls),
            route(admin, "GET", "log", self.log),
            route(admin, "GET", "audit", self.audit),
            Route("/admin/console-links", self.make_link, methods=["POST"]),
            Route(f"{CONSOLE_DOOR}{{token}}", self.enter, methods=["GET"]),
            Route("/console/leave", self.leave, methods=["POST"]),
        ]

    async def room(self, _: Request, event_id: str, __: str) -> Response:
        return _room_reply(await self._admin.room(event_id))

    async def change_room(self, request: Request, event_id: str, who: str) -> Response:
        version = if_match(request)
        changes = await _changes(request)
        return await self._changed(
            event_id, self._admin.change_room(event_id, version, changes, who=who)
        )

    async def preview(self, request: Request, event_id: str, _: str) -> Response:
        now, then = await self._admin.preview(event_id, await _changes(request))
        return json_reply({"now": now, "then": then}, headers=NO_STORE)

    async def undo(self, request: Request, event_id: str, who: str) -> Response:
        version = if_match(request)
        await read_body(request, Nothing)
        return await self._changed(event_id, self._admin.undo(event_id, version, who=who))

    async def _changed(self, event_id: str, change: Awaitable[RoomSettings]) -> Response:
        """The room after a change; the refusal tells the values of now as this API names them."""
        try:
            return _room_reply(await change)
        except Changed as exc:
            raise Changed(room_json(await self._admin.room(event_id))) from exc

    async def skip(self, request: Request, event_id: str, who: str) -> Response:
        fan = (await read_body(request, FanNamed)).fan()
        subject, standing = await self._admin.skip(event_id, fan, who=who)
        return json_reply({"subject": subject, **_standing_json(standing)}, headers=NO_STORE)

    async def revoke(self, request: Request, event_id: str, who: str) -> Response:
        body = await read_body(request, Revocation)
        subject, ended = await self._admin.revoke(event_id, body.fan(), body.reason, who=who)
        return json_reply({"subject": subject, "ended": _standing_json(ended)}, headers=NO_STORE)

    async def numbers(self, _: Request, event_id: str, __: str) -> Response:
        return json_reply(await self._admin.numbers(event_id), headers=NO_STORE)

    async def numbers_lately(self, _: Request, event_id: str, __: str) -> Response:
        points = await self._admin.numbers_lately(event_id)
        return json_reply({"everyMs": EVERY_S * 1000, "points": points}, headers=NO_STORE)

    async def numbers_stream(self, request: Request, event_id: str, _: str) -> Response:
        """It ends with the session that opened it; the admin token has no end."""
        channel, sessions = await self._admin.numbers_channel(event_id), self._admin.sessions
        reply = StreamReply(self._admin.live, channel, None, on_closed=sessions.forget)
        session = sessions.of(request)
        if session is not None:
            sessions.watch(session, reply.connection)
        return reply

    async def calls(self, request: Request, event_id: str, _: str) -> Response:
        after = request.query_params.get("after", "-1")
        if not _PLACE.fullmatch(after):
            raise BadRequest("a place is a whole number", where="after")
        calls = await self._admin.calls(event_id, int(after))
        return json_reply([_call_json(call) for call in calls], headers=NO_STORE)

    async def log(self, _: Request, event_id: str, __: str) -> Response:
        lines = self._admin.log(event_id)
        first = await anext(lines)  # refusals come before the reply begins
        body = _from(first, lines)
        return StreamingResponse(body, media_type="application/x-ndjson", headers=NO_STORE)

    async def audit(self, _: Request, event_id: str, __: str) -> Response:
        rows = await self._admin.audit(event_id)
        return json_reply([_audit_json(row) for row in rows], headers=NO_STORE)

    async def make_link(self, request: Request) -> Response:
        """Not by a session, which would have no end then."""
        self._admin.operators.require_token(request)
        await read_body(request, Nothing)
        return json_reply({"path": await self._admin.make_link("")}, headers=NO_STORE)

    async def leave(self, request: Request) -> Response:
        """Logs out. On to the console in any case, which says how to get in again."""
        session = self._admin.sessions.of(request)
        reply = RedirectResponse("/console", 303, headers=NO_STORE)
        if session is not None:
            await self._admin.sessions.log_out(session)
            cookies_of(request).set(reply, "console", "", life_s=0)
        return reply

    async def enter(self, request: Request) -> Response:
        """Always on to the console, which says how to get in when there is no session."""
        session = await self._admin.operators.open_session(request.path_params["token"])
        reply = RedirectResponse("/console", 303, headers=NO_STORE)
        if session is not None:
            cookies_of(request).set(reply, "console", session, life_s=SESSION_LIFE_S)
        return reply


def route(admin: Admin, method: str, name: str, handler: Handler) -> Route:
    """Nothing of the request is looked at before it is known to be an operator's."""

    async def guarded(request: Request) -> Response:
        who = admin.require_operator(request)
        return await handler(request, event_id_of(request), who)

    path = f"/admin/events/{{event_id}}/{name}"
    return Route(path, guarded, methods=[method], name=f"{method} {name}")


def if_match(request: Request) -> int:
    """The version in If-Match. Raises BadRequest without one: blind changes lose others'."""
    match = _VERSION.fullmatch(request.headers.get("if-match", ""))
    if match is None:
        raise BadRequest('send the ETag of the room, such as "7"', where="If-Match")
    return int(match[1])


async def _changes(request: Request) -> dict[str, object]:
    changes = (await read_body(request, RoomChange)).changes()
    if not changes:
        raise BadRequest("name at least one setting", where="body")
    return changes


async def _from(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for some in rest:
            yield some


def _room_reply(room: RoomSettings) -> Response:
    headers = {"etag": f'"{room.version}"', **NO_STORE}
    return json_reply(room_json(room), headers=headers)


def room_json(room: RoomSettings) -> dict[str, object]:
    return shown(room, (*SET_BY_OPERATORS, "version"))


def _standing_json(standing: Standing) -> dict[str, object]:
    body: dict[str, object] = {"state": standing.kind}
    if standing.admission is not None:
        body |= {"place": standing.admission.place, "admissionId": standing.admission.call_id}
    names = {"waiting": "place", "called": "acceptBy", "admitted": "endsAt"}
    if name := names.get(standing.kind):
        body[name] = standing.number
    return body


def _call_json(call: Mapping[str, object]) -> dict[str, object]:
    return {to_camel(name.removesuffix("_ms")): value for name, value in call.items()}


def _audit_json(row: AuditRow) -> dict[str, object]:
    return {
        "auditId": row.audit_id,
        "at": row.at_ms,
        "who": row.who,
        "action": row.action,
        "before": row.before,
        "after": row.after,
    }
