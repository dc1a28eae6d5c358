"""The demo crowd: gentle, bounded, and gone by itself.

It fills the arena's queue a little beyond the cap, so that there is a rank to watch and a map that
moves. Most of its fans hold seats and let them go again: the house is still open in the evening.
What a crowd still had in the room when its server went is given back by the next (`guests.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from pathlib import Path

from app.catalogue.demo import CROWD_EVENT
from app.rehearsal.fan import Diary, Outcome, Sale, Wish, live
from app.rehearsal.guests import GuestList

MAX_FANS = 90  # at a time: the demo's cap of 60, and a queue of some thirty
ARRIVALS_PER_S = 1.5
MAX_LIFE_S = 6 * 3600
MAX_BOOKINGS = 1500
THINK_S = (15.0, 50.0)
BUYS_SHARE = 0.06
NO_SHOW_SHARE = 0.04


def run(url: str, guests: Path) -> None:
    """Returns after MAX_LIFE_S, after MAX_BOOKINGS, or on SIGTERM or SIGINT.

    `guests`: the file that names those who may be in.
    """
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_until_told(url, GuestList(guests)))


async def _until_told(url: str, guests: GuestList) -> None:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for told in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(told, task.cancel)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(MAX_LIFE_S):
            await _arrive(Sale(url, CROWD_EVENT), random.Random(), guests)


async def _arrive(sale: Sale, rng: random.Random, guests: GuestList) -> None:
    diary, room = Diary(guests=guests), asyncio.Semaphore(MAX_FANS)
    async with asyncio.TaskGroup() as fans:
        while diary.outcomes.get(Outcome.BOUGHT, 0) < MAX_BOOKINGS:
            await room.acquire()
            fan = fans.create_task(live(sale, _wish(rng), diary, random.Random(rng.random())))
            fan.add_done_callback(lambda _: room.release())
            await asyncio.sleep(rng.expovariate(ARRIVALS_PER_S))


def _wish(rng: random.Random) -> Wish:
    return Wish(
        tickets=rng.choice((1, 2, 2, 2, 3, 4)),
        buys=rng.random() < BUYS_SHARE,
        shows_up=rng.random() >= NO_SHOW_SHARE,
        think_s=rng.uniform(*THINK_S),
    )
