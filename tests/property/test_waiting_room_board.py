"""Whom a round tells: as the rule says, fan by fan."""

from hypothesis import given
from hypothesis import strategies as st

from waiting_room.model import Standing
from waiting_room.ranks.board import Board
from waiting_room.ranks.index import RankIndex
from waiting_room.ranks.line import Line, off

NOW_MS = 10_000_000
FAN = st.fixed_dictionaries(
    {
        "place": st.integers(0, 400),  # 0: not waiting
        "mark": st.integers(0, 900),
        "since_ms": st.integers(0, 70_000),
        "stays": st.booleans(),
    }
)


def waiting(place):
    return Standing("waiting", place) if place else Standing("none")


@given(
    fans=st.lists(FAN, max_size=40),
    present=st.sets(st.integers(1, 400)),
    line=st.builds(
        Line,
        st.integers(NOW_MS - 90_000, NOW_MS),
        st.integers(0, 400),
        st.sampled_from([0, 60, 600]),
    ),
)
def test_a_round_tells_exactly_those_whose_rank_is_shown_wrong(fans, present, line):
    """Also when rows were used before, by fans who have gone."""
    board, ranks = Board(), RankIndex()
    ranks.set(present, True)
    for n, fan in enumerate(fans):
        if not fan["stays"]:
            board.remove(board.add(f"gone{n}"))
        row = board.add(f"fan{n}")
        board.stands(row, waiting(fan["place"]))
        board.told(row, fan["mark"], NOW_MS - fan["since_ms"])
    for n, fan in enumerate(fans):
        if not fan["stays"]:
            board.remove(board.fans[f"fan{n}"])
    told = {fan.subject for fan in board.due(ranks.ranks, line, NOW_MS)}
    assert told == {
        f"fan{n}"
        for n, fan in enumerate(fans)
        if fan["stays"]
        and fan["place"]
        and off(
            line.rank_of(fan["mark"], NOW_MS),
            ranks.rank(fan["place"]),
            per_minute=line.per_minute,
            since_ms=fan["since_ms"],
        )
    }
    waits = sorted(fan["place"] for fan in fans if fan["stays"] and fan["place"])
    assert sorted(board.places()) == waits
