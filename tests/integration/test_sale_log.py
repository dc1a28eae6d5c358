"""The log of a sale that nodes ran: kept, exported, replayed, tried again with other settings."""

import asyncio
import contextlib
import re
from functools import partial

import pytest

from app.cli import main
from app.simulation import recorded
from core.errors import Stale
from tests import sales
from tests.operators import ADMIN_TOKEN, BEARER
from tests.waiting import until
from waiting_room import keys
from waiting_room.errors import NotCalled
from waiting_room.history.lines import read
from waiting_room.history.replay import replay

pytestmark = pytest.mark.usefixtures("logs_as_before")


def not_noted(what, facts):
    async def note(connection):
        """No audit log here."""

    return note


FANS = 12
LEFT = "fan7"
SEEN = {"tick", "present", "here", "away"}


@pytest.fixture
async def sale(nodes, make_known_sale):
    """Twelve fans, one of whom leaves the queue; a change of pace; the first call is accepted."""
    one, other = nodes
    event_id = await make_known_sale(mode="on", per_minute=60, max_active=FANS, accept_ms=60_000)
    for number in range(FANS):
        await (one, other)[number % 2].join(event_id, f"fan{number}")
    await one.leave(event_id, LEFT)

    accepted = await until(lambda: other.accept(event_id, "fan0"), despite=NotCalled)
    assert accepted["state"] == "admitted"
    room = await one.settings(event_id)
    await one.change_settings(event_id, room.version, per_minute=6_000)
    await other.leave(event_id, "fan0")

    async def kept():
        return await sales.kept(one.history, event_id)

    def complete(sale):
        return (
            sum(turn.kind in ("fresh", "replacement") for turn in sale.turns) == FANS - 1
            and sale.ticks
            and sale.ticks[-1].at_ms >= max(turn.called_at_ms for turn in sale.turns)
        )

    return await until(kept, complete)


async def test_a_sale_that_two_nodes_ran_replays_to_the_same_calls(sale):
    said = replay(sale)
    assert said.differences == []
    assert said.calls == FANS - 1
    assert said.unproved == 0
    assert said.passed_over == 1  # who left
    assert len({tick.per_minute for tick in sale.ticks}) == 2


async def turn_page(redis, event_id):
    """The page of presence is over, without waiting for it; returns when a round has turned it."""
    state = keys.key(event_id, "state")
    before = await redis.hget(state, "page")
    await redis.hset(state, "page_ends_ms", 0)
    await until(lambda: redis.hget(state, "page"), lambda page: page != before)


def noted(sale):
    """The tick of the last call is kept, too."""
    return sale.ticks[-1].at_ms >= sale.turns[-1].called_at_ms


async def repaired(node, event_id):
    with contextlib.suppress(Stale):
        await node.numbers(event_id)
        return (await node.generations.epoch(event_id)).generation == 2


@pytest.fixture
async def hard_sale(nodes, make_known_sale, redis):
    """A draw of eight; two sleepers, one of whom comes back; a leaver, a fan revoked, one past the
    line; a pause, changes of pace and cap; Redis goes away and is repaired, and it goes on."""
    one, other = nodes
    event_id = await make_known_sale(mode="on", max_active=0, opens_in_s=3600, accept_ms=400)

    async def change(**values):
        version = (await one.settings(event_id)).version
        await one.change_settings(event_id, version, **values)

    fans = [f"vs_{n}" for n in range(8)]
    for number, fan in enumerate(fans):
        await nodes[number % 2].join(event_id, fan)
    await change(opens_at_ms=1)
    await until(lambda: one.state(event_id, fans[-1]), lambda said: said["state"] == "waiting")

    for number in range(8, 14):
        fans.append(f"vs_{number}")
        await nodes[number % 2].join(event_id, fans[-1])
    places = {fan: (await one.state(event_id, fan))["place"] for fan in fans}
    line = sorted(fans, key=places.__getitem__)
    sleeper, late, left, revoked, skipped = line[1], line[4], line[5], line[6], line[-1]
    present = keys.key(event_id, "present")
    while await redis.bitcount(present) > len(line) - 2:
        for fan in set(line) - {sleeper, late}:
            await other.state(event_id, fan)
        await turn_page(redis, event_id)
    await one.leave(event_id, left)
    await other.interventions.revoke(event_id, revoked, "Tout.", not_noted)
    await change(max_active=1, per_minute=6_000)
    await one.interventions.skip(event_id, skipped, not_noted)

    def calls():
        return one.calls(event_id)

    await until(calls, lambda made: len(made) >= 4)
    await change(paused=True)
    await other.join(event_id, late)  # back, and passed over by now or not
    await change(paused=False, max_active=3)
    await until(calls, lambda made: len(made) >= 6)
    await change(max_active=0)
    await until(lambda: sales.kept(one.history, event_id), noted)  # a repair begins a new log
    await redis.delete(keys.epoch_key(event_id))
    for node in nodes:
        await until(partial(repaired, node, event_id), bool)
    await one.rooms.stand_still(event_id, 0)
    await change(max_active=9)
    expected = len(line) - 3  # who sleeps, left, was revoked
    await until(calls, lambda made: len(made) >= expected)

    return await until(lambda: sales.kept(one.history, event_id), noted)


