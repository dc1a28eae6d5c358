"""An honest browser is never refused and never loses its place.

Fans reload, open tabs, come back through another node, and bring the slip of an hour ago; nodes
are replaced; Redis loses its data or a part of it. Nobody leaves and nobody is called, so every
join must give the place that the first one gave. The service runs whole, on real stores.
"""

import asyncio

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.errors import StoreUnavailable
from core.redis import connect
from core.signing import Keys
from waiting_room.keys import key
from waiting_room.service import WaitingRoom

KEYS = Keys("s" * 32)
FANS = st.sampled_from([f"vs_fan{n}" for n in range(4)])
NODES = st.sampled_from([0, 1])
STEPS = st.one_of(
    st.tuples(st.just("reload"), FANS, NODES),
    st.tuples(st.just("reload"), FANS, NODES),
    st.tuples(st.just("tabs"), FANS, NODES),
    st.tuples(st.just("old_slip"), FANS, NODES),
    st.tuples(st.just("replace"), NODES),
    st.sampled_from([("lose_all",), ("lose_queue",)]),
)


class Browsers:
    """Each fan's cookie is the name, each fan's storage the slips it was ever given."""

    def __init__(self, redis, db, event_id):
        self.redis, self.db, self.event_id = redis, db, event_id
        self.nodes = [WaitingRoom.build(redis, db, KEYS) for _ in range(2)]
        self.slips: dict[str, list[str]] = {}
        self.places: dict[str, int] = {}

    async def join(self, fan, node, slip):
        """As the page does: it insists while a store does not answer."""
        while True:
            try:
                said = await self.nodes[node].join(self.event_id, fan, slip)
                break
            except StoreUnavailable:
                await asyncio.sleep(0)
        assert said["state"] == "waiting"
        assert self.places.setdefault(fan, said["place"]) == said["place"]
        self.slips.setdefault(fan, []).append(said["slip"])

    async def reload(self, fan, node):
        await self.join(fan, node, self.slips.get(fan, [None])[-1])

    async def old_slip(self, fan, node):
        """A tab that was suspended since long before."""
        await self.join(fan, node, self.slips.get(fan, [None])[0])

    async def tabs(self, fan, node):
        await asyncio.gather(*(self.reload(fan, n) for n in (node, 1 - node, node)))

    async def replace(self, node):
        await self.nodes[node].stop()
        self.nodes[node] = WaitingRoom.build(self.redis, self.db, KEYS)

    async def lose_all(self):
        await self.redis.flushall()

    async def lose_queue(self):
        """A part of the state, and the epoch: the rest looks whole."""
        await self.redis.delete(*(key(self.event_id, name) for name in ("epoch", "queue", "log")))

    async def stop(self):
        for node in self.nodes:
            await node.stop()


async def live(redis_url, db, event_id, steps):
    async with connect(redis_url) as redis:
        browsers = Browsers(redis, db, event_id)
        try:
            for what, *values in steps:
                await getattr(browsers, what)(*values)
        finally:
            await browsers.stop()


@example(steps=[("reload", "vs_fan0", 0), ("lose_all",), ("tabs", "vs_fan0", 1)])
@example(
    steps=[
        *(("reload", f"vs_fan{n}", 0) for n in range(3)),
        ("lose_queue",),
        *(("old_slip", f"vs_fan{n}", 1) for n in (2, 0, 1)),
        ("lose_all",),
        *(("old_slip", f"vs_fan{n}", 0) for n in (1, 2, 0)),
    ]
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(steps=st.lists(STEPS, min_size=5, max_size=20))
async def test_an_honest_fan_keeps_the_place_and_is_never_refused(redis_url, db, make_sale, steps):
    event_id = await make_sale(mode="on", max_active=0)
    await live(redis_url, db, event_id, steps)
