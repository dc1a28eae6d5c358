"""A channel's one law: frames after a position, or a snapshot; never a gap."""

import contextlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.live.channel import MAX_CATCH_UP_BYTES, Channel
from core.live.hub import Hub
from tests.live_clients import Pulled


@pytest.fixture
def hub():
    """One whose ticks are the test's own: `flush`."""
    return Hub()


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


def test_a_position_inside_a_frame_needs_a_snapshot():
    channel = Channel(4)
    channel.publish(5, b"x")
    assert channel.since(3) is None


def test_several_frames_become_one_where_they_can_be_merged():
    channel = Channel(4, merge=lambda parts: f"<{sum(parts)}>".encode())
    channel.publish(1, b"<1>", 1)
    channel.publish(2, b"<2>", 2)
    assert channel.since(1) == b"<2>"
    assert channel.since(0) == b"<3>"


def test_a_snapshot_is_taken_where_the_frames_would_be_longer():
    channel = Channel(4, snapshot=lambda: b"all")
    channel.publish(1, b"x" * MAX_CATCH_UP_BYTES)
    assert channel.since(0) == b"x" * MAX_CATCH_UP_BYTES
    channel.publish(2, b"y")
    assert channel.since(0) is None


async def test_frames_of_one_tick_come_in_one_write(hub):
    channel = Channel(4)
    reader = Pulled.reader(hub, channel, 0)
    channel.publish(1, b"a")
    channel.publish(2, b"b")
    await hub.flush()
    assert await reader.next() == b"ab"


async def test_what_is_for_one_client_goes_with_what_is_for_all_in_one_write(hub):
    channel = Channel(4)
    reader, other = Pulled.reader(hub, channel, 0), Pulled.reader(hub, channel, 0)
    await hub.flush()
    reader.connection.send(b"old")
    reader.connection.send(b"mine")
    channel.publish(1, b" all")
    await hub.flush()
    assert await reader.next() == b"mine all", "the newer where both say the same comes last"
    assert await other.next() == b" all"
    await hub.flush()
    assert hub.metrics.messages == 2


async def test_a_client_whose_socket_is_full_is_skipped_and_gets_one_merged_frame(hub):
    channel = Channel(8, merge=lambda parts: "+".join(parts).encode())
    reader, full = Pulled.reader(hub, channel, 0), Pulled.reader(hub, channel, 0)
    await hub.flush()
    for number in range(1, 5):
        channel.publish(number, str(number).encode(), str(number))
        await hub.flush()
        assert await reader.next() == str(number).encode()
        reader.connection.resume_writing()
    assert full.connection.out is None
    assert hub.metrics.skipped == 1, "skipped once: then it is late, and not looked at"
    assert await full.next() == b"1"
    full.connection.resume_writing()
    await hub.flush()
    assert await full.next() == b"2+3+4"
    assert hub.metrics.recovered == {"ring": 1, "snapshot": 0}


async def test_a_client_too_late_for_the_ring_gets_the_snapshot_of_the_head(hub):
    channel = Channel(2, snapshot=lambda: f"all up to {channel.head}".encode())
    full = Pulled.reader(hub, channel, 0)
    for number in range(1, 6):
        channel.publish(number, b"%d" % number)
        await hub.flush()
    assert await full.next() == b"1"
    full.connection.resume_writing()
    await hub.flush()
    assert await full.next() == b"all up to 5"
    full.connection.resume_writing()
    channel.publish(6, b"6")
    await hub.flush()
    assert await full.next() == b"6"


async def test_a_snapshot_is_cut_once_for_all_who_need_it_in_a_tick(hub):
    cut = []
    channel = Channel(2, snapshot=lambda: cut.append(1) or b"all")
    readers = [Pulled.reader(hub, channel, None) for _ in range(5)]
    await hub.flush()
    assert [await reader.next() for reader in readers] == [b"all"] * 5
    assert len(cut) == 1


async def test_a_reset_gives_every_member_a_snapshot_also_one_that_is_on_its_way(hub):
    channel = Channel(4, head=7, snapshot=lambda: b"all")
    reader = Pulled.reader(hub, channel, 7)
    await hub.flush()
    channel.reset()
    on_its_way = Pulled.reader(hub, channel, 7)
    await hub.flush()
    assert await reader.next() == b"all"
    assert await on_its_way.next() == b"all"
    reader.connection.resume_writing()
    channel.publish(channel.head + 1, b"a")
    await hub.flush()
    assert await reader.next() == b"a"


async def test_what_is_published_while_a_tick_writes_comes_with_the_next(hub):
    channel = Channel(4)
    reader = Pulled.reader(hub, channel, 0)
    await hub.flush()
    channel.publish(1, b"a")
    writing = hub.flush()
    writing.send(None)  # up to where other tasks may run
    channel.publish(2, b"b")
    finish(writing)
    assert await reader.next() == b"a"
    reader.connection.resume_writing()
    await hub.flush()
    assert await reader.next() == b"b"


async def test_a_late_member_that_was_written_more_than_the_others_is_not_written_it_again(hub):
    channel = Channel(4)
    ahead = Pulled.reader(hub, channel, 0)
    await hub.flush()
    late = Pulled.reader(hub, channel, 0)
    channel.publish(1, b"a")
    writing = hub.flush()
    writing.send(None)  # those at the head have `a`
    channel.publish(2, b"b")
    finish(writing)
    assert await ahead.next() == b"a"
    assert await late.next() == b"ab"
    for reader in (ahead, late):
        reader.connection.resume_writing()
    channel.publish(3, b"c")
    await hub.flush()
    assert await ahead.next() == b"bc"
    assert await late.next() == b"c"


def finish(coroutine):
    with contextlib.suppress(StopIteration):
        while True:
            coroutine.send(None)


async def test_members_are_counted_until_they_are_gone(hub):
    channel = Channel(1)
    reader = Pulled.reader(hub, channel, None)
    assert (channel.members, hub.count) == (1, 1)
    reader.connection.connection_lost(None)
    assert (channel.members, hub.count) == (0, 0)
