"""The client of the payment gateway: every answer is a state, or "unsure".

"Unsure" (a time-out, a broken connection, a 5xx) means that the call may or may not have been
carried out. The caller asks again, with the same key; it never guesses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import httpx

PaymentState = Literal["created", "authorised", "declined", "captured", "cancelled", "refunded"]

ANSWER_TIMEOUT_S = 8.0
CONNECT_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Payment:
    payment_id: str
    state: PaymentState


class Unsure(Exception):
    """No answer that can be relied upon. Ask `find` later."""


class SandboxGateway:
    """Over a unix socket. Every call is safe to repeat."""

    def __init__(self, socket: Path, *, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(socket)),
            base_url="http://gateway",
            timeout=httpx.Timeout(answer_timeout_s, connect=CONNECT_TIMEOUT_S),
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def create(self, key: str, amount_minor: int, currency: str, token: str) -> Payment:
        """`key` is the booking id: a repeat gives the same payment."""
        body = {"key": key, "amountMinor": amount_minor, "currency": currency, "token": token}
        return await self._call("POST", "/payments", body)

    async def find(self, key: str) -> Payment | None:
        """The gateway's own record; None when it never heard of the key."""
        reply = await self._ask("GET", "/payments", params={"key": key})
        return None if reply.status_code == httpx.codes.NOT_FOUND else _payment(reply)

    async def confirm(self, payment_id: str) -> Payment:
        return await self._call("POST", f"/payments/{payment_id}/confirm")

    async def capture(self, payment_id: str) -> Payment:
        return await self._call("POST", f"/payments/{payment_id}/capture")

    async def cancel(self, payment_id: str) -> Payment:
        """Look at the state that comes back: a captured payment can't be cancelled any more."""
        return await self._call("POST", f"/payments/{payment_id}/cancel")

    async def refund(self, payment_id: str) -> Payment:
        return await self._call("POST", f"/payments/{payment_id}/refund")

    async def _call(self, method: str, path: str, body: dict[str, object] | None = None) -> Payment:
        return _payment(await self._ask(method, path, body))

    async def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, object] | None = None,
        params: dict[str, str] | None = None,
    ) -> httpx.Response:
        try:
            return await self._http.request(method, path, json=body, params=params)
        except httpx.HTTPError as exc:
            raise Unsure(f"{method} {path}: {exc!r}") from exc


def _payment(reply: httpx.Response) -> Payment:
    """A conflict too carries the payment as it is. Anything else tells nothing about it."""
    if reply.status_code not in {httpx.codes.OK, httpx.codes.CONFLICT}:
        raise Unsure(f"{reply.request.url.path}: {reply.status_code}")
    found = reply.json()
    return Payment(found["payment_id"], cast("PaymentState", found["state"]))
