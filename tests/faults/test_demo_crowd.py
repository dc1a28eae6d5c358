"""The demo's crowd does not outlive its server in the room: a fan after a restart is soon in."""

import signal

import pytest

from tests.waiting import until

EVENT = "ev_arena"
CAP = 3
RESTORE_S = 1  # in front of the fan is nobody who could come back
TOKEN = "admin-token-of-the-crowds-test-x"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_a_fan_has_a_turn_soon_after_a_restart_of_a_full_demo(onsale, fan_of, tmp_path, how):
    same = {"own_stores": True, "demo": 1, "data_dir": tmp_path / "data", "admin_token": TOKEN}
    same["restore_s"] = RESTORE_S
    first = onsale(crowd=1, **same)
    operator = await fan_of(first.url, headers={"authorization": f"Bearer {TOKEN}"})
    await _cap(operator)

    async def inside():
        numbers = (await operator.get(f"/admin/events/{EVENT}/numbers")).json()
        return numbers["called"] + numbers["active"]

    await until(inside, lambda count: count >= CAP)
    first.send(how)
    await first.ends()
    again = onsale(crowd=0, **same)  # no new ones, who would be in front of the fan
    fan = await fan_of(again.url)
    state = (await fan.post(f"/events/{EVENT}/queue", json={})).json()

    async def standing():
        return (await fan.get(f"/events/{EVENT}/queue")).json()["state"]

    assert state["state"] in {"waiting", "called"}
    # An admission lasts 15 minutes: this is a place that was given free.
    await until(standing, lambda kind: kind == "called")


async def _cap(operator):
    path = f"/admin/events/{EVENT}/admission"
    version = (await operator.get(path)).json()["version"]
    reply = await operator.patch(
        path, json={"maxActive": CAP}, headers={"if-match": f'"{version}"'}
    )
    assert reply.status_code == 200
