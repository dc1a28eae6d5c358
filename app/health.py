"""Health and metrics.

`/health/ready` says whether this *node* can serve: started, schema fits, not draining. It never
asks Redis or PostgreSQL, or a balancer would drop every node at once when one of them hiccups.
`/health/dependencies` does ask, for people.
"""

from __future__ import annotations

import asyncio

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from redis import exceptions as redis_errors
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.crew import Crew
from core.db import Db
from core.edge import json_reply
from core.errors import StoreUnavailable
from core.live.hub import Hub

ASK_TIMEOUT_S = 1.0


class Health:
    def __init__(
        self,
        redis: Redis,
        db: Db,
        live: Hub,
        registry: CollectorRegistry,
        crew: Crew | None = None,
    ) -> None:
        self._redis, self._db, self._live, self._registry = redis, db, live, registry
        self._crew = crew
        self.started = False  # set by the composition root once every service runs

    def routes(self) -> list[Route]:
        return [
            Route("/health/live", self.live, methods=["GET"]),
            Route("/health/ready", self.ready, methods=["GET"]),
            Route("/health/dependencies", self.dependencies, methods=["GET"]),
            Route("/metrics", self.metrics, methods=["GET"]),
        ]

    async def live(self, _: Request) -> Response:
        return json_reply({"status": "live"})

    async def ready(self, _: Request) -> Response:
        ready = self.started and not self._live.draining
        status = "ready" if ready else "draining" if self._live.draining else "starting"
        return json_reply({"status": status}, 200 if ready else 503)

    async def dependencies(self, _: Request) -> Response:
        redis, postgres = await asyncio.gather(self._redis_answers(), self._postgres_answers())
        body = {"redis": redis, "postgres": postgres}
        return json_reply(body, 200 if redis == postgres == "up" else 503)

    async def metrics(self, request: Request) -> Response:
        """GET /metrics → 200, of all workers if there are several; `?own=1`: of this one."""
        report = generate_latest(self._registry)
        if self._crew is not None and "own" not in request.query_params:
            report = await self._crew.report(report)
        return Response(report, media_type=CONTENT_TYPE_LATEST)

    async def _redis_answers(self) -> str:
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                await self._redis.ping()
        except (TimeoutError, redis_errors.RedisError):
            return "down"
        return "up"

    async def _postgres_answers(self) -> str:
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                await self._db.fetchval("select 1")
        except (TimeoutError, StoreUnavailable):
            return "down"
        return "up"
