"""What a change of pace or cap would do to those who wait now: for the operator, before it is made.

The same engine as everywhere, fed with the numbers of this moment. A long queue is *thinned*: with
k times fewer fans, k times fewer slots and all durations divided by k, the same pace gives the
same picture k times faster, and the waits are multiplied by k again. Tokens stay exact integers;
only the granularity of single fans is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator, default_rng

from waiting_room.policy import Limits
from waiting_room.simulation.engine import DAY_MS, simulate
from waiting_room.simulation.model import NEVER, Busy, Crowd, Ms, Terms

MOST_FANS = 20_000  # simulated one by one; more are thinned
LEAST_SLOTS = 40  # thinning stops where the cap would become this small
TICK_MS = 1_000
LOOK_AHEAD_MS = 2 * DAY_MS
ANSWER_SHARE = 0.25  # of the accept window, that those who come take on average


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomNow:
    """The present numbers of a room."""

    waiting: int  # present fans in the queue
    lobby: int = 0  # to be drawn at the opening; they come behind those who wait
    called: int  # called and not answered yet
    active_ends_ms: Sequence[int]  # for each shopper: ms from now until the admission ends
    no_show_share: float  # of recent calls, 0…1
    shopping_ms: Sequence[int] = ()  # recent times from accept to end; none known: half of shop_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """None: not within two days, so never as things stand."""

    p50_wait_ms: int | None  # of those who wait now
    p90_wait_ms: int | None
    lobby_p50_ms: int | None  # of those in the lobby, from the opening on
    lobby_p90_ms: int | None
    empty_ms: int | None  # until the last of both is called, if nobody joins
    peak_active: int  # most called and shopping at once from now on


def preview(
    now: RoomNow,
    limits: Limits,
    *,
    accept_ms: int,
    shop_ms: int,
    open_in_ms: int = 0,
    seed: int = 1,
) -> Preview:
    """What these limits do to the room as it is now. Ask twice to compare two settings.

    Args:
        limits: Pace and cap to try. With `open` false nobody is called: all waits are None.
        accept_ms, shop_ms: The accept window and the length of an admission to try.
        open_in_ms: Calling begins only then (opening, end of a repair), and the lobby is drawn.
        seed: The same seed gives both settings the same fans.

    Pure, and some tens of milliseconds of work for a queue of any length: call it in a thread.
    """
    if not limits.open or not limits.per_minute or not limits.max_active:
        return _nobody_is_called(now)
    fans = now.waiting + now.lobby
    thin = _thinning(fans, limits.max_active)
    chance = default_rng(seed)
    stay = np.asarray(now.shopping_ms or (shop_ms // 2,), np.int64)
    crowd = _crowd(now, chance, -(-fans // thin), stay // thin, accept_ms // thin)
    outcome = simulate(
        crowd,
        Terms.steady(
            replace(limits, max_active=limits.max_active // thin),
            accept_ms=max(1, accept_ms // thin),
            shop_ms=max(1, shop_ms // thin),
        ),
        busy=_busy(now, chance, stay, accept_ms, thin),
        tick_ms=TICK_MS,
        until_ms=LOOK_AHEAD_MS // thin,
    )
    from_opening = np.where(outcome.called, outcome.called_ms * thin, NEVER)
    waits = np.where(outcome.called, from_opening + open_in_ms, NEVER)
    in_line = now.waiting // thin if now.lobby else len(crowd)
    return Preview(
        p50_wait_ms=_quantile(waits[:in_line], 0.5),
        p90_wait_ms=_quantile(waits[:in_line], 0.9),
        lobby_p50_ms=_quantile(from_opening[in_line:], 0.5),
        lobby_p90_ms=_quantile(from_opening[in_line:], 0.9),
        empty_ms=_quantile(waits, 1.0),
        peak_active=outcome.peak_busy * thin,
    )


def at_once(now: RoomNow, *, open_in_ms: int) -> Preview:
    """The room is off: all go in as soon as it is open, cap or no cap."""
    waits, fans = open_in_ms if now.waiting else 0, now.waiting + now.lobby
    return Preview(
        p50_wait_ms=waits,
        p90_wait_ms=waits,
        lobby_p50_ms=0,
        lobby_p90_ms=0,
        empty_ms=open_in_ms if fans else 0,
        peak_active=now.called + len(now.active_ends_ms) + fans,
    )


def _nobody_is_called(now: RoomNow) -> Preview:
    def wait(fans: int) -> int | None:
        return None if fans else 0

    return Preview(
        p50_wait_ms=wait(now.waiting),
        p90_wait_ms=wait(now.waiting),
        lobby_p50_ms=wait(now.lobby),
        lobby_p90_ms=wait(now.lobby),
        empty_ms=wait(now.waiting + now.lobby),
        peak_active=now.called + len(now.active_ends_ms),
    )


def _thinning(fans: int, max_active: int) -> int:
    return max(1, min(-(-fans // MOST_FANS), max_active // LEAST_SLOTS))


def _crowd(now: RoomNow, chance: Generator, fans: int, stay_ms: Ms, accept_ms: int) -> Crowd:
    answers = chance.exponential(accept_ms * ANSWER_SHARE, fans).astype(np.int64)
    no_show = chance.random(fans) < now.no_show_share
    return Crowd(
        arrives_ms=np.zeros(fans, np.int64),
        leaves_ms=np.full(fans, NEVER),
        answers_ms=np.where(no_show, NEVER // 2, np.minimum(answers, max(0, accept_ms - 1))),
        shops_ms=chance.choice(stay_ms, fans),
        wants=np.zeros(fans, np.int64),
    )


def _busy(now: RoomNow, chance: Generator, stay_ms: Ms, accept_ms: int, thin: int) -> Busy:
    """Shoppers are somewhere in the middle of their time, and never stay beyond their end.

    Who is met in the middle is likelier one who stays long, hence the weights.
    """
    ends = np.asarray(now.active_ends_ms, np.int64)[::thin]
    weights = stay_ms / stay_ms.sum() if stay_ms.sum() else None
    left = chance.choice(stay_ms, len(ends), p=weights) * chance.random(len(ends))
    answers = chance.uniform(0, accept_ms, now.called // thin)
    lapses = chance.random(len(answers)) < now.no_show_share
    shopping = answers + chance.choice(stay_ms, len(answers))
    return Busy(
        ends_ms=_to(np.concatenate([np.minimum(left, ends), shopping[~lapses]]), thin),
        lapses_ms=_to(answers[lapses], thin),
    )


def _to(times: np.ndarray[tuple[int], np.dtype[np.float64]], thin: int) -> tuple[int, ...]:
    return tuple((np.maximum(times, 0) // thin).astype(np.int64).tolist())


def _quantile(waits: Ms, share: float) -> int | None:
    if not len(waits):
        return 0
    at = np.sort(waits)[min(len(waits) - 1, int(len(waits) * share))]
    return int(at) if at < NEVER else None
