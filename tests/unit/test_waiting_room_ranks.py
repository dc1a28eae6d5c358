"""A rank is a prefix count, whatever changes came in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from waiting_room.ranks import BLOCK_PLACES, RankIndex

PLACES = st.integers(1, 3 * BLOCK_PLACES)


@given(changes=st.lists(st.tuples(PLACES, st.booleans()), max_size=60), asked=PLACES)
def test_a_rank_is_one_more_than_the_present_places_below(changes, asked):
    index, present = RankIndex(), set()
    for place, bit in changes:
        index.set(place, bit)
        (present.add if bit else present.discard)(place)
    assert index.rank(asked) == 1 + sum(place < asked for place in present)
    assert index.present == len(present)


@given(present=st.sets(PLACES, max_size=60), asked=PLACES)
def test_a_snapshot_counts_as_its_bits_do(present, asked):
    bitmap = bytearray(max(present, default=0) // 8 + 1)
    for place in present:
        bitmap[place >> 3] |= 0x80 >> (place & 7)
    index = RankIndex()
    index.load(bytes(bitmap))
    assert index.rank(asked) == 1 + sum(place < asked for place in present)
