"""The command line: `onsale serve | migrate | seed | console | keys | rehearse | simulate | …`."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from app import console, keys, logs
from app.embedded.errors import EmbeddedError
from app.main import Addresses, Node
from app.rehearsal import attack, crowd, rehearse
from app.secrets import secrets_of
from app.serve.run import serve, stores
from app.simulation import log, simulate
from config.settings import BadSettings, Settings, load
from core.migrate import migrate
from core.redis import TooOld
from waiting_room.draw import verify_draw

BAD_USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    if args.command == "verify-draw":  # needs no settings: anybody's draw, anywhere
        return verify_draw.main(args.sources)
    try:
        settings = load(**_said(args))
        logs.configure(level=settings.log_level, json=settings.env == "production")
        return _COMMANDS[args.command](args, settings)
    except (BadSettings, EmbeddedError, TooOld) as exc:
        sys.stderr.write(f"onsale: {exc}\n")
        return BAD_USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="onsale", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("serve", help="run a node, with its own stores if none are given")
    run.add_argument("--host")
    run.add_argument("--port", type=int)
    run.add_argument("--workers", type=int, help="processes, each a node; SIGHUP restarts them")
    run.add_argument("--no-crowd", action="store_true", help="no simulated fans in the arena")
    run.add_argument("--no-demo", action="store_true", help="no demo events and no crowd")
    commands.add_parser("migrate", help="bring the schema up to date")
    seed = commands.add_parser("seed", help="load the demo events")
    seed.add_argument("--fresh", action="store_true", help="throw all embedded data away first")
    link = commands.add_parser("console", help="another one-time link to a server's console")
    console.add_arguments(link)
    keys.add_arguments(commands.add_parser("keys", help="the keys that sign admission passes"))
    rehearse.add_arguments(commands.add_parser("rehearse", help="simulated fans, then an audit"))
    simulate.add_arguments(
        commands.add_parser("simulate", help="settings compared on a virtual clock, with a report")
    )
    draw = commands.add_parser("verify-draw", help="check a draw without trusting who ran it")
    draw.add_argument("sources", nargs="+", metavar="FILE_OR_URL")
    log.add_arguments(commands.add_parser("log", help="the log of a sale, to audit and to replay"))
    fans = commands.add_parser("crowd", help="the gentle crowd of the demo")
    fans.add_argument("--url", required=True)
    fans.add_argument("--guests", type=Path, required=True, help="a file: who of them may be in")
    return parser


def _said(args: argparse.Namespace) -> dict[str, object]:
    """What was said on the command line, under the names of the settings."""
    said = {name: getattr(args, name, None) for name in ("host", "port", "workers")}
    if getattr(args, "no_demo", False):
        said |= {"demo": False, "crowd": False}
    if getattr(args, "no_crowd", False):
        said["crowd"] = False
    return {name: value for name, value in said.items() if value is not None}


def _serve(_: argparse.Namespace, settings: Settings) -> int:
    return serve(settings)


def _migrate(_: argparse.Namespace, settings: Settings) -> int:
    with stores(settings) as addresses:
        applied = migrate(addresses.database_url)
    print("\n".join(applied) or "nothing to do")
    return 0


def _seed(args: argparse.Namespace, settings: Settings) -> int:
    if args.fresh:
        if settings.redis_url or settings.database_url:
            sys.stderr.write("onsale: --fresh only throws embedded data away, and this is not\n")
            return BAD_USAGE
        with stores(settings):  # refuses while another instance uses the data
            pass
        shutil.rmtree(settings.data_dir)
    with stores(settings) as addresses:
        migrate(addresses.database_url)
        asyncio.run(_load_demo(settings, addresses))
    return 0


async def _load_demo(settings: Settings, addresses: Addresses) -> None:
    secret, admin_token = secrets_of(settings)
    node = await Node.open(settings, addresses, secret=secret, admin_token=admin_token)
    try:
        await node.seed_demo()
    finally:
        await node.close()


def _keys(args: argparse.Namespace, settings: Settings) -> int:
    with stores(settings) as addresses:
        asyncio.run(keys.run(args, addresses.database_url))
    return 0


def _console(args: argparse.Namespace, settings: Settings) -> int:
    return console.run(args, settings)


def _rehearse(args: argparse.Namespace, settings: Settings) -> int:
    if args.attack:
        return _attack(args.fans, settings)
    return rehearse.run(args, settings)


def _log(args: argparse.Namespace, settings: Settings) -> int:
    if args.url:
        return log.from_server(args, settings)
    with stores(settings) as addresses:
        return log.kept(args, addresses.database_url)


def _attack(fans: int, settings: Settings) -> int:
    logs.configure(level="warning", json=False)  # its refusals are what it counts
    with tempfile.TemporaryDirectory(prefix="onsale-attack-") as folder:
        own = attack.settings_for(settings, folder, limited=True)
        with stores(own) as addresses:
            migrate(addresses.database_url)
            outcomes = asyncio.run(attack.run(own, addresses, fans))
    attack.print_table(outcomes)
    return 0


def _simulate(args: argparse.Namespace, _: Settings) -> int:
    return simulate.run(args)


def _crowd(args: argparse.Namespace, _: Settings) -> int:
    crowd.run(args.url, args.guests)
    return 0


_COMMANDS = {
    "serve": _serve,
    "migrate": _migrate,
    "seed": _seed,
    "console": _console,
    "keys": _keys,
    "rehearse": _rehearse,
    "simulate": _simulate,
    "log": _log,
    "crowd": _crowd,
}

if __name__ == "__main__":
    sys.exit(main())
