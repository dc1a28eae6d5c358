"""The model of the waiting room and the scripts on a Redis, through the same steps.

After a step `check` holds the scripts to what the model (tests/waiting_room_model.py) says. A step
that PostgreSQL would refuse while it is away does nothing.
"""

import itertools
from copy import deepcopy
from dataclasses import replace

from core.generations import Epoch
from tests.waiting_room_model import (
    ACCEPT_MS,
    GRACE_MS,
    KEPT_BEHIND,
    ROOM,
    SHOP_MS,
    Kept,
    Model,
)
from waiting_room.keys import NAMES, epoch_key, key
from waiting_room.model import Join, RoomSettings
from waiting_room.policy import OUTAGE_MS, PUT_OFF_EVERY_MS, Limits
from waiting_room.ranks.index import places_of
from waiting_room.store import QueueStore

ALL_FANS = [f"fan{n}" for n in range(12)]
NEED_POSTGRESQL = {"leave", "cap", "stop", "go on"}
_events = itertools.count()


class History:
    """The model, and the scripts on a Redis, through the same steps."""

    def __init__(self, redis, per_minute, cap):
        self.redis, self.store = redis, QueueStore(redis)
        self.event_id = f"ev_history{next(_events)}"
        self.room = RoomSettings(
            mode="on",
            per_minute=per_minute,
            max_active=cap,
            accept_ms=ACCEPT_MS,
            shop_ms=SHOP_MS,
            grace_ms=GRACE_MS,
            paused=False,
            pause_reason="",
            opens_at_ms=0,
            version=1,
            draw=False,  # test_draw_scripts.py has the lobby's histories
        )
        self.model = Model(Limits(per_minute=per_minute, max_active=cap, open=True))
        self.connected = {"A": {}, "B": {}}  # node -> fan -> the place it believes
        self.copy: dict[int, bool] = {}
        self.floor = 0
        self.kept_to = 0  # up to when PostgreSQL's ends follow what was put off

    @property
    def away(self):
        return self.model.reached_ms is not None

    @property
    def epoch(self):
        return Epoch(self.model.generation, "abcdef01")

    @property
    def at(self):
        return self.event_id, self.epoch, 0

    @property
    def now(self):
        return {"now_ms": self.model.now_ms}

    async def step(self, what, *values):
        if not (self.away and what in NEED_POSTGRESQL):
            await getattr(self, what.replace(" ", "_"))(*values)

    async def begin(self):
        await self.store.restore(self.event_id, self.room, 0, [])
        await self.redis.set(epoch_key(self.event_id), self.epoch.text)
        await self.set_room()
        await self.tick(0)

    async def set_room(self, **changes):
        self.room = replace(self.room, version=self.room.version + 1, **changes)
        await self.store.copy_settings(*self.at, self.room, self.model.ceiling, **self.now)

    async def join(self, fan, again=False):
        """With what the browser keeps; a slip that is refused is forgotten, as the page does."""
        if self.away and fan in self.model.slips:
            return  # nobody can say whether the place is over
        join = Join(fan, "ad_x", self.model.slip(fan))
        if not self.model.join(fan):
            assert fan in self.model.forfeited  # an honest fan is never refused
            told = await self.store.join(*self.at, [join] * (1 + again), **self.now)
            assert {standing.kind for standing in told} == {"spent"}
            join = Join(fan, "ad_x")
            self.model.join(fan)
        for told in await self.store.join(*self.at, [join] * (1 + again), **self.now):
            assert (told.kind, told.number) == self.model.where(fan)

    async def accept(self, fan, again=False):
        self.model.accept(fan)
        for _ in range(1 + again):
            told = await self.store.accept(*self.at, fan, **self.now)
            admitted = self.model.where(fan)[0] == "admitted"
            assert (told and told.number) == (self.model.active[fan] if admitted else None)

    async def leave(self, fan, again=False):
        self.model.leave(fan)
        for _ in range(1 + again):
            await self.store.leave(*self.at, fan)

    async def connect(self, node, fan):
        kind, number = self.model.where(fan)
        if kind == "waiting":
            self.connected[node][fan] = number

    async def disconnect(self, node, fan):
        self.connected[node].pop(fan, None)

    async def kill(self, node):
        self.connected[node].clear()

    async def report(self, node, again=False):
        """What the node believes: fans may have been called or left meanwhile."""
        places = list(self.connected[node].values())
        if not places:
            return
        self.model.see(places)
        for _ in range(1 + again):
            await self.store.see(*self.at, places)

    async def cap(self, value):
        self.model.limits = replace(self.model.limits, max_active=value)
        await self.set_room(max_active=value)

    async def tick(self, elapsed_ms, again=False, *, dies=False):
        model = self.model
        await self.time_passes(elapsed_ms)
        model.age()
        for _ in range(1 + again):
            await self.store.age(*self.at, **self.now)
        unannounced = set(model.calling)
        expected = model.tick()
        called = []
        for attempt in range(1 + again):
            ids = [f"ad_{attempt}_{n}" for n in range(ROOM)]
            told = await self.store.tick(
                *self.at, call_ids=ids, kept_behind=KEPT_BEHIND, **self.now
            )
            assert not called or told == called  # a repeat says the same and calls nobody
            called = told
        called = sorted(called, key=lambda call: call.admission.place)
        assert [call.subject for call in called] == expected  # Q1
        if set(expected) - unannounced:
            assert model.calls_open
            busy = len(model.calling) + len(model.calls) + len(model.active)
            assert busy <= model.limits.max_active  # Q3
        if not dies and not self.away:
            model.announce()
            model.admissions |= {call.subject: call.admission for call in called}
            for _ in range(1 + again):
                subjects = [call.subject for call in called]
                await self.store.announce(*self.at, subjects, **self.now)

    async def tick_and_die(self, elapsed_ms):
        await self.tick(elapsed_ms, dies=True)

    async def stop(self):
        self.model.stop(True)
        await self.set_room(stopped=True)

    async def go_on(self):
        self.model.stop(False)
        await self.set_room(stopped=False)

    async def postgresql_goes(self):
        self.model.reached_ms = self.model.reached_ms or self.model.now_ms

    async def postgresql_is_back(self):
        self.model.reached_ms = None
        await self.look()

    async def nobody_looks(self, elapsed_ms):
        self.model.now_ms += elapsed_ms

    async def time_passes(self, elapsed_ms):
        """Nodes look once a second; every three are enough here."""
        while elapsed_ms > 0:
            self.model.now_ms += min(elapsed_ms, OUTAGE_MS)
            elapsed_ms -= OUTAGE_MS
            await self.look()

    async def look(self):
        """As app/standstill.py does: ends are put off, and PostgreSQL's follow if it is there."""
        model = self.model
        step = model.put_off()
        if step is not None:
            since_ms, until_ms = step
            for which in ("calls", "active"):
                left = True
                while left:  # two nodes, and the second comes too late for each page
                    span = {"since_ms": since_ms, "until_ms": until_ms, "most": 2}
                    _, left = await self.store.put_off(*self.at, which, **span)
        if model.still_since_ms is not None:
            ends = [end for end in model.active.values() if end > model.over_by("active")]
            assert all(end > model.now_ms + 2 * PUT_OFF_EVERY_MS for end in ends)  # none meanwhile
        if not self.away and (put_off_to := min(model.kept.put_off_to.values())) > self.kept_to:
            model.keep()
            live = await self.store.live(*self.at, 0, **self.now)
            assert [(call.subject, end) for call, end in live] == model.live()
            self.kept_to = put_off_to

    async def save(self):
        self.model.saved = deepcopy(self.model.kept)
        for name in NAMES:
            await self.redis.delete(f"saved:{name}:{self.event_id}")
            await self.redis.copy(key(self.event_id, name), f"saved:{name}:{self.event_id}")

    async def go_back(self):
        """A replica that lagged behind takes over, or a log lost its tail."""
        if self.model.saved is None:
            return
        for name in NAMES:
            await self.redis.delete(key(self.event_id, name))
            await self.redis.copy(f"saved:{name}:{self.event_id}", key(self.event_id, name))
        await self.repair(deepcopy(self.model.saved))

    async def lose(self):
        await self.redis.delete(*(key(self.event_id, name) for name in NAMES))
        await self.repair(Kept())

    async def repair(self, survived):
        self.model.reached_ms = None  # or there is none; its rows did not follow meanwhile
        calls = self.model.repair(survived)
        ceiling = self.model.last
        self.room = replace(self.room, resume_at_ms=self.model.resume_at_ms)
        await self.store.forget(self.event_id, list(self.model.over))
        args = self.event_id, self.room, ceiling, calls
        await self.store.restore(*args, now_ms=self.model.now_ms)
        await self.redis.set(epoch_key(self.event_id), self.epoch.text)
        await self.set_room()
        self.copy, self.floor = {}, 0

    async def check(self):
        """Everybody stands where the model says, and is counted where the model counts them."""
        model = self.model
        told = await self.store.where(*self.at, ALL_FANS, **self.now)
        assert [(s.kind, s.number) for s in told] == [model.where(fan) for fan in ALL_FANS]
        args = self.event_id, self.epoch, self.floor
        looked = await self.store.changes(*args, whole=not self.floor, **self.now)
        assert looked.counts.waiting == len(model.kept.places)  # Q2: with `where`, one each
        places = list(model.kept.places.values())
        assert len(set(places)) == len(places)
        assert looked.counts.calling == len(model.calling)
        self.floor = looked.version
        if looked.bitmap is not None:
            self.copy = dict.fromkeys(ones(looked.bitmap), True)
        for _, sign, value in looked.entries:
            if sign in "+-":
                self.copy |= dict.fromkeys(places_of(value), sign == "+")
        present = {model.kept.places[fan] for fan in model.kept.present}
        assert {place for place, bit in self.copy.items() if bit} == present  # the log's law
        assert looked.state.get("present", 0) == len(present)


def ones(bitmap):
    return {n for n in range(len(bitmap) * 8) if bitmap[n >> 3] & (0x80 >> (n & 7))}
