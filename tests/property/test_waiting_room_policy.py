"""The scripts do what their specification says, on the same histories; and Q1, Q2, Q3, Q5.

The model (tests/waiting_room_model.py) is the specification. Fans are connected to nodes that
report them, die, and repeat calls whose reply they did not get; Redis loses everything, or goes
back to what it was a while ago, and is repaired; PostgreSQL is away for a while, or the sale is
stopped, and ends are put off as long as nodes are there to look. After every step the scripts
must say of everybody what the model says.
"""

import asyncio

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.redis import connect
from tests.waiting_room_model import ACCEPT_MS, PAGE_MS, SHOP_MS
from tests.waiting_room_scripts import ALL_FANS, History
from waiting_room.policy import RESTORE_MS

SOAK = 1_000  # examples of the profile `make soak` uses are more than that
HISTORIES = 10_000 if settings.default.max_examples >= SOAK else 150

FANS = st.sampled_from(ALL_FANS)
NODES = st.sampled_from("AB")
AGAIN = st.booleans()  # the reply was lost: the same is asked once more
SALE = (
    st.tuples(st.just("join"), FANS, AGAIN),
    st.tuples(st.just("join"), FANS, AGAIN),
    st.tuples(st.just("tick"), st.sampled_from([11_000, 21_000, 31_000]), AGAIN),
    st.tuples(st.just("tick"), st.integers(0, 3_000), AGAIN),
    st.tuples(st.just("tick and die"), st.integers(0, 3_000)),
    st.tuples(st.just("accept"), FANS, AGAIN),
    st.tuples(st.just("leave"), FANS, AGAIN),
    st.tuples(st.just("cap"), st.integers(0, 8)),
)
LOSSES = (st.sampled_from([("save",), ("go back",), ("lose",)]),)
NODES_AND_FANS = (
    st.tuples(st.just("connect"), NODES, FANS),
    st.tuples(st.just("disconnect"), NODES, FANS),
    st.tuples(st.just("report"), NODES, AGAIN),
    st.tuples(st.just("kill"), NODES),
)
STANDSTILLS = (
    st.sampled_from([("stop",), ("go on",)]),
    st.sampled_from([("postgresql goes",), ("postgresql is back",)]),
    st.tuples(st.just("nobody looks"), st.integers(0, 90_000)),
)
STEPS = st.one_of(  # in half of the histories the sale stands still now and then
    st.lists(st.one_of(*SALE, *NODES_AND_FANS, *LOSSES), min_size=10, max_size=50),
    st.lists(st.one_of(*SALE, *STANDSTILLS, *LOSSES), min_size=10, max_size=50),
)


async def script_follows(redis_url, per_minute, cap, steps):
    async with connect(redis_url) as redis:
        history = History(redis, per_minute, cap)
        await history.begin()
        for step in steps:
            await history.step(*step)
            await history.check()


def lapse_after_lapse():
    """Nobody accepts and no fresh calls come: two replacements for the one fresh call, no more."""
    for fan in ALL_FANS[:5]:
        yield "join", fan
        yield "connect", "A", fan
    yield "tick", 0
    for _ in range(4):
        yield "report", "A"
        yield "tick", ACCEPT_MS + 1


def a_long_sleep():
    """Away for hours at the end of the line, passed by nobody: the place is kept."""
    for fan in ALL_FANS:
        yield "join", fan
        yield "connect", "A", fan
    yield "disconnect", "A", "fan11"
    for _ in range(9):
        yield "report", "A"
        yield "tick", PAGE_MS
    yield "connect", "B", "fan11"
    yield "report", "B"
    yield "tick", 0


def passed_by():
    """Two are away when the head passes; the first is too far behind by then."""
    for fan in ALL_FANS:
        yield "join", fan
    for fan in ALL_FANS[2:]:
        yield "connect", "A", fan
    for _ in range(6):
        yield "report", "A"
        yield "tick", PAGE_MS
    yield "cap", 3
    yield "tick", PAGE_MS
    yield "join", "fan1"
    yield "join", "fan0"


def back_below_the_head():
    """Called by a node that died before it could say so, and then Redis went back: their places
    are theirs again, though the head had passed them."""
    for fan in ALL_FANS:
        yield "join", fan
    yield "tick and die", 0
    yield ("save",)
    yield ("go back",)
    for fan in ALL_FANS:
        yield "join", fan
    yield "tick", 0


