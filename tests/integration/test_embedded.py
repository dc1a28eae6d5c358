"""The embedded servers as their user meets them: where the data is, who gets in, what is said."""

import os
import stat
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg
import psycopg
import pytest
import redis

from app.embedded import identity
from app.embedded.errors import AlreadyRunning, EmbeddedError, NoServerProgram, ServerFailed
from app.embedded.services import EmbeddedServices

# Every way in which this user can run the servers on this machine.
WAYS = list(
    dict.fromkeys([identity.choose(), *([identity.as_nobody()] if os.geteuid() == 0 else [])])
)


def remember(services: EmbeddedServices) -> None:
    with psycopg.connect(services.database_url) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('seat')")
    with redis.Redis.from_url(services.redis_url) as client:
        client.set("kept", "place")


def remembered(services: EmbeddedServices) -> tuple[str, str]:
    with psycopg.connect(services.database_url) as connection:
        word = connection.execute("SELECT word FROM kept").fetchone()[0]
    with redis.Redis.from_url(services.redis_url) as client:
        return word, client.get("kept").decode()


def everything_under(folder: Path) -> list[Path]:
    return [folder, *folder.rglob("*")]


def test_data_stays_between_runs_and_through_restarts(tmp_path):
    with EmbeddedServices(tmp_path / "data") as services:
        remember(services)
        services.restart_postgres()
        services.restart_valkey()
        assert remembered(services) == ("seat", "place")
    with EmbeddedServices(tmp_path / "data") as services:
        assert remembered(services) == ("seat", "place")


def test_stopping_twice_and_before_the_start_does_nothing(tmp_path):
    services = EmbeddedServices(tmp_path, durable=False, kinds=["valkey"])
    services.stop()
    services.start()
    pid = services.pid_of("valkey")
    services.stop()
    services.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_one_server_alone_can_be_had(tmp_path):
    with EmbeddedServices(tmp_path, durable=False, kinds=["valkey"]) as services:
        with redis.Redis.from_url(services.redis_url) as client:
            assert client.ping()
        with pytest.raises(KeyError):
            _ = services.database_url


def test_nodes_that_need_no_server_may_share_a_folder(tmp_path):
    with EmbeddedServices(tmp_path, kinds=[]), EmbeddedServices(tmp_path, kinds=[]):
        assert not list(tmp_path.iterdir())


def test_nobody_else_gets_in_and_no_port_is_opened(services):
    with psycopg.connect(services.database_url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SHOW jit").fetchone() == ("off",)
    with redis.Redis.from_url(services.redis_url) as client:
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    for path in everything_under(services.data_dir):
        open_to_others = stat.S_IMODE(path.lstat().st_mode) & 0o077
        assert path.is_symlink() or not path.is_dir() or not open_to_others, path


def test_a_second_instance_learns_which_process_uses_the_data(tmp_path):
    with EmbeddedServices(tmp_path, durable=False, kinds=["valkey"]) as first:
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}") as refused:
            EmbeddedServices(tmp_path, kinds=["valkey"]).start()
        assert "ONSALE_DATA_DIR" in str(refused.value)
        assert first.pid_of("valkey")


async def test_the_users_own_postgres_settings_do_not_lead_elsewhere(services, monkeypatch):
    for name, value in {"PGPORT": "6543", "PGHOST": "/nowhere", "PGDATABASE": "theirs"}.items():
        monkeypatch.setenv(name, value)
    with psycopg.connect(services.database_url) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("onsale",)
    connection = await asyncpg.connect(services.database_url)
    assert await connection.fetchval("SELECT current_database()") == "onsale"
    await connection.close()


def test_a_path_too_long_for_sockets_gets_a_short_private_folder(tmp_path):
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    with EmbeddedServices(deep, durable=False) as services:
        remember(services)
        sockets = Path(unquote(urlsplit(services.redis_url).path)).parent
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert not sockets.exists()


@pytest.mark.parametrize("name", ['a b%20"c"?#&é', "a,b"])
def test_a_path_with_odd_characters_works(tmp_path, name):
    with EmbeddedServices(tmp_path / name, durable=False) as services:
        remember(services)
        assert remembered(services) == ("seat", "place")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.how)
def test_a_private_home_stays_private_and_its_files_are_the_servers(tmp_path, way):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with EmbeddedServices(home / "data", durable=False, identity=way) as services:
        remember(services)
        assert remembered(services) == ("seat", "place")
        owners = {path.lstat().st_uid for path in everything_under(home / "data" / "postgres")}
    assert owners == {way.uid}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_data_outlives_a_change_of_who_runs_the_servers(tmp_path):
    for number, way in enumerate([*WAYS, WAYS[0]]):
        with EmbeddedServices(tmp_path / "data", durable=False, identity=way) as services:
            if number == 0:
                with psycopg.connect(services.database_url) as connection:
                    connection.execute("CREATE TABLE seen (way text)")
            with psycopg.connect(services.database_url) as connection:
                connection.execute("INSERT INTO seen VALUES (%s)", [way.how])
                seen = connection.execute("SELECT count(*) FROM seen").fetchone()[0]
    assert seen == len(WAYS) + 1


@pytest.mark.parametrize(
    ("kind", "variable"), [("postgres", "DATABASE_URL"), ("valkey", "REDIS_URL")]
)
def test_a_platform_without_a_wheel_is_told_what_to_set(tmp_path, monkeypatch, kind, variable):
    monkeypatch.setattr(f"app.embedded.{kind}.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoServerProgram, match=variable):
        EmbeddedServices(tmp_path / "data", kinds=[kind]).start()


def test_without_a_wheel_a_server_on_the_path_is_taken(tmp_path, monkeypatch):
    theirs = tmp_path / "redis-server"
    theirs.touch(mode=0o700)
    monkeypatch.setattr("app.embedded.valkey.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerFailed) as failed:  # taken, and it is no server at all
        EmbeddedServices(tmp_path / "data", kinds=["valkey"]).start()
    assert "launch.py" in str(failed.value)


def test_a_server_that_ends_at_once_shows_its_last_words(tmp_path):
    with (
        EmbeddedServices(tmp_path, kinds=["valkey"]) as services,
        redis.Redis.from_url(services.redis_url) as client,
    ):
        client.set("kept", "place")
    for part in tmp_path.glob("valkey/appendonlydir/*.manifest"):
        part.write_text("nonsense\n")
    with pytest.raises(ServerFailed, match="AOF manifest") as failed:
        EmbeddedServices(tmp_path, kinds=["valkey"]).start()
    assert str(tmp_path / "logs" / "valkey.log") in str(failed.value)


def test_data_of_another_major_version_is_left_alone(tmp_path):
    (tmp_path / "postgres").mkdir(mode=0o700)
    (tmp_path / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedError, match=r"written by PostgreSQL 9.*pg_upgrade"):
        EmbeddedServices(tmp_path, kinds=["postgres"]).start()


def test_a_process_number_that_came_back_does_not_block_the_start(tmp_path):
    """Not our own number: PostgreSQL takes that of its parent for a coincidence anyway."""
    stale = tmp_path / "postgres" / "postmaster.pid"
    with EmbeddedServices(tmp_path, durable=False, kinds=["postgres"]):
        _, *rest = stale.read_text().splitlines()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as somebody_else:
        stale.write_text("\n".join([str(somebody_else.pid), *rest]))
        with EmbeddedServices(tmp_path, durable=False, kinds=["postgres"]) as services:
            assert services.pid_of("postgres")
