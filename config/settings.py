"""Settings: the only reader of the environment, read once, all problems reported together.

Names are `ONSALE_…`, and `REDIS_URL`, `DATABASE_URL` as everybody calls them. An unknown
`ONSALE_…` name is refused, since a misspelt limit is a limit that is not there.
"""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MIN_SECRET_CHARACTERS = 32
PREFIX = "ONSALE_"
MAX_WORKERS = 64
MAX_BEAT_EVERY_S = 50  # proxies end what is quiet for 60
MAX_RESTORE_S = 30.0  # the console says "within half a minute"
MAX_PEER_TIMEOUT_S = 600.0  # by itself Linux gives up after some 15 minutes
FOR_TESTS = {"ONSALE_TEST_REDIS"}


class BadSettings(Exception):
    """The message lists every problem, one a line, and never shows a secret."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    env: Literal["development", "production"] = "development"
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    workers: int = Field(1, ge=1, le=MAX_WORKERS)  # processes of this machine, each a node
    data_dir: Path = Path(".onsale")
    redis_url: SecretStr | None = Field(None, validation_alias="REDIS_URL")
    database_url: SecretStr | None = Field(None, validation_alias="DATABASE_URL")
    secret: SecretStr | None = None  # None: made once and kept in data_dir
    admin_token: SecretStr | None = None  # None: made once and kept in data_dir
    public_url: str = ""  # such as https://tickets.example: the only Origin then; sets Secure
    gateway_socket: Path | None = None  # None: serve starts the sandbox gateway itself
    demo: bool = True
    crowd: bool = True
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    pass_key_days: int = Field(30, ge=0)  # a new key signs passes so often; 0: only by hand
    max_connections: int = Field(10_000, ge=10)  # of one node, of every kind
    max_sockets_per_visitor: int = Field(10, ge=1)  # of an event; all four of one node
    max_sockets_per_address: int = Field(1_000, ge=0)  # 0: no limit
    max_streams_per_visitor: int = Field(10, ge=1)
    max_streams_per_address: int = Field(1_000, ge=0)
    joins_per_address: int = Field(100, ge=0)  # an hour and event; 0: no limit
    joins_per_network: int = Field(1_000, ge=0)  # likewise
    trusted_proxies: str = ""  # such as 127.0.0.1, 10.0.0.0/8: whose X-Forwarded-For counts
    drain_s: float = Field(6.0, ge=0)
    restore_s: float = Field(30.0, ge=0, le=MAX_RESTORE_S)
    beat_every_s: int = Field(25, ge=1, le=MAX_BEAT_EVERY_S)
    peer_timeout_s: float = Field(30.0, ge=1, le=MAX_PEER_TIMEOUT_S)

    @field_validator("public_url")
    @classmethod
    def _origin_only(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in {"http", "https"} or not parts.netloc or parts.path):
            raise ValueError("must be scheme://host[:port] without a path")
        return url

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, text: str) -> str:
        for part in filter(None, map(str.strip, text.split(","))):
            ip_network(part)
        return text

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value()) < MIN_SECRET_CHARACTERS:
            raise ValueError(f"must have at least {MIN_SECRET_CHARACTERS} characters")
        return secret

    @model_validator(mode="after")
    def _fit_for_production(self) -> Settings:
        if self.env != "production":
            return self
        missing = [
            name for name in ("secret", "admin_token", "public_url") if not getattr(self, name)
        ]
        missing += [n for n in ("redis_url", "database_url") if getattr(self, n) is None]
        if missing:
            raise ValueError(f"production needs {', '.join(missing)}: development values won't do")
        if self.demo or self.crowd:
            raise ValueError("production runs without ONSALE_DEMO and ONSALE_CROWD: set both to 0")
        return self

    @property
    def secure_cookies(self) -> bool:
        return self.public_url.startswith("https://")


def load(**said: object) -> Settings:
    """The settings of this process; `said` on the command line beats the environment.

    Raises BadSettings, listing every problem.
    """
    fields = Settings.model_fields.items()
    known = {PREFIX + name.upper() for name, field in fields if field.validation_alias is None}
    unknown = [n for n in os.environ if n.startswith(PREFIX) and n not in known | FOR_TESTS]
    problems = [f"{name}: no such setting" for name in sorted(unknown)]
    try:
        settings = Settings(**said)  # type: ignore[arg-type]
    except ValidationError as exc:
        for problem in exc.errors(include_url=False, include_input=False):
            name = "_".join(map(str, problem["loc"])).upper() or "settings"
            problems.append(f"{name if name.endswith('_URL') else PREFIX + name}: {problem['msg']}")
    if problems:
        raise BadSettings("\n".join(problems))
    return settings


def for_children(settings: Settings) -> dict[str, str]:
    """The environment of a process of ours that shall `load` the same settings as we have.

    Not simply our own one: the command line had its say, and `serve` has settled addresses.
    """
    given = {name: value for name, value in os.environ.items() if not _is_ours(name)}
    for name, field in Settings.model_fields.items():
        variable = str(field.validation_alias or PREFIX + name.upper())
        if (value := getattr(settings, name)) is not None:
            given[variable] = _written(value)
    return given


def plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _is_ours(name: str) -> bool:
    return name.startswith(PREFIX) or name in {"REDIS_URL", "DATABASE_URL"}


def _written(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(int(value)) if isinstance(value, bool) else str(value)
