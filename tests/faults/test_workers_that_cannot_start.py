"""A worker that can't start: at first that is the end; later the others go on."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack

import pytest

from app.serve.policy import MAX_FAILED_STARTS
from tests.running import alive, client_of
from tests.waiting import until

WHY = "this worker has no luck today"
# Python runs it before all else. What it stands for: a broken update, or a machine without memory.
UNLUCKY = f"""
import pathlib, sys
if "app.serve.worker" in sys.orig_argv and pathlib.Path(__file__).with_name("unlucky").exists():
    sys.exit("{WHY}")
"""
CANNOT_START = 1


@pytest.fixture
def luck(tmp_path):
    """(environment, file): while the file exists, no worker starts."""
    folder = tmp_path / "luck"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(UNLUCKY)
    return {"PYTHONPATH": str(folder)}, folder / "unlucky"


async def test_a_first_start_that_fails_says_why_and_ends_with_a_status(luck, onsale):
    env, unlucky = luck
    unlucky.touch()
    server = onsale(workers=2, env=env)
    assert await server.ends() == CANNOT_START
    assert WHY in server.said()
    assert "cannot start; it says why above" in server.said()


async def test_a_restart_that_fails_leaves_the_workers_that_serve(luck, onsale):
    env, unlucky = luck
    server = onsale(workers=2, env=env)
    before = server.workers()
    unlucky.touch()
    server.send(signal.SIGHUP)
    await until(lambda: "restart given up" in server.said())
    assert server.workers() == before
    async with client_of(server.url) as client:
        assert (await client.get("/health/ready")).status_code == 200


async def test_with_no_worker_left_it_tries_again_and_then_frees_the_port(luck, onsale):
    env, unlucky = luck
    server = onsale(workers=2, env=env)
    unlucky.touch()
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)
    assert await server.ends() == CANNOT_START
    assert server.said().count("before it served") >= MAX_FAILED_STARTS
    assert not any(map(alive, server.workers()))


async def test_a_worker_starts_once_it_can_while_the_other_serves(luck, onsale):
    env, unlucky = luck
    server = onsale(workers=2, env=env)
    victim, other = server.workers()
    unlucky.touch()
    os.kill(victim, signal.SIGKILL)
    await until(lambda: "next try in" in server.said())
    unlucky.unlink()
    await until(lambda: "serves again" in server.said())
    assert other in server.workers()


async def test_while_slots_have_no_worker_the_others_answer_for_them(luck, onsale):
    """From the first moment on, and while a worker that stood in for another is gone as well."""
    env, unlucky = luck
    server = onsale(workers=3, env=env)
    *victims, last = server.workers()
    unlucky.touch()
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
        await until(lambda: not alive(victim), what="it is gone")  # noqa: B023 (awaited here)
        await all_answer(server)
    await until(lambda: server.said().count("before it served") > 2)
    await all_answer(server)
    assert last in server.workers()


async def all_answer(server) -> None:
    """Many newcomers at once, so that some come to each queue."""
    async with AsyncExitStack() as opened:
        clients = [await opened.enter_async_context(client_of(server.url)) for _ in range(40)]
        replies = await asyncio.gather(*(client.get("/health/live") for client in clients))
    assert {reply.status_code for reply in replies} == {200}
