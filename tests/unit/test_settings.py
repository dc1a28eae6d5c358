"""Settings: all problems at once, no unknown name, no secret in a message."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.serve.sockets import PEER_TIMEOUT_S
from config.settings import BadSettings, Settings, for_children, load
from core.live.hub import BEAT_EVERY_S
from waiting_room.policy import RESTORE_MS

EXAMPLE = Path(__file__).parents[2] / "config" / "example.env"


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in ("REDIS_URL", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_without_any_the_defaults_serve_a_newcomer():
    settings = load()
    assert (settings.host, settings.port, settings.demo) == ("127.0.0.1", 8000, True)


def test_what_the_code_does_unasked_is_what_the_settings_say():
    defaults = load()
    assert (defaults.beat_every_s, defaults.peer_timeout_s) == (BEAT_EVERY_S, PEER_TIMEOUT_S)
    assert defaults.restore_s * 1000 == RESTORE_MS


def test_the_command_line_beats_the_environment(monkeypatch):
    monkeypatch.setenv("ONSALE_PORT", "1234")
    assert load().port == 1234
    assert load(port=4321).port == 4321


def test_all_problems_are_reported_together(monkeypatch):
    monkeypatch.setenv("ONSALE_PORT", "high")
    monkeypatch.setenv("ONSALE_MAX_CONECTIONS", "10")
    monkeypatch.setenv("ONSALE_SECRET", "too-short-to-be-one")
    with pytest.raises(BadSettings) as refused:
        load()
    for name in ("ONSALE_PORT", "ONSALE_MAX_CONECTIONS", "ONSALE_SECRET"):
        assert name in str(refused.value)
    assert "too-short-to-be-one" not in str(refused.value)


def test_a_store_address_with_our_prefix_is_refused_rather_than_ignored(monkeypatch):
    monkeypatch.setenv("ONSALE_REDIS_URL", "redis://elsewhere")
    with pytest.raises(BadSettings, match="ONSALE_REDIS_URL: no such setting"):
        load()


def test_production_refuses_development_values(monkeypatch):
    monkeypatch.setenv("ONSALE_ENV", "production")
    with pytest.raises(
        BadSettings, match="secret, admin_token, public_url, redis_url, database_url"
    ):
        load()


def test_a_public_url_must_be_an_origin(monkeypatch):
    monkeypatch.setenv("ONSALE_PUBLIC_URL", "https://tickets.test/shop")
    with pytest.raises(BadSettings, match="without a path"):
        load()


def test_cookies_are_secure_behind_https():
    assert load(public_url="https://tickets.test").secure_cookies
    assert not load().secure_cookies


def test_the_example_names_every_setting_with_its_default(monkeypatch):
    lines = EXAMPLE.read_text().splitlines()
    said = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    prefixed = {f"ONSALE_{name.upper()}" for name in Settings.model_fields if "_url" not in name}
    assert set(said) == prefixed | {"ONSALE_PUBLIC_URL", "REDIS_URL", "DATABASE_URL"}
    defaults = load()
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert load() == defaults


def test_a_child_loads_what_its_parent_has_settled(monkeypatch, tmp_path):
    monkeypatch.setenv("ONSALE_LOG_LEVEL", "debug")
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere")
    monkeypatch.setenv("LANG", "C")
    settled = load(demo=False, workers=3, data_dir=tmp_path, secret="s" * 40).model_copy(
        update={"redis_url": SecretStr("unix:///run/valkey.sock"), "database_url": None}
    )
    given = for_children(settled)
    for name in os.environ:
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert load() == settled
    assert os.environ["LANG"] == "C"
