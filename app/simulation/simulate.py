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

from app.simulation import recorded
from app.simulation.figures import Figures, figures
from app.simulation.recorded import NothingRecorded
from app.simulation.report import MOST_SETTINGS, html, share, span
from app.simulation.setting import BadSetting, Setting, parse
from waiting_room.history.lines import BadLog, read
from waiting_room.history.model import Sale
from waiting_room.history.replay import replay
from waiting_room.simulation.crowd import CrowdModel, draw
from waiting_room.simulation.engine import simulate
from waiting_room.simulation.model import Crowd

MOST_FANS = 2_000_000
MINUTE_MS = 60_000
USUAL_SETTINGS = ("pace=300,cap=2000", "pace=600,cap=2000", "pace=600,cap=4000")
BAD_USAGE = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fans", type=int, default=30_000, help=f"at most {MOST_FANS:,}")
    parser.add_argument("--seats", type=int, default=None, help="tickets there are")
    parser.add_argument("--early", type=_share, default=0.6, help="share that comes at the opening")
    parser.add_argument("--no-shows", type=_share, default=0.1, help="share that never answers")
    parser.add_argument("--give-up", type=_share, default=0.1, help="share with limited patience")
    parser.add_argument("--shopping", type=float, default=5.0, help="minutes, on average")
    parser.add_argument(
        "--setting",
        action="append",
        metavar="pace=300,cap=2000,20:pace=600",
        help=f"pace a minute, cap, accept (s), shop (min), paused, go; N: from minute N on; "
        f"repeat to compare, at most {MOST_SETTINGS}",
    )
    parser.add_argument("--log", type=Path, help="a sale from `onsale log export`, as the crowd")
    parser.add_argument("--seed", type=int, default=1, help="the same seed is the same crowd")
    parser.add_argument("--out", type=Path, default=Path("simulation.html"))


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value


def run(args: argparse.Namespace) -> int:
    """0; 1 when a recorded sale made other calls than the policy; 2 when it is not understood."""
    try:
        settings = _settings(args)
        sale = _recorded(args.log) if args.log else None
        crowd, about = _crowd_of(sale, args) if sale else (_model_crowd(args), _about(args))
    except (BadSetting, BadLog, NothingRecorded) as exc:
        sys.stderr.write(f"onsale: {exc}\n")
        return BAD_USAGE
    differences = _print_replay(sale) if sale else 0
    if sale:
        settings.insert(0, recorded.setting(sale))
    made = [_one(crowd, setting, args.seats) for setting in settings]
    args.out.write_text(html(about, made, seats=args.seats), "utf-8")
    print(f"{args.out}: the report with its charts")
    return 1 if differences else 0


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
    if not 1 <= args.fans <= MOST_FANS:
        raise BadSetting(f"--fans is 1 to {MOST_FANS:,}")
    return [parse(text) for text in texts]


def _one(crowd: Crowd, setting: Setting, seats: int | None) -> Figures:
    began = time.perf_counter()
    outcome = simulate(crowd, setting.terms, seats=seats)
    made = figures(setting.name, crowd, setting.terms, outcome)
    waits = " / ".join(span(ms) for ms in made.wait_ms or (None, None, None))
    print(
        f"{made.name}: waits {waits} (50, 90, 99 %), last turn {span(made.empty_ms)}, "
        f"at most {made.peak_busy:,} at once, no-shows {share(made.no_shows, made.called)}, "
        f"sold out {span(made.sold_out_ms)}; {time.perf_counter() - began:.1f} s to simulate"
    )
    return made


def _model_crowd(args: argparse.Namespace) -> Crowd:
    model = CrowdModel(
        fans=args.fans,
        at_opening_share=args.early,
        no_show_share=args.no_shows,
        gives_up_share=args.give_up,
        shopping_ms=int(args.shopping * MINUTE_MS),
    )
    return draw(model, default_rng(args.seed))


def _about(args: argparse.Namespace) -> str:
    tickets = f"{args.seats:,} tickets" if args.seats else "tickets for all who want some"
    return (
        f"{args.fans:,} fans and {tickets}. {args.early:.0%} come at the opening, the others "
        f"later; {args.no_shows:.0%} never answer a call, {args.give_up:.0%} give up when it takes "
        f"too long; shopping takes {args.shopping:g} minutes on average. Seed {args.seed}."
    )
