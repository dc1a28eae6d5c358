"""A channel's one law: frames after a position, or a snapshot; never a gap."""

import asyncio
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from core.live.channel import Channel


@given(
    steps=st.lists(st.integers(1, 5), max_size=30),
    ring=st.integers(1, 10),
    read=st.integers(0, 30),
)
def test_a_reader_gets_all_it_is_owed_or_is_told_to_take_a_snapshot(steps, ring, read):
    channel, ends = Channel(ring), [0]
    for step in steps:
        ends.append(ends[-1] + step)
        channel.publish(ends[-1], f"{ends[-2]}>{ends[-1]};".encode())
    at = min(read, len(steps))

    owed = channel.since(ends[at])

    if owed is None:
        assert len(steps) - at > ring
    else:
        assert owed == b"".join(f"{a}>{b};".encode() for a, b in pairwise(ends[at:]))


async def test_a_position_inside_a_frame_needs_a_snapshot():
    channel = Channel(4)
    channel.publish(5, b"x")
    assert channel.since(3) is None


async def test_frames_of_one_moment_come_joined():
    channel = Channel(4)
    with channel.subscribe(0) as reader:
        channel.publish(1, b"a")
        channel.publish(2, b"b")
        assert await reader.next() == b"ab"


async def test_a_reset_makes_every_reader_take_a_snapshot_even_at_the_same_position():
    channel = Channel(4, head=7)
    with channel.subscribe(7) as reader:
        waiting = asyncio.create_task(reader.next())
        await asyncio.sleep(0)
        channel.reset(7)
        assert await waiting is None
        reader.jump()
        channel.publish(8, b"a")
        assert await reader.next() == b"a"


async def test_readers_are_counted_while_they_read():
    channel = Channel(1)
    with channel.subscribe(None):
        assert channel.readers == 1
    assert channel.readers == 0
