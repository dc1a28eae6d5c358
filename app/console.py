"""`onsale console --url …`: another one-time link to the console of a running server.

`onsale serve` prints one at its start; a session ends after twelve hours, and a second operator
wants one too. The server makes the link: embedded stores belong to one process.
"""

from __future__ import annotations

import argparse
import sys

import httpx

from app.secrets import admin_token_of
from config.settings import Settings

BAD_USAGE = 2
TIMEOUT_S = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", required=True, help="of a running server, as browsers reach it")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """0; 2 when the server does not make one."""
    url = args.url.rstrip("/")
    try:
        reply = httpx.post(
            f"{url}/admin/console-links",
            json={},
            headers={"authorization": f"Bearer {admin_token_of(settings)}"},
            trust_env=False,
            timeout=TIMEOUT_S,
        )
        path = reply.raise_for_status().json()["path"]
    except (httpx.HTTPError, OSError) as exc:
        sys.stderr.write(f"onsale: {url} makes no console link: {exc}\n")
        return BAD_USAGE
    sys.stdout.write(f"{url}{path}  (works once, within 15 minutes)\n")
    return 0
