"""The way of a fan to a shop elsewhere, and what the shop may do with the pass.

    admitted → return (a code in the URL, a minute long) → exchange, once → pass, in a cookie of
    the shop's → check, offline or here → end

The pass itself is in no URL, which history, logs and the Referer header would keep. A code is for
one admission and is exchanged once; the shop may bind the pass to a cookie of its own, so that a
copied pass is worth nothing without it. A reply that was lost can be had again, for a minute, by
who gives the same binding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from core.db import Db
from core.errors import BadRequest, NotAdmitted, NotFound
from core.ids import is_id, new_id
from core.redis import now_ms as redis_now_ms
from waiting_room.errors import PassExpired, PassOtherEvent
from waiting_room.passes.signed import Claims
from waiting_room.service import WaitingRoom
from waiting_room.shops.errors import (
    AtShop,
    CodeExpired,
    CodeInvalid,
    CodeOtherEvent,
    PassExchanged,
    ReturnRefused,
)
from waiting_room.shops.policy import is_allowed, is_prefix, with_code
from waiting_room.shops.store import Exchange, Record, Shop, ShopStore

CODE_MS = 60_000
REPEAT_MS = 60_000


class Shops:
    def __init__(self, redis: Redis, db: Db, room: WaitingRoom) -> None:
        self._redis, self._room, self._store = redis, room, ShopStore(db)

    # -- the fan ------------------------------------------------------------------------------

    async def require_allowed(self, event_id: str, url: str) -> None:
        """Raises ReturnRefused unless the event's list allows to send a fan there."""
        if not is_allowed(url, (await self._store.get(event_id)).return_urls):
            raise ReturnRefused(url)

    async def send_back(self, event_id: str, subject: str, url: str) -> str:
        """The address to go to, with a fresh exchange code.

        Raises ReturnRefused, NotAdmitted, or AtShop when the shop has the pass already.
        """
        await self.require_allowed(event_id, url)
        standing = await self._room.admission(event_id, subject)
        if standing is None or standing.admission is None:
            raise NotAdmitted(f"{subject} has no live admission")
        code, call_id = new_id("xc"), standing.admission.call_id
        if not await self._store.make_code(event_id, call_id, subject, code, life_ms=CODE_MS):
            raise AtShop(call_id)
        return with_code(url, code)

    # -- the shop -----------------------------------------------------------------------------

    async def exchange(self, code: str, binding: str = "", event_id: str = "") -> dict[str, Any]:
        """The pass, once. Nothing is used up when the admission can't be looked at.

        `event_id`: the shop's, '' for any. Raises CodeInvalid, CodeOtherEvent, CodeExpired,
        PassExchanged, PassUsed or StoreUnavailable.
        """
        found = await self._store.find(code, repeat_ms=REPEAT_MS) if is_id("xc", code) else None
        if found is None:
            raise CodeInvalid
        if event_id and found.event_id != event_id:
            raise CodeOtherEvent(found.event_id)
        if found.expired:
            raise CodeExpired
        if found.used and not _repeats(found, binding):
            raise PassExchanged(found.call_id)
        named = (found.event_id, found.subject, found.call_id)
        ends_ms = (await self._room.require_live(*named)).number
        if not found.used and not await self._store.use(code, binding):
            raise PassExchanged(found.call_id)
        now_ms = await redis_now_ms(self._redis)
        issued = self._room.passes.issue(*named, now_ms=now_ms, ends_ms=ends_ms, binding=binding)
        return {
            "eventId": found.event_id,
            "admissionId": found.call_id,
            "subject": found.subject,
            "now": now_ms,
            "endsAt": ends_ms,
            "pass": issued,
        }

    async def check(self, event_id: str, pass_text: str) -> Claims:
        """What a good pass of a live admission says. Raises NotAdmitted or a Pass… error."""
        if not pass_text:
            raise NotAdmitted("no pass")
        now_ms = await redis_now_ms(self._redis)
        claims = self._room.passes.read(pass_text, now_ms=now_ms)
        if claims.event_id != event_id:
            raise PassOtherEvent
        if claims.ends_ms <= now_ms:
            raise PassExpired
        await self._room.require_live(event_id, claims.subject, claims.call_id)
        return claims

    async def end(self, call_id: str, pass_text: str) -> None:
        """End the admission that the pass is of. One that has ended already has ended.

        Raises PassInvalid, or NotFound when the pass is of another admission.
        """
        claims = self._room.passes.read(pass_text, now_ms=await redis_now_ms(self._redis))
        if claims.call_id != call_id:
            raise NotFound(call_id)
        event_id, subject = claims.event_id, claims.subject
        if await self._room.end_call(event_id, subject, call_id, "ended"):
            await self._room.hub.push(event_id, subject, await self._room.where(event_id, subject))

    # -- the operator -------------------------------------------------------------------------

    async def shop(self, event_id: str) -> Shop:
        """Raises NotFound for a room that is not there."""
        await self._room.settings(event_id)
        return await self._store.get(event_id)

    async def change(
        self, event_id: str, expected_version: int, urls: Sequence[str], record: Record
    ) -> Shop:
        """Raises BadRequest, NotFound, or Changed with what is there now."""
        for place, url in enumerate(urls):
            if not is_prefix(url):
                raise BadRequest("not an https origin and path", where=f"returnUrls.{place}")
        await self._room.settings(event_id)
        return await self._store.change(event_id, expected_version, urls, record)


def _repeats(found: Exchange, binding: str) -> bool:
    return bool(binding) and found.binding == binding and found.repeatable
