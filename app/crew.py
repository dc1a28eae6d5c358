"""The workers of one machine, as /metrics tells of them.

A scrape reaches whichever worker the kernel hands it to. A counter that is read from one worker
now and from another in 15 seconds goes up and down, and every rate of it is wrong. So the one
that is asked asks the others, over Unix sockets that the supervisor made, and answers for all:
each line carries `worker="k"`. Who does not answer is left out and shows as
`onsale_worker_up{worker="k"} 0`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client import Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

OWN = "/metrics?own=1"
ASK_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Crew:
    """`sockets[k]` is where worker k listens for the others; `me` is this worker's number."""

    me: int
    sockets: tuple[Path, ...]

    async def report(self, own: bytes) -> bytes:
        """What all workers count, in Prometheus' text format; `own` is what this one does."""
        others = [k for k in range(len(self.sockets)) if k != self.me]
        answers = await asyncio.gather(*(self._ask(k) for k in others))
        texts = {self.me: own, **dict(zip(others, answers, strict=True))}
        return generate_latest(_Merged({k: text for k, text in texts.items() if text}, len(texts)))

    async def _ask(self, worker: int) -> bytes:
        """b"" when it does not answer: it is being replaced, or busy beyond measure."""
        transport = httpx.AsyncHTTPTransport(uds=str(self.sockets[worker]))
        try:
            async with httpx.AsyncClient(transport=transport, timeout=ASK_TIMEOUT_S) as client:
                reply = await client.get(f"http://worker{OWN}")
        except httpx.HTTPError:
            return b""
        return reply.content if reply.status_code == httpx.codes.OK else b""


class _Merged(Collector):
    def __init__(self, texts: dict[int, bytes], crew_size: int) -> None:
        self._texts, self._crew_size = texts, crew_size

    def collect(self) -> Iterable[Metric]:
        merged: dict[str, Metric] = {}
        for worker, text in sorted(self._texts.items()):
            for family in text_string_to_metric_families(text.decode()):
                kept = merged.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    labels = sample.labels | {"worker": str(worker)}
                    kept.add_sample(sample.name, labels, sample.value, sample.timestamp)
        up = GaugeMetricFamily("onsale_worker_up", "1: the worker answered", labels=["worker"])
        for worker in range(self._crew_size):
            up.add_metric([str(worker)], float(worker in self._texts))
        return [up, *merged.values()]
