"""A snapshot stays small however large the house."""

import gzip
import random

from seatmap.delta import Cursor
from seatmap.follower import snapshot_of

SEATS = 110_000
MAX_BYTES = 30_000


def half_sold_house(chance):
    """As a sale leaves it: groups of one to six side by side, sold, in baskets, or left over."""
    states = b""
    while len(states) < SEATS:
        state = chance.choices([b"0", b"1", b"2", b"3", b"4"], [40, 4, 52, 2, 2])[0]
        states += state * (chance.choice([1, 2, 2, 2, 3, 4, 4, 6]) if state != b"0" else 8)
    return states[:SEATS]


def test_a_snapshot_of_110_000_seats_is_under_30_kb():
    snapshot = snapshot_of(Cursor("3-ab12cd34", 123_456), half_sold_house(random.Random(1)))
    assert len(snapshot.gzip) < MAX_BYTES
    assert b"4" not in gzip.decompress(snapshot.gzip).split(b'"states":')[1], "shown as held"
