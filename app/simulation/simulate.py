"""`onsale simulate`: the same crowd under several settings, on a virtual clock, and a report.

The rules are the running room's (waiting_room/policy.py); the crowd is a model, or a recorded
sale. A million fans and three settings take seconds. A recorded sale is replayed first: the policy
must make the calls that were made.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from numpy.random import default_rng

from app.arguments import whole
from app.simulation import model_crowd, recorded
from app.simulation.figures import Figures, figures
from app.simulation.model_crowd import BadCrowd
from app.simulation.recorded import NothingRecorded
from app.simulation.report import MOST_SETTINGS, html, share, span
from app.simulation.setting import BadSetting, Setting, parse
from waiting_room.history.lines import BadLog, read
from waiting_room.history.model import Sale
from waiting_room.history.replay import replay
from waiting_room.simulation.crowd import draw
from waiting_room.simulation.engine import simulate
from waiting_room.simulation.model import Crowd

MOST_SEATS = 10_000_000
MOST_SEED = 2**32
USUAL_SETTINGS = ("pace=300,cap=2000", "pace=600,cap=2000", "pace=600,cap=4000")
BAD_USAGE = 2


class BadUsage(ValueError):
    """These arguments don't go together; the message says which."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--setting",
        action="append",
        metavar="pace=300,cap=2000,20:pace=600",
        help=f"pace a minute, cap, accept (s), shop (min), paused, go; N: from minute N on; "
        f"repeat to compare, at most {MOST_SETTINGS}",
    )
    parser.add_argument("--seats", type=whole(1, MOST_SEATS), help="tickets there are")
    parser.add_argument("--out", type=Path, default=Path("simulation.html"))
    parser.add_argument("--log", type=Path, help="a sale from `onsale log export`, as the crowd")
    model_crowd.add_arguments(parser)
    parser.add_argument(
        "--seed", type=whole(0, MOST_SEED), default=1, help="the same seed is the same crowd"
    )


def run(args: argparse.Namespace) -> int:
    """0; 1 when a recorded sale made other calls than the policy; 2 when it is not understood."""
    try:
        settings = _settings(args)
        _check_out(args.out)
        sale = _recorded(args.log) if args.log else None
        crowd, about = _crowd_of(sale, args) if sale else _model_crowd(args)
        if sale:
            settings = _with_its_own(sale, settings)
    except (BadSetting, BadUsage, BadCrowd, BadLog, NothingRecorded) as exc:
        sys.stderr.write(f"onsale: {exc}\n")
        return BAD_USAGE
    differences = _print_replay(sale) if sale else 0
    made = [_one(crowd, setting, args.seats) for setting in settings]
    args.out.write_text(html(about, made, seats=args.seats), "utf-8")
    print(f"{args.out}: the report with its charts")
    return 1 if differences else 0


def _check_out(path: Path) -> None:
    """Before a minute of work that could not be written down."""
    if path.is_dir() or not path.parent.is_dir():
        raise BadUsage(f"--out {path} is no file that can be written")


def _with_its_own(sale: Sale, settings: list[Setting]) -> list[Setting]:
    if not (both := [*recorded.settings(sale), *settings]):
        raise BadUsage("nobody stood in line in this log: name a --setting to try on its fans")
    return both


def _recorded(path: Path) -> Sale:
    try:
        with path.open("rb") as lines:
            return read(lines)
    except OSError as exc:
        raise BadLog(f"{path}: {exc.strerror}") from exc


def _crowd_of(sale: Sale, args: argparse.Namespace) -> tuple[Crowd, str]:
    crowd = recorded.crowd(sale, default_rng(args.seed))
    return crowd, (
        f"{len(crowd):,} fans as they came to {sale.event_id}, with what they did; those who were "
        f"never called do what others did. A ticket here is a booking, counted when its slot is "
        f"free again."
    )


def _print_replay(sale: Sale) -> int:
    said = replay(sale)
    unproved = f", to whom is not known of {said.unproved:,}" if said.unproved else ""
    print(
        f"replay of {said.ticks:,} ticks: the policy makes "
        f"{'other calls' if said.differences else 'the same'} ({said.calls:,} calls from the "
        f"queue{unproved}; {said.passed_over:,} places passed over, {said.came_back:,} came back)"
    )
    for difference in said.differences:
        print(f"  {difference}")
    return len(said.differences)


def _settings(args: argparse.Namespace) -> list[Setting]:
    texts = args.setting or (() if args.log else USUAL_SETTINGS)
    most = MOST_SETTINGS - bool(args.log)
    if len(texts) > most:
        raise BadSetting(f"at most {most} settings")
    if args.log and model_crowd.said(args):
        raise BadUsage("--log brings its own crowd: say nothing about a model crowd beside it")
    return [parse(text) for text in texts]


def _one(crowd: Crowd, setting: Setting, seats: int | None) -> Figures:
    began = time.perf_counter()
    outcome = simulate(crowd, setting.terms, seats=seats)
    made = figures(setting.name, crowd, setting.terms, outcome)
    waits = " / ".join(span(ms) for ms in made.wait_ms or (None, None, None))
    print(
        f"{made.name}: waits {waits} (50, 90, 99 %), last turn {span(made.empty_ms)}, "
        f"at most {made.peak_busy:,} at once, no-shows {share(made.no_shows, made.called)}, "
        f"{made.went_away:,} went away and {made.gone:,} were gone, "
        f"sold out {span(made.sold_out_ms)}; {time.perf_counter() - began:.1f} s to simulate"
    )
    return made


def _model_crowd(args: argparse.Namespace) -> tuple[Crowd, str]:
    model = model_crowd.model(args)
    about = model_crowd.about(model, seats=args.seats, seed=args.seed)
    return draw(model, default_rng(args.seed)), about
