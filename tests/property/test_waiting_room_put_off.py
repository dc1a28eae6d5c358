"""A standstill is made good once, whichever node comes how often, and however few ends a call."""

import asyncio
import itertools

from hypothesis import given
from hypothesis import strategies as st

from core.generations import Epoch
from core.redis import connect
from waiting_room.keys import epoch_key, key
from waiting_room.store import QueueStore

EPOCH = Epoch(1, "abcdef01")
START_MS = 1_900_000_000_000
_events = itertools.count()

moments = st.integers(0, 60).map(lambda s: START_MS + s * 1_000)
ends = st.lists(moments, max_size=9)
standstills = st.lists(st.tuples(moments, moments), min_size=1, max_size=4)


def put_off(live, mark_ms, since_ms, until_ms):
    """The rule: (ends, mark) afterwards. Who was over when it began stays over."""
    began_ms = max(mark_ms, since_ms)
    if until_ms <= began_ms:
        return live, mark_ms
    return [end + (until_ms - began_ms) * (end > began_ms) for end in live], until_ms


@given(
    live=ends, steps=standstills, most=st.integers(1, 4), which=st.sampled_from(["active", "calls"])
)
def test_each_end_gets_each_moment_of_a_standstill_once(services, live, steps, most, which):
    """Of each step one node does a page; another goes on with it, though it came for the next."""

    async def run():
        event_id = f"ev_off{next(_events)}"
        async with connect(services.redis_url) as redis:
            store = QueueStore(redis)
            await redis.set(epoch_key(event_id), EPOCH.text)
            for n, end in enumerate(live):
                await redis.zadd(key(event_id, which), {f"vs_{n}": end})

            async def call(step):
                since_ms, until_ms = step
                span = {"since_ms": since_ms, "until_ms": until_ms, "most": most}
                return await store.put_off(event_id, EPOCH, 0, which, **span)

            wanted, mark_ms = live, 0
            for step, following in itertools.pairwise([*steps, (0, 0)]):
                wanted, mark_ms = put_off(wanted, mark_ms, *step)
                _, left = await call(step)
                while left:
                    _, left = await call(following)
                assert await call(step) == (0, False), "a repeat changes nothing"
            found = await redis.zrange(key(event_id, which), 0, -1, withscores=True)
            assert sorted((name, end) for name, end in found) == sorted(
                (f"vs_{n}".encode(), float(end)) for n, end in enumerate(wanted)
            )

    asyncio.run(run())
