"""The one law of the feed: snapshot + changes after it == a later snapshot."""

from hypothesis import given
from hypothesis import strategies as st

from seatmap.delta import Cursor, coalesce, difference, resume

SEATS = st.integers(0, 3)
STATES = st.integers(48, 52)
LOG = st.lists(st.tuples(SEATS, STATES), max_size=30)


@given(log=LOG, data=st.data())
def test_a_client_that_resumes_anywhere_ends_where_everybody_else_is(log, data):
    """Also in the middle of a frame: another node had other ticks."""
    ticks = sorted(data.draw(st.sets(st.integers(0, len(log))), label="ticks") | {len(log)})
    dropped = data.draw(st.integers(0, len(ticks) - 1), label="frames no longer kept")
    read = data.draw(st.integers(0, len(log)), label="changes the client has read")
    marks = [(Cursor("e1", version), 100 + n) for n, version in enumerate(ticks)][dropped:]

    position = resume(Cursor("e1", read), marks=marks)

    if position is None:
        assert read < ticks[dropped], "a snapshot only when it must be"
    else:
        owed_from = ticks[position - 100]
        assert coalesce(log[:read]) | coalesce(log[owed_from:]) == coalesce(log)


@given(st.text() | st.integers(1, 9_999).map(lambda n: "e:" + "9" * n))
def test_parse_never_raises_whatever_a_client_sends(last_event_id):
    Cursor.parse(last_event_id)


def test_a_cursor_of_another_epoch_or_ahead_of_us_needs_a_snapshot():
    marks = [(Cursor("new", 9), 1)]
    assert resume(Cursor("old", 9), marks=marks) is None
    assert resume(Cursor("new", 10), marks=marks) is None
    assert resume(None, marks=marks) is None


@given(st.lists(st.tuples(STATES, STATES)))
def test_the_difference_of_two_copies_turns_one_into_the_other(pairs):
    old, new = bytes(a for a, _ in pairs), bytes(b for _, b in pairs)
    copy = bytearray(old)
    for seat, state in difference(old, new).items():
        copy[seat] = state
    assert bytes(copy) == new
