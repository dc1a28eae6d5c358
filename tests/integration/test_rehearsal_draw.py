"""A small rehearsal of lobby and draw against a real `onsale serve`."""

import asyncio
import os
import signal
import sys

import pytest

from core.signing import Keys
from tests.operators import ADMIN_TOKEN
from tests.running import ROOT, Onsale
from waiting_room.service import WaitingRoom

FANS, CAP = 12, 4


@pytest.fixture
async def onsale(tmp_path, redis_url, database_url, gateway_socket):
    stores = {"REDIS_URL": redis_url, "DATABASE_URL": database_url}
    mine = {"DEMO": "0", "CROWD": "0", "ADMIN_TOKEN": ADMIN_TOKEN, "DRAIN_S": "1"}
    mine["GATEWAY_SOCKET"] = str(gateway_socket)
    env = stores | {f"ONSALE_{name}": value for name, value in mine.items()}
    server = await asyncio.to_thread(Onsale, tmp_path / "onsale", 1, 0, env)
    yield server
    server.send(signal.SIGTERM)
    await server.ends()
    server.process.stdout.close()


async def rehearse(folder, event_id, url):
    env = {"PATH": os.environ["PATH"], "ONSALE_DATA_DIR": str(folder / "rehearsal")}
    env["ONSALE_ADMIN_TOKEN"] = ADMIN_TOKEN
    options = ["--draw", "--event", event_id, "--fans", str(FANS), "--url", url, "--seed", "7"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.cli", "rehearse", *options),
        cwd=ROOT,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_fans_gather_the_sale_opens_and_everybody_is_called_as_drawn(
    tmp_path, onsale, make_sale, redis, db
):
    event_id = await make_sale(
        mode="on", seats=100, max_active=CAP, per_minute=6000, opens_in_s=3600
    )
    code, said = await rehearse(tmp_path, event_id, onsale.url)
    assert (code, "no promise was broken" in said) == (0, True), said
    assert f"{FANS}  entries of the lobby, followed through the draw" in said
    assert f"most called + active: {CAP}" in said
    calls = await WaitingRoom.build(redis, db, Keys("s" * 32)).calls(event_id)
    assert [call["place"] for call in calls] == list(range(1, FANS + 1))
    code, said = await rehearse(tmp_path, event_id, onsale.url)
    assert (code, "has no lobby now" in said) == (1, True), said
