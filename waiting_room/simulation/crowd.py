"""A model crowd: many come at the opening, the rest trickle in; some don't answer, some give up,
some are not there for a while or for good.

Chance is an argument, so that a seed repeats the crowd exactly. How often phones fall asleep, and
how often a tab is closed for good, is published nowhere: those numbers are assumptions. A fan does
at most one of these things.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from waiting_room.simulation.model import NEVER, Absences, Crowd, Ms

SHOPPING_SHAPE = 3.0  # of a gamma distribution: few are done at once, few take very long
MINUTE_MS = 60_000
PAGES = 4  # of presence in the grace: who is not there is away up to a page after it, by age.lua


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdModel:
    fans: int
    at_opening_share: float = 0.6  # from the lobby, in a burst
    burst_ms: int = 5_000
    tail_ms: int = 40 * MINUTE_MS  # mean delay of those who come later
    no_show_share: float = 0.1
    answer_ms: int = 15_000  # mean time from call to accept
    shopping_ms: int = 5 * MINUTE_MS  # mean
    gives_up_share: float = 0.1  # would leave the queue, if the wait were long enough
    patience_ms: int = 60 * MINUTE_MS  # mean, of those
    asleep_share: float = 0.15  # the phone falls asleep, and they look at it again
    asleep_ms: int = 15 * MINUTE_MS  # mean
    offline_share: float = 0.1  # the network is gone for a moment
    offline_ms: int = 45_000  # mean
    closed_share: float = 0.05  # the tab is closed for good
    online_ms: int = 20 * MINUTE_MS  # mean time in line until one of these
    grace_ms: int = 2 * MINUTE_MS  # of the room: who is back by then was never away
    basket: tuple[float, ...] = (0.2, 0.2, 0.4, 0.08, 0.12)  # share that buys 0, 1, 2, … tickets


def draw(model: CrowdModel, chance: Generator) -> Crowd:
    fans = model.fans
    early = round(fans * model.at_opening_share)
    burst = chance.uniform(0, model.burst_ms, early)
    tail = chance.exponential(model.tail_ms, fans - early)
    arrives = np.sort(_ms(np.concatenate([burst, tail])))
    answers = _ms(chance.exponential(model.answer_ms, fans))
    shops = chance.gamma(SHOPPING_SHAPE, model.shopping_ms / SHOPPING_SHAPE, fans)
    patience = _ms(chance.exponential(model.patience_ms, fans))
    tickets = chance.choice(len(model.basket), fans, p=model.basket)
    return Crowd(
        arrives_ms=arrives,
        leaves_ms=np.where(chance.random(fans) < model.gives_up_share, arrives + patience, NEVER),
        answers_ms=np.where(chance.random(fans) < model.no_show_share, NEVER // 2, answers),
        shops_ms=_ms(shops),
        wants=tickets.astype(np.int64),
        absences=_absences(model, chance, arrives),
    )


def _absences(model: CrowdModel, chance: Generator, arrives_ms: Ms) -> Absences:
    shares = (model.asleep_share, model.offline_share, model.closed_share)
    lot = chance.random(len(arrives_ms))
    asleep, offline, closed = np.cumsum(shares)
    fan = np.flatnonzero(lot < closed)
    since_ms = arrives_ms[fan] + _ms(chance.exponential(model.online_ms, len(fan)))
    usual_ms = np.where(lot[fan] < asleep, model.asleep_ms, model.offline_ms)
    lasts_ms = _ms(chance.exponential(1, len(fan)) * usual_ms)
    page_ms = _ms(chance.uniform(0, model.grace_ms / PAGES, len(fan)))
    back_ms = np.where(lot[fan] < offline, since_ms + lasts_ms, NEVER)
    return Absences.of(fan, since_ms, since_ms + model.grace_ms + page_ms, back_ms)


def _ms(values: NDArray[np.float64]) -> Ms:
    return np.asarray(values, np.float64).astype(np.int64)
