"""One scrape tells of all workers, with those that do not answer named."""

import asyncio
import re

import uvicorn
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from app.crew import Crew
from app.health import Health


def registry(requests: int) -> CollectorRegistry:
    made = CollectorRegistry()
    Counter("onsale_requests", "so far", ["kind"], registry=made).labels("page").inc(requests)
    Gauge("onsale_open", "now", registry=made).set(requests / 2)
    Histogram("onsale_wait_seconds", "of each", registry=made, buckets=(1, 5)).observe(requests)
    return made


def samples(text: bytes) -> dict[str, float]:
    """By name and labels, as `name label=value …`."""
    families = text_string_to_metric_families(text.decode())
    return {
        " ".join(
            [sample.name, *(f"{k}={v}" for k, v in sorted(sample.labels.items()))]
        ): sample.value
        for family in families
        for sample in family.samples
    }


async def test_each_line_names_its_worker_and_is_that_workers_own(tmp_path):
    paths = (tmp_path / "0", tmp_path / "1", tmp_path / "nobody-listens")
    health = Health(None, None, None, registry(3), Crew(1, paths))
    app = Starlette(routes=health.routes())
    server = uvicorn.Server(uvicorn.Config(app, uds=str(paths[1]), log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0)
        assert not serving.done()
    try:
        told = samples(await Crew(0, paths).report(generate_latest(registry(7))))
    finally:
        server.should_exit = True
        await serving
    assert told["onsale_requests_total kind=page worker=0"] == 7
    assert told["onsale_requests_total kind=page worker=1"] == 3
    assert told["onsale_open worker=1"] == 1.5
    assert told["onsale_wait_seconds_bucket le=5.0 worker=0"] == 0
    assert told["onsale_wait_seconds_bucket le=5.0 worker=1"] == 1
    assert [told[f"onsale_worker_up worker={k}"] for k in range(3)] == [1, 1, 0]
    assert not any(re.search("worker=2", name) for name in told if "up" not in name)
