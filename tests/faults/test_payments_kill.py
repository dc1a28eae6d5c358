"""`kill -9` of the sandbox gateway: what it answered it knows for ever."""

import contextlib
import subprocess
import sys

import pytest

from app.payments.gateway import SandboxGateway, Unsure
from core.ids import new_id
from tests.waiting import wait_until


@pytest.fixture
def start(tmp_path):
    """Starts a gateway of this test's own on one ledger, again and again."""
    socket = tmp_path / "gw.sock"
    command = [sys.executable, "-m", "app.payments.sandbox"]
    places = ["--ledger", str(tmp_path / "ledger"), "--socket", str(socket)]
    with contextlib.ExitStack() as ends:

        def run():
            socket.unlink(missing_ok=True)
            process = subprocess.Popen([*command, *places])
            ends.callback(process.wait)
            ends.callback(process.kill)
            wait_until(socket.exists, "the gateway starts")
            return process, socket

        yield run


async def test_what_the_gateway_answered_survives_its_death_and_repeats_change_nothing(start):
    process, socket = start()
    gateway = SandboxGateway(socket)
    keys = {name: new_id("bk") for name in ("created", "authorised", "captured")}
    paid = {
        name: await gateway.create(key, 1000, "EUR", "tok_approve") for name, key in keys.items()
    }
    for name in ("authorised", "captured"):
        await gateway.confirm(paid[name].payment_id)
    await gateway.capture(paid["captured"].payment_id)
    process.kill()
    process.wait()
    with pytest.raises(Unsure):
        await gateway.find(keys["captured"])

    start()
    for name, key in keys.items():
        assert (await gateway.find(key)).state == name
        assert (await gateway.create(key, 1000, "EUR", "tok_approve")).state == name
    assert (await gateway.capture(paid["captured"].payment_id)).state == "captured"
    await gateway.aclose()
