"""What a simulated fan sees the sale through: HTTP and one WebSocket, a cookie jar of its own.

Every refusal is written down by its code, since a rehearsal audits what fans were shown. Calls
whose problem says `retry` are repeated as a patient page would, a bounded number of times.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Origin

from core.cookies import cookie_name

ANSWER_TIMEOUT_S = 20.0
KEEP_ALIVE_S = 2.0  # below the server's 5 s, so that it never hangs up on a call
MAX_REPEATS = 30
MAX_PAUSE_S = 5.0
MAX_RECONNECTS = 20
COME_BACK = range(4000, 4500)  # close codes; see docs/protocol.md

# One for all: to build one takes longer than a whole purchase.
_TLS = ssl.create_default_context()


class Refused(Exception):
    """The server said no for good. `code` is the problem's; `facts` the whole document."""

    def __init__(self, code: str, facts: Mapping[str, Any]) -> None:
        super().__init__(code)
        self.code, self.facts = code, facts


@dataclass(slots=True)
class Seen:
    """What fans were shown, over all fans of a rehearsal."""

    codes: Counter[str] = field(default_factory=Counter)
    reconnects: int = 0


class Browser:
    """Use as an async context manager. Not for two tasks at once."""

    def __init__(self, base_url: str, seen: Seen, rng: random.Random) -> None:
        self._base_url, self._seen, self._rng = base_url, seen, rng
        self.steady = True  # False once its socket was cut: then others may rightly go first
        self._http = httpx.AsyncClient(
            base_url=base_url,
            verify=_TLS,
            trust_env=False,
            timeout=ANSWER_TIMEOUT_S,
            headers={"origin": base_url},
            limits=httpx.Limits(max_connections=2, keepalive_expiry=KEEP_ALIVE_S),
            follow_redirects=True,
        )

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._http.aclose()

    @property
    def subject(self) -> str:
        """The visitor id in the signed cookie; '' before the first call that needs one."""
        name = cookie_name("visitor", secure=self._base_url.startswith("https://"))
        return str(self._http.cookies.get(name, "")).partition(".")[0]

    async def call(
        self, method: str, path: str, body: object = None, *, key: str | None = None
    ) -> Any:
        """The reply's JSON, None when it has no body. Raises Refused."""
        headers = {"content-type": "application/json"}
        if key is not None:
            headers["idempotency-key"] = key
        content = None if body is None else orjson.dumps(body)
        for _ in range(MAX_REPEATS):
            try:
                reply = await self._http.request(method, path, content=content, headers=headers)
            except httpx.TransportError as exc:
                self._seen.codes["no_answer"] += 1
                raise Refused("no_answer", {}) from exc
            if reply.is_success:
                return orjson.loads(reply.content) if reply.content else None
            problem = self._problem(reply)
            if not problem.get("retry") or problem["code"] == "not_open":
                raise Refused(problem["code"], problem)
            await self._pause(reply)
        raise Refused(problem["code"], problem)

    def _problem(self, reply: httpx.Response) -> Mapping[str, Any]:
        try:
            problem: Mapping[str, Any] = orjson.loads(reply.content)
            code = problem["code"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            code = f"http_{reply.status_code}_without_a_code"
            problem = {"code": code}
        self._seen.codes[code] += 1
        return problem

    async def _pause(self, reply: httpx.Response) -> None:
        said = reply.headers.get("retry-after", "1")
        pause_s = min(float(said) if said.isdigit() else 1.0, MAX_PAUSE_S)
        await asyncio.sleep(pause_s * self._rng.uniform(0.8, 1.2))

    async def frames(self, path: str) -> AsyncGenerator[Mapping[str, Any], None]:
        """Every frame of a WebSocket, over reconnects, until the caller stops listening.

        Raises Refused with `close_<code>` when the server says not to come back.
        """
        parts = urlsplit(self._base_url)
        scheme = {"http": "ws", "https": "wss"}[parts.scheme]
        for attempt in range(MAX_RECONNECTS):
            if attempt:
                self.steady = False
                self._seen.reconnects += 1
                await asyncio.sleep(min(0.2 * 2**attempt, MAX_PAUSE_S) * self._rng.random())
            try:
                async with connect(
                    f"{scheme}://{parts.netloc}{path}",
                    origin=Origin(self._base_url),
                    additional_headers={"cookie": self._cookies()},
                    compression=None,
                    proxy=None,
                ) as socket:
                    async for frame in socket:
                        yield orjson.loads(frame)
            except (InvalidHandshake, OSError, TimeoutError):
                continue
            except ConnectionClosed as exc:
                code = exc.rcvd.code if exc.rcvd else None
                if code is not None and code >= COME_BACK.stop:
                    self._seen.codes[f"close_{code}"] += 1
                    raise Refused(f"close_{code}", {}) from exc
        raise Refused("no_answer", {})

    def _cookies(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self._http.cookies.items())
