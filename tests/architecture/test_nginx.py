"""What config/nginx.conf must agree with: the product's streams and sockets, its time limits."""

import re
from pathlib import Path

from starlette.routing import WebSocketRoute

from app.serve.node import KEEP_ALIVE_S
from config.settings import Settings
from core.live.hub import BEAT_EVERY_S

CONFIG = (Path(__file__).parents[2] / "config" / "nginx.conf").read_text()
LIVE = re.search(r"location ~ (\S+) \{[^}]*proxy_buffering off;[^}]*read_timeout (\d+)s", CONFIG)


async def test_every_stream_and_socket_goes_through_unbuffered(node):
    live = [
        re.sub(r"{\w+}", "ev_x", route.path)
        for route in node.app.routes
        if isinstance(route, WebSocketRoute) or route.path.endswith("/stream")
    ]
    assert len(live) > 1
    assert [path for path in live if not re.search(LIVE[1], path)] == []


async def test_nothing_else_does(node):
    others = {
        re.sub(r"{\w+}", "ev_x", getattr(route, "path", ""))
        for route in node.app.routes
        if not isinstance(route, WebSocketRoute)
    }
    assert [path for path in others if re.search(LIVE[1], path) and "stream" not in path] == []


def test_a_quiet_stream_outlives_two_beats_that_are_lost():
    assert int(LIVE[2]) > 3 * BEAT_EVERY_S


def test_nginx_closes_idle_connections_before_a_node_does_also_one_that_drains():
    upstream = re.search(r"upstream onsale \{[^}]*keepalive_timeout (\d+)s", CONFIG)
    assert int(upstream[1]) < min(KEEP_ALIVE_S, Settings.model_fields["drain_s"].default)