def called_and_gone_in_what_was_lost():
    """Called since the moment that Redis goes back to; one shopped and left, the others did not
    come. None of them is called at the old place again."""
    for fan in ALL_FANS:
        yield "join", fan
    yield ("save",)
    yield "tick", 3_000
    yield "accept", "fan0"
    yield "leave", "fan0"
    yield "tick", 21_000
    yield ("go back",)
    yield "tick", RESTORE_MS + 1


def back_from_nothing():
    """Redis loses all; those who come back while calling stands still keep their order."""
    for fan in ALL_FANS:
        yield "join", fan
    yield ("lose",)
    for fan in reversed(ALL_FANS):
        yield "join", fan
    for _ in range(4):
        yield "tick", RESTORE_MS // 3


def shopping_in_a_stop():
    """With nodes that look their time is made good; where none did for a while, with the next."""
    for fan in ALL_FANS[:3]:
        yield "join", fan
    yield "tick", 0
    yield "tick", 3_000
    yield "accept", "fan0"
    yield "accept", "fan1"
    yield ("stop",)
    yield "tick", ACCEPT_MS + 1
    yield "nobody looks", 2 * SHOP_MS
    yield "join", "fan0"
    yield "join", "fan2"
    yield "accept", "fan2"
    yield "tick", 0
    yield ("go on",)
    yield "tick", 31_000
    yield "tick", SHOP_MS + 31_000


def called_as_it_stops():
    """The node died before it could say so; another does, in the stop."""
    for fan in ALL_FANS[:3]:
        yield "join", fan
    yield "tick and die", 3_000
    yield ("stop",)
    yield "tick", 3_000
    for _ in range(3):
        yield "tick", ACCEPT_MS
    yield "accept", "fan0"
    yield "tick", SHOP_MS
    yield ("go on",)
    yield "tick", ACCEPT_MS


def postgresql_away():
    """For longer than anybody may shop. Who accepted meanwhile has no row, and Redis is lost."""
    for fan in ALL_FANS[:4]:
        yield "join", fan
    yield "tick", 0
    yield "tick", 3_000
    yield "accept", "fan0"
    yield ("postgresql goes",)
    yield "accept", "fan1"
    yield "join", "fan7"
    yield "leave", "fan0"
    for _ in range(4):
        yield "tick", SHOP_MS // 2
    yield ("postgresql is back",)
    yield ("lose",)
    yield "tick", RESTORE_MS + 1


def lost_while_it_stands_still():
    """Redis goes back to a moment in the stop, and what is laid then is put off from then."""
    for fan in ALL_FANS[:3]:
        yield "join", fan
    yield "tick", 0
    yield "tick", 3_000
    yield "accept", "fan0"
    yield ("stop",)
    yield "tick", 11_000
    yield ("save",)
    yield ("go back",)
    for _ in range(3):
        yield "tick", 31_000
    yield ("go on",)
    yield "tick", SHOP_MS // 2


@example(per_minute=600, cap=3, steps=list(shopping_in_a_stop()))
@example(per_minute=600, cap=3, steps=list(called_as_it_stops()))
@example(per_minute=600, cap=3, steps=list(postgresql_away()))
@example(per_minute=600, cap=3, steps=list(lost_while_it_stands_still()))
@example(per_minute=0, cap=5, steps=list(lapse_after_lapse()))
@example(per_minute=0, cap=0, steps=list(a_long_sleep()))
@example(per_minute=600, cap=0, steps=list(passed_by()))
@example(per_minute=6000, cap=8, steps=list(back_below_the_head()))
@example(per_minute=600, cap=3, steps=list(called_and_gone_in_what_was_lost()))
@example(per_minute=600, cap=99, steps=list(back_from_nothing()))
@example(per_minute=600, cap=5, steps=[("save",), ("join", "fan1"), ("go back",)])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=HISTORIES)
@given(
    per_minute=st.sampled_from([0, 6, 60, 600, 6000]),
    cap=st.integers(0, 8),
    steps=STEPS,
)
def test_the_scripts_do_what_the_policy_says(redis_url, per_minute, cap, steps):
    asyncio.run(script_follows(redis_url, per_minute, cap, steps))