async def test_the_replay_calls_the_same_fans_through_all_that_may_happen_to_a_sale(hard_sale):
    said = replay(hard_sale)
    assert said.differences == []
    assert said.unproved == 0
    assert said.passed_over >= 3
    assert {tick.generation for tick in hard_sale.ticks} == {1, 2}


async def test_the_exported_log_has_joins_calls_accepts_ends_in_order_and_names_no_fan(sale):
    text = b"".join(await sales.lines_of(sale)).decode()
    assert "fan" not in text
    whats = re.findall(r'"what":"(\w+)"', text)
    assert whats[0] == "sale"
    assert {what: whats.count(what) for what in set(whats) - SEEN} == {
        "sale": 1,
        "join": FANS,
        "call": FANS - 1,
        "accept": 1,
        "end": 1,
        "gone": 1,
    }
    times = [int(at) for at in re.findall(r'"at":(\d+)', text)]
    assert times == sorted(times)
    again = read(text.encode().splitlines())
    assert (again.ticks, again.turns) == (sale.ticks, sale.turns)


async def test_the_recorded_crowd_comes_as_it_came_and_other_settings_are_tried_on_it(
    sale, tmp_path, capsys
):
    log, report = tmp_path / "sale.jsonl", tmp_path / "report.html"
    log.write_bytes(b"".join(await sales.lines_of(sale)))
    words = ["simulate", "--log", str(log), "--out", str(report), "--setting", "pace=60,cap=3"]
    assert await asyncio.to_thread(main, words) == 0
    said = capsys.readouterr().out
    assert "the policy makes the same" in said
    assert recorded.NAME in said
    assert "pace=60,<wbr>cap=3" in report.read_text()


async def test_a_log_that_was_edited_is_refused(sale, tmp_path, capsys):
    log = tmp_path / "sale.jsonl"
    lines = await sales.lines_of(sale)
    log.write_bytes(b"".join(lines[:3] + lines[4:]))
    words = ["simulate", "--log", str(log), "--out", str(tmp_path / "report.html")]
    assert await asyncio.to_thread(main, words) == 2
    assert "line 4 was changed" in capsys.readouterr().err


async def test_the_command_exports_what_the_nodes_kept(
    sale, database_url, redis_url, monkeypatch, tmp_path
):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    out = tmp_path / "sale.jsonl"
    words = ["log", "export", "--event", sale.event_id, "--out", str(out)]
    assert await asyncio.to_thread(main, words) == 0
    assert replay(read(out.read_bytes().splitlines())).differences == []
    assert await asyncio.to_thread(main, ["log", "export", "--event", "nothing"]) == 2


async def test_an_operator_reads_the_log_from_a_running_server_and_nobody_else(
    served, fan, sale, monkeypatch, tmp_path
):
    monkeypatch.setenv("ONSALE_ADMIN_TOKEN", ADMIN_TOKEN)
    out = tmp_path / "sale.jsonl"
    words = ["log", "export", "--url", served, "--event", sale.event_id, "--out", str(out)]
    assert await asyncio.to_thread(main, words) == 0
    assert read(out.read_bytes().splitlines()).ticks == sale.ticks
    path = f"/admin/events/{sale.event_id}/log"
    assert (await fan().get(path)).status_code == 401
    assert (await fan().get("/admin/events/ev_nothing/log", headers=BEARER)).status_code == 404


async def test_the_command_says_when_no_server_gives_the_log(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("ONSALE_ADMIN_TOKEN", "t" * 32)
    words = ["log", "export", "--event", "arena", "--url", "http://127.0.0.1:9"]
    assert await asyncio.to_thread(main, words) == 2
    assert "does not give this log" in capsys.readouterr().err
