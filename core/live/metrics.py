"""What the hub counts. Plain numbers on the hot path; Prometheus reads them when it asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import Histogram, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from core.live.hub import Hub

TICK_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
LAG_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
KINDS = ("sse", "websocket")


class LiveMetrics(Collector):
    """`onsale_live_…` of one hub. Register it, with `tick` and `lag`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.opened = dict.fromkeys(KINDS, 0)
        self.messages = self.bytes = 0
        self.skipped = self.evicted = 0
        self.recovered = {"ring": 0, "snapshot": 0}
        self.tick = Histogram(
            "onsale_live_tick_seconds",
            "writing time of a tick",
            buckets=TICK_BUCKETS,
            registry=None,
        )
        self.lag = Histogram(
            "onsale_live_lag_seconds",
            "from a change to its write to the last live client",
            buckets=LAG_BUCKETS,
            registry=None,
        )

    def wrote(self, messages: int, size: int) -> None:
        self.messages += messages
        self.bytes += size

    def collect(self) -> Iterator[Metric]:
        open_now = dict.fromkeys(KINDS, 0)
        for connection in self._hub.connections():
            open_now[connection.kind] += 1
        name = "onsale_live_connections"
        gauge = GaugeMetricFamily(name, "clients connected now", labels=["kind"])
        opened = CounterMetricFamily(f"{name}_opened", "clients adopted", labels=["kind"])
        for kind in KINDS:
            gauge.add_metric([kind], open_now[kind])
            opened.add_metric([kind], self.opened[kind])
        recovered = CounterMetricFamily(
            "onsale_live_recoveries", "late clients brought up to date", labels=["source"]
        )
        for source, count in self.recovered.items():
            recovered.add_metric([source], count)
        yield from (gauge, opened, recovered)
        for name, about, value in (
            ("messages", "writes to clients", self.messages),
            ("bytes", "bytes written to clients", self.bytes),
            ("skipped", "writes passed over because a socket was full", self.skipped),
            ("evicted", "clients ended because they took nothing", self.evicted),
        ):
            yield CounterMetricFamily(f"onsale_live_{name}", about, value)
        yield from self.tick.collect()
        yield from self.lag.collect()
