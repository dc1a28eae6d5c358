"""Whom a round tells: as the policy says fan by fan, seldom, and never far from the truth."""

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from waiting_room.board import Board
from waiting_room.model import Standing
from waiting_room.policy import worth_telling
from waiting_room.ranks import RankIndex, bitmap_of

NOW_MS = 10_000_000
FAN = st.fixed_dictionaries(
    {
        "place": st.integers(0, 400),  # 0: not waiting
        "shown": st.integers(0, 500),
        "since_ms": st.integers(0, 70_000),
        "stays": st.booleans(),
    }
)


def waiting(place):
    return Standing("waiting", place) if place else Standing("none")


@given(fans=st.lists(FAN, max_size=40), present=st.sets(st.integers(1, 400)))
def test_a_round_tells_exactly_those_whom_the_policy_tells(fans, present):
    """Also when rows were used before, by fans who have gone."""
    board, ranks = Board(), RankIndex()
    ranks.set(present, True)
    for n, fan in enumerate(fans):
        if not fan["stays"]:
            board.remove(board.add(f"gone{n}"))
        row = board.add(f"fan{n}")
        board.stands(row, waiting(fan["place"]))
        board.shown(row, fan["shown"], NOW_MS - fan["since_ms"])
    for n, fan in enumerate(fans):
        if not fan["stays"]:
            board.remove(board.fans[f"fan{n}"])
    told = {fan.subject for fan in board.due(ranks, NOW_MS)}
    assert told == {
        f"fan{n}"
        for n, fan in enumerate(fans)
        if fan["stays"]
        and fan["place"]
        and worth_telling(fan["shown"], ranks.rank(fan["place"]), since_ms=fan["since_ms"])
    }
    waits = sorted(fan["place"] for fan in fans if fan["stays"] and fan["place"])
    assert sorted(board.places()) == waits


def test_a_million_wait_and_few_are_told_although_nobody_is_told_wrong():
    """3,000 calls a minute, some leave, for three minutes; 15,000 fans are connected here."""
    chance, million, calls_a_second, round_ms = random.Random(8), 10**6, 50, 250
    ranks, board = RankIndex(), Board()
    ranks.load(bitmap_of(range(million))[1])
    mine = np.sort(np.array(chance.sample(range(9_001, million), 15_000)))
    shown = np.zeros(len(mine), np.int64)
    for n, place in enumerate(mine):
        fan = board.add(str(n))
        board.stands(fan, waiting(int(place)))
        shown[n] = ranks.rank(int(place))
        board.shown(fan, int(shown[n]), -chance.randrange(60_000))
    rounds, head, frames = 180_000 // round_ms, 0, 0
    for now_ms in range(round_ms, 180_000 + 1, round_ms):
        until = now_ms * calls_a_second // 1000
        ranks.set(range(head, until), False)
        ranks.set(chance.sample(range(million), 5), False)
        head = until
        truth = ranks.ranks(mine)
        for fan in board.due(ranks, now_ms):
            n = int(fan.subject)
            board.shown(fan, int(truth[n]), now_ms)
            shown[n] = truth[n]
            frames += 1
        allowed = np.maximum(calls_a_second, truth * 0.01)
        assert (abs(shown - truth) <= allowed).all()
    assert frames / (len(mine) * rounds * round_ms / 1000) <= 1 / 20  # of one a fan and second
