"""Refusals counted by their code, for /metrics: which attack, which limit, which mistake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector


class Refusals(Collector):
    """`onsale_refused_total{code="…"}` of one node. Each of `codes` is there from the start."""

    def __init__(self, codes: Iterable[str] = ()) -> None:
        self.by_code = Counter(dict.fromkeys(codes, 0))

    def count(self, code: str) -> None:
        self.by_code[code] += 1

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily("onsale_refused", "refusals by their code", labels=["code"])
        for code, count in sorted(self.by_code.items()):
            family.add_metric([code], count)
        yield family
