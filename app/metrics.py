"""What /metrics says, read when it is asked for: nothing is counted twice or kept for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Metric,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from core.live.hub import Hub
from core.refusals import Refusals
from waiting_room.numbers.waits import percentile
from waiting_room.policy import BINDINGS
from waiting_room.service import WaitingRoom

ROOM_GAUGES = (
    *("lobby", "waiting", "present", "away", "called", "active", "maxActive", "perMinute"),
    *("calledLastMinute", "lapsed", "gone", "skipped", "revoked"),
)


WAIT_PERCENTILES = (50, 90)

Rooms = Mapping[str, Mapping[str, Any]]  # event id → numbers


class RoomCollector(Collector):
    """The rooms as this node sees them, `onsale_room_…{event="ev_…"}`."""

    def __init__(self, room: WaitingRoom) -> None:
        self._room = room

    def collect(self) -> Iterator[Metric]:
        rooms = self._room.hub.all_numbers()
        yield from _gauges(rooms)
        yield self._waits(rooms)
        yield _binds(rooms)
        yield self._refused()

    def _waits(self, rooms: Rooms) -> Metric:
        gauge = GaugeMetricFamily(
            "onsale_room_wait_seconds",
            "from the place to the call, of calls of the last minutes",
            labels=["event", "quantile"],
        )
        for event in rooms:
            waits = self._room.waits.known(event)
            for percent in WAIT_PERCENTILES:
                if (wait_ms := percentile(waits, percent)) is not None:
                    gauge.add_metric([event, str(percent / 100)], wait_ms / 1000)
        return gauge

    def _refused(self) -> Metric:
        """Of this node alone: whoever scrapes all nodes adds them up."""
        metric = CounterMetricFamily(
            "onsale_room_refused", "refusals to fans, by error code", labels=["event", "code"]
        )
        for event, counts in self._room.refusals.here().items():
            for code, count in counts.items():
                metric.add_metric([event, code], count)
        return metric


def _gauges(rooms: Rooms) -> Iterator[Metric]:
    for name in ROOM_GAUGES:
        gauge = GaugeMetricFamily(
            f"onsale_room_{_snake(name)}", f"{name}, as GET /admin/…/numbers", labels=["event"]
        )
        for event, numbers in rooms.items():
            gauge.add_metric([event], numbers[name])
        yield gauge


def _binds(rooms: Rooms) -> Metric:
    gauge = GaugeMetricFamily(
        "onsale_room_binds",
        "1 for what keeps the next fan from being called",
        labels=["event", "by"],
    )
    for event, numbers in rooms.items():
        for name in BINDINGS:
            gauge.add_metric([event, name], float(numbers["binds"] == name))
    return gauge


def registry(room: WaitingRoom, live: Hub, refused: Refusals) -> CollectorRegistry:
    made = CollectorRegistry()
    ProcessCollector(registry=made)
    PlatformCollector(registry=made)
    GCCollector(registry=made)
    made.register(RoomCollector(room))
    made.register(live.metrics)
    made.register(refused)
    return made


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
