"""A rank is a prefix count, whatever changes came in whatever order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from waiting_room.ranks.index import RankIndex, bitmap_of

PLACES = st.integers(1, 300)  # ends of words are within
FAR = st.one_of(PLACES, st.integers(10_000, 10**6))


def says(index, present, asked):
    """One by one and all at once, ranks and bits are those of the set."""
    assert index.present == len(present)
    expected = [1 + sum(other < place for other in present) for place in asked]
    assert [index.rank(place) for place in asked] == expected
    column = np.array(asked, np.int64)
    assert index.ranks(column).tolist() == expected
    assert index.has(column).tolist() == [place in present for place in asked]


@given(
    changes=st.lists(st.tuples(st.sets(FAR, max_size=5), st.booleans()), max_size=40),
    asked=st.lists(FAR, max_size=20),
)
def test_a_rank_is_one_more_than_the_present_places_below(changes, asked):
    index, present = RankIndex(), set()
    for places, bit in changes:
        index.set(places, bit)
        present = present | places if bit else present - places
    says(index, present, asked)


@given(
    present=st.sets(PLACES, min_size=1, max_size=60),
    asked=st.lists(FAR, max_size=20),
    more=st.sets(PLACES, max_size=5),
)
def test_a_bitmap_counts_as_the_places_it_was_made_of(present, asked, more):
    index = RankIndex()
    first_byte, bits = bitmap_of(present)
    index.load(bytes(first_byte) + bits)
    says(index, present, asked)
    index.set(more, True)
    says(index, present | more, asked)
