"""What /metrics says, read when it is asked for: nothing is counted twice or kept for it."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Metric,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from core.live.hub import Hub
from waiting_room import views
from waiting_room.service import WaitingRoom

ROOM_GAUGES = ("waiting", "present", "called", "active", "maxActive", "perMinute", "lapsed", "gone")


class RoomCollector(Collector):
    """The rooms as this node sees them, `onsale_room_…{event="ev_…"}`."""

    def __init__(self, room: WaitingRoom) -> None:
        self._room = room

    def collect(self) -> Iterator[Metric]:
        rooms = {event: views.numbers(view) for event, view in self._room.hub.views().items()}
        for name in ROOM_GAUGES:
            gauge = GaugeMetricFamily(
                f"onsale_room_{_snake(name)}", f"{name}, as GET /admin/…/numbers", labels=["event"]
            )
            for event, numbers in rooms.items():
                gauge.add_metric([event], numbers[name])
            yield gauge


def registry(room: WaitingRoom, live: Hub) -> CollectorRegistry:
    made = CollectorRegistry()
    ProcessCollector(registry=made)
    PlatformCollector(registry=made)
    GCCollector(registry=made)
    made.register(RoomCollector(room))
    made.register(live.metrics)
    return made


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
