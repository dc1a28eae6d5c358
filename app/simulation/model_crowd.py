"""The model crowd as the command line says it, and in words for the report."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from typing import Any

from app.arguments import number, whole
from waiting_room.simulation.crowd import CrowdModel

MOST_FANS = 2_000_000
MINUTE_MS = 60_000
MOST_MINUTES = 24 * 60
USUAL = CrowdModel(fans=30_000)
SHARES = (
    ("--early", "at_opening_share", "share that comes at the opening"),
    ("--no-shows", "no_show_share", "share that never answers"),
    ("--give-up", "gives_up_share", "share with limited patience"),
    ("--asleep", "asleep_share", "share whose phone falls asleep while they wait"),
    ("--offline", "offline_share", "share whose network is gone for a moment"),
    ("--closed", "closed_share", "share that closes the tab for good"),
)
MINUTES = (
    ("--shopping", "shopping_ms", "minutes, on average"),
    ("--sleep", "asleep_ms", "minutes that a phone is asleep, on average"),
    ("--grace", "grace_ms", "minutes that who is not there still counts as present"),
)


class BadCrowd(ValueError):
    """No crowd is like that; the message says why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Each under the name of a field of CrowdModel; None: nothing was said."""
    group = parser.add_argument_group("a model crowd, where there is no --log")
    group.add_argument("--fans", type=whole(1, MOST_FANS), help=f"{USUAL.fans:,} if not said")
    for flag, name, what in SHARES:
        what = f"{what}; {getattr(USUAL, name):g} if not said"
        group.add_argument(flag, dest=name, type=number(0, 1), metavar="SHARE", help=what)
    for flag, name, what in MINUTES:
        what = f"{what}; {getattr(USUAL, name) / MINUTE_MS:g} if not said"
        group.add_argument(flag, dest=name, type=_minutes, metavar="MINUTES", help=what)


def said(args: argparse.Namespace) -> dict[str, Any]:
    """What was said about the crowd."""
    names = [field.name for field in fields(CrowdModel)]
    return {name: value for name in names if (value := getattr(args, name, None)) is not None}


def model(args: argparse.Namespace) -> CrowdModel:
    """Raises BadCrowd."""
    made = replace(USUAL, **said(args))
    if made.asleep_share + made.offline_share + made.closed_share > 1:
        raise BadCrowd(
            "--asleep, --offline and --closed are shares of one crowd: at most 1 together"
        )
    return made


def about(crowd: CrowdModel, *, seats: int | None, seed: int) -> str:
    tickets = f"{seats:,} tickets" if seats else "tickets for all who want some"
    return (
        f"{crowd.fans:,} fans and {tickets}. {crowd.at_opening_share:.0%} come at the opening, the "
        f"others later; {crowd.no_show_share:.0%} never answer a call, {crowd.gives_up_share:.0%} "
        f"give up when it takes too long; shopping takes {_min(crowd.shopping_ms)} minutes on "
        f"average. While they wait, {crowd.asleep_share:.0%} have a phone that falls asleep for "
        f"{_min(crowd.asleep_ms)} minutes, {crowd.offline_share:.0%} lose the network for "
        f"{_min(crowd.offline_ms)} minutes, {crowd.closed_share:.0%} close the tab; who is not "
        f"back within the grace of {_min(crowd.grace_ms)} minutes is away. All of this is assumed, "
        f"not measured. Seed {seed}."
    )


def _min(ms: int) -> str:
    return f"{ms / MINUTE_MS:g}"


def _minutes(text: str) -> int:
    return round(number(0, MOST_MINUTES)(text) * MINUTE_MS)
