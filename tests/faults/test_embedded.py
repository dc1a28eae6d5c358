"""The embedded servers when somebody kills something, and for every kind of user."""

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
import pytest
import redis

from app.embedded import identity, lock
from app.embedded.services import EmbeddedServices
from tests.waiting import wait_until

DEADLINE_S = 60.0
UID_WITHOUT_ACCOUNT = 54321

# Starts the servers, says who they are, and goes on until its input ends.
PARENT = """
import json, os, sys
from pathlib import Path
from app.embedded.services import EmbeddedServices

with EmbeddedServices(Path(sys.argv[1]), durable=False) as services:
    uid = [line for line in open(f"/proc/{services.pid_of('postgres')}/status") if "Uid" in line]
    json.dump(
        {
            "pids": [services.pid_of("postgres"), services.pid_of("valkey")],
            "server_uid": int(uid[0].split()[1]),
            "parent_uid": os.geteuid(),
            "database_url": services.database_url,
        },
        sys.stdout,
    )
    print(flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def stack():
    with ExitStack() as undo:
        yield undo


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "data"


def start_parent(
    stack: ExitStack, folder: Path, *, wrapped: Sequence[str] = ()
) -> tuple[subprocess.Popen[str], dict]:
    command = [*wrapped, sys.executable, "-c", PARENT, str(folder)]
    parent = stack.enter_context(
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    )
    stack.callback(parent.kill)
    line = parent.stdout.readline()
    assert line, "the parent did not start its servers"
    return parent, json.loads(line)


def handles_of(stack: ExitStack, pids: Sequence[int]) -> list[int]:
    """Handles that go on meaning these processes when others get their numbers."""
    handles = [os.pidfd_open(pid) for pid in pids]
    for handle in handles:
        stack.callback(os.close, handle)
    return handles


def wait_gone(handles: Sequence[int]) -> None:
    for handle in handles:
        ended, _, _ = select.select([handle], [], [], DEADLINE_S)
        assert ended, "a process did not end"


@pytest.mark.parametrize("kind", ["postgres", "valkey"])
def test_a_killed_server_comes_back_with_its_data(folder, kind):
    with EmbeddedServices(folder) as services:
        with psycopg.connect(services.database_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 'seat' AS word")
        with redis.Redis.from_url(services.redis_url) as client:
            client.set("kept", "place")
        killed = services.pid_of(kind)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: is_up(services, kind, other_than=killed))
        with psycopg.connect(services.database_url) as connection:
            assert connection.execute("SELECT word FROM kept").fetchone() == ("seat",)
        with redis.Redis.from_url(services.redis_url) as client:
            assert client.get("kept") == b"place"


def test_a_server_killed_again_and_again_comes_back_each_time(folder):
    with EmbeddedServices(folder, durable=False, kinds=["valkey"]) as services:
        for _ in range(3):
            killed = services.pid_of("valkey")
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda killed=killed: is_up(services, "valkey", other_than=killed))


def is_up(services: EmbeddedServices, kind: str, *, other_than: int) -> bool:
    try:
        return services.pid_of(kind) != other_than
    except LookupError:
        return False


def test_no_server_outlives_a_killed_parent_and_the_next_one_has_the_data(stack, folder):
    parent, said = start_parent(stack, folder)
    with psycopg.connect(said["database_url"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'seat' AS word")
    handles = handles_of(stack, said["pids"])
    parent.kill()
    # Dead and not yet reaped: its number still names it, and its servers are on their way out.
    wait_gone(handles_of(stack, [parent.pid]))
    with EmbeddedServices(folder, durable=False) as services:
        wait_gone(handles)
        with psycopg.connect(services.database_url) as connection:
            assert connection.execute("SELECT word FROM kept").fetchone() == ("seat",)


def test_the_folder_is_taken_until_the_last_server_has_gone(stack, folder):
    parent, said = start_parent(stack, folder)
    slow = said["pids"][1]
    handles = handles_of(stack, [parent.pid, slow])
    stack.callback(wake, handles[1])
    os.kill(slow, signal.SIGSTOP)
    parent.kill()
    wait_gone(handles[:1])
    assert is_locked(folder / lock.SERVERS_FILE)
    os.kill(slow, signal.SIGCONT)
    wait_gone(handles)
    wait_until(lambda: not is_locked(folder / lock.SERVERS_FILE))


def wake(handle: int) -> None:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, signal.SIGCONT)


def is_locked(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_parent_that_is_asked_to_end_leaves_nothing_running(stack, folder):
    parent, said = start_parent(stack, folder)
    handles = handles_of(stack, said["pids"])
    parent.stdin.close()
    assert parent.wait(DEADLINE_S) == 0
    wait_gone(handles)


def test_a_ctrl_c_in_the_terminal_does_not_reach_the_servers(folder):
    with EmbeddedServices(folder, durable=False, kinds=["valkey"]) as services:
        assert os.getpgid(services.pid_of("valkey")) != os.getpgid(0)


def test_servers_started_from_a_thread_outlive_it(folder):
    services = EmbeddedServices(folder, durable=False, kinds=["valkey"])
    thread = threading.Thread(target=services.start)
    thread.start()
    thread.join()
    try:
        with redis.Redis.from_url(services.redis_url) as client:
            assert client.info("server")["process_id"] == services.pid_of("valkey")
    finally:
        services.stop()


if os.geteuid() == 0:

    def test_an_ordinary_user_runs_the_servers_as_themselves(stack, folder):
        parent, said = start_parent(stack, folder, wrapped=ordinary_user())
        assert said["parent_uid"] != 0
        assert said["server_uid"] == said["parent_uid"]
        parent.stdin.close()
        assert parent.wait(DEADLINE_S) == 0

    def test_a_user_without_an_account_can_run_them_where_namespaces_are_allowed(stack, folder):
        allowed = identity.namespaces_allowed()
        stranger = [f"--map-user={UID_WITHOUT_ACCOUNT}", f"--map-group={UID_WITHOUT_ACCOUNT}"]
        wrapped = ["unshare", "--user", *stranger] if allowed else []
        _, said = start_parent(stack, folder, wrapped=wrapped)
        assert said["parent_uid"] == (UID_WITHOUT_ACCOUNT if allowed else 0)

    def test_root_without_user_namespaces_runs_them_as_nobody_and_leaves_no_orphan(stack, folder):
        parent, said = start_parent(stack, folder, wrapped=root_without_namespaces(stack))
        assert said["parent_uid"] == 0
        assert said["server_uid"] == identity.as_nobody().uid
        handles = handles_of(stack, said["pids"])
        parent.kill()
        wait_gone(handles)


def ordinary_user() -> list[str]:
    """What to put before a command to run it as somebody who is not root and has no powers."""
    allowed = identity.namespaces_allowed()
    who = identity.in_namespace() if allowed else identity.as_nobody()
    return who.launcher(stop_signal=signal.SIGTERM)


def root_without_namespaces(stack: ExitStack) -> list[str]:
    """What to put before a command to run it as root where no user namespace can be made.

    A namespace in which everybody is mapped to themselves, with its own limit of namespaces: 0.
    """
    if not identity.namespaces_allowed():
        return []
    holder = stack.enter_context(
        subprocess.Popen(
            ["unshare", "--user", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    )
    stack.callback(holder.kill)
    holder.stdin.write(b"are you there?\n")
    holder.stdin.flush()
    assert holder.stdout.readline()
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{holder.pid}/{name}").write_text("0 0 65536")
    enter = ["nsenter", "--user", "--target", str(holder.pid), "--setuid", "0", "--setgid", "0"]
    forbid = "echo 0 > /proc/sys/user/max_user_namespaces && ! unshare --user true"
    subprocess.run([*enter, "sh", "-c", forbid], check=True, stderr=subprocess.DEVNULL)
    return enter
