"""Secrets that a node makes for itself when nobody gave it any: files of mode 0600."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from config.settings import Settings, plain


def secrets_of(settings: Settings) -> tuple[str, str]:
    """(the secret that keys derive from, the admin token), made once if nobody set them."""
    return (
        plain(settings.secret) or read_or_make(settings.data_dir / "secret"),
        plain(settings.admin_token) or read_or_make(settings.data_dir / "admin-token"),
    )


def admin_token_of(settings: Settings) -> str:
    """Of the server that runs with these settings. Raises OSError if it never ran."""
    given = plain(settings.admin_token)
    return given or (settings.data_dir / "admin-token").read_text("utf-8").strip()


def read_or_make(path: Path) -> str:
    """The secret in `path`, made on the first call. Two processes that race get the same one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    if not path.exists():
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(secrets.token_urlsafe(32))
        try:
            os.link(fresh, path)  # fails when another process was faster: then its secret counts
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text("utf-8").strip()
