"""The scripts and their specification give equal answers on the same random histories."""

import asyncio

from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.errors import AppError
from core.generations import Epoch
from core.redis import connect
from seatmap.delta import coalesce
from seatmap.keys import epoch_key, lock_prefix
from seatmap.model import AVAILABLE, CLAIMED, SOLD, Alternative, Fate
from seatmap.policy import Held, Offer, Seats
from seatmap.store import At, SeatStore

EVENT, EPOCH = "ev_gig", Epoch(7, "ab")
SEATS = 6
ADMISSION = f"wr:{{{EVENT}}}:active"
FANS = ["vs_a", "vs_b"]
BEGIN_MS = 1_900_000_000_000  # later than the server's clock, so that only the sweep ends holds
ADMITTED_UNTIL = 9e12

seat_lists = st.lists(st.integers(0, SEATS - 1), min_size=1, max_size=3, unique=True)
hold_ids = st.sampled_from([f"hd_{n}" for n in range(5)])
fans = st.sampled_from(FANS)
wait_ms = st.sampled_from([0, 1, 40_000, 100_000])


def rarely(odd, usual):
    return st.sampled_from([usual, usual, usual, usual, odd])


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("hold"), wait_ms, hold_ids, fans,
            st.lists(seat_lists, min_size=1, max_size=2), rarely(4, 0), rarely(False, True),
        ),
        st.tuples(st.just("release"), wait_ms, hold_ids, fans),
        st.tuples(st.just("pin"), wait_ms, hold_ids, fans),
        st.tuples(st.just("unpin"), wait_ms, hold_ids),
        st.tuples(
            st.just("apply"), wait_ms, hold_ids,
            st.sampled_from([AVAILABLE, CLAIMED, SOLD]), seat_lists, st.integers(1, 9),
        ),
        st.tuples(st.just("mine"), wait_ms, fans),
        st.tuples(
            st.just("put_off"), wait_ms, st.sampled_from([0, 5_000, 60_000]),
            st.sampled_from([0, 20_000, 30_000]), st.sampled_from([1, 2, 200]),
        ),
    ),
    min_size=8,
    max_size=30,
)  # fmt: skip


class Both:
    """Runs each step on the scripts and on the specification, and compares."""

    def __init__(self, redis):
        self.redis, self.store = redis, SeatStore(redis)
        self.spec = Seats(bytearray(b"0" * SEATS), [0] * SEATS)
        self.now_ms, self.version, self.fences = BEGIN_MS, 0, {}
        self.states = b"0" * SEATS

    async def begin(self):
        await self.redis.flushall()
        await self.store.lay(EVENT, EPOCH, b"0" * SEATS, bytes(4 * SEATS))
        await self.redis.set(epoch_key(EVENT), EPOCH.text)
        self.version = (await self.store.snapshot(self.at())).version

    def at(self):
        return At(EVENT, EPOCH, self.version, self.now_ms)

    async def step(self, step):
        name, waited_ms, *rest = step
        self.now_ms += waited_ms
        wanted, got = await getattr(self, name)(*rest)
        assert wanted == got, step
        await self.compare_states()

    async def hold(self, hold_id, fan, alternatives, booked, admitted):
        await self.redis.zadd(ADMISSION, {fan: ADMITTED_UNTIL if admitted else 1})
        offer = Offer(max_tickets=5, booked=booked, hold_ms=60_000, admitted=admitted)
        wanted = self.spec.hold(hold_id, fan, alternatives, offer, self.now_ms)
        got = await self.answer(
            self.store.hold(
                self.at(),
                hold_id=hold_id,
                subject=fan,
                alternatives=[Alternative(seats, {"n": []}) for seats in alternatives],
                max_tickets=5,
                booked=booked,
                hold_ms=60_000,
                admission_key=ADMISSION,
            )
        )
        if not isinstance(got, str):
            self.fences.setdefault((hold_id, wanted.number), got.fence)
        return self.seen(hold_id, wanted), self.plain(got)

    async def release(self, hold_id, fan):
        wanted = self.spec.release(hold_id, fan, self.now_ms)
        got = await self.answer(self.store.release(self.at(), hold_id=hold_id, subject=fan))
        return wanted, got

    async def pin(self, hold_id, fan):
        known = self.spec.holds.get(hold_id)
        number = known.number if known else 0
        fence = self.fences.get((hold_id, number), "7.0")
        wanted = self.spec.pin(hold_id, fan, number, 90_000, self.now_ms)
        got = await self.answer(
            self.store.pin(
                self.at(), hold_id=hold_id, subject=fan, fence=fence, pin_ms=90_000,
                admission_key=ADMISSION,
            )
        )  # fmt: skip
        return self.seen(hold_id, wanted), self.plain(got)

    async def unpin(self, hold_id):
        known = self.spec.holds.get(hold_id)
        number = known.number if known else 0
        fence = self.fences.get((hold_id, number), "7.0")
        wanted = self.spec.unpin(hold_id, number, self.now_ms)
        return wanted, await self.answer(self.store.unpin(self.at(), hold_id=hold_id, fence=fence))

    async def apply(self, hold_id, state, seats, rev):
        wanted = self.spec.apply(hold_id, state, [(s, rev) for s in seats], self.now_ms)
        fates = [Fate(seat, rev) for seat in seats]
        got = await self.answer(
            self.store.apply(self.at(), hold_id=hold_id, state=state, fates=fates)
        )
        return wanted, got

    async def mine(self, fan):
        wanted = self.spec.mine(fan, self.now_ms)
        got = await self.answer(self.store.mine(self.at(), subject=fan))
        return self.seen(self.spec.holders.get(fan), wanted), self.plain(got)

    async def put_off(self, back_ms, ahead_ms, most):
        """Page by page; in the end as if it were one step."""
        since_ms, until_ms = self.now_ms - back_ms, self.now_ms + ahead_ms
        wanted = self.spec.put_off(since_ms, until_ms, self.now_ms)
        moved, left = 0, True
        while left:
            _, (some, left) = await self.store.put_off(
                self.at(), since_ms=since_ms, until_ms=until_ms, most=most
            )
            moved += some
        return wanted, moved

    async def answer(self, call):
        try:
            version, result = await call
        except AppError as exc:
            return exc.code
        assert version >= self.version, "versions never go back"
        return result

    def seen(self, hold_id, wanted):
        if not isinstance(wanted, Held):
            return wanted
        fence = self.fences[(hold_id, wanted.number)]
        pinned = wanted.pinned_ms > 0
        return (hold_id, wanted.subject, wanted.seats, fence, wanted.ends_ms, pinned)

    def plain(self, got):
        if got is None or isinstance(got, str):
            return got
        return (got.hold_id, got.subject, got.seats, got.fence, got.ends_ms, got.pinned)

    async def compare_states(self):
        """Also the law of the log: the old copy and the changes make the new snapshot."""
        news = await self.store.changes(self.at(), after=self.version)
        copy = bytearray(self.states)
        for seat, state in coalesce(news.changes).items():
            copy[seat] = state
        snapshot = await self.store.snapshot(self.at())
        self.spec.sweep(self.now_ms)
        assert bytes(copy) == snapshot.states == bytes(self.spec.states)
        assert news.version == snapshot.version >= self.version
        self.states, self.version = bytes(copy), news.version
        locks = {
            int(name.decode().removeprefix(lock_prefix(EVENT))): value.decode().rpartition(":")[0]
            for name in await self.redis.keys(lock_prefix(EVENT) + "*")
            if (value := await self.redis.get(name))
        }
        assert locks == self.spec.locks


@example(
    [
        ("hold", 0, "hd_0", "vs_a", [[0, 1]], 0, True),
        ("hold", 40_000, "hd_1", "vs_a", [[1, 2]], 0, True),
    ]
)
@example(
    [
        ("hold", 0, "hd_0", "vs_a", [[0, 1]], 0, True),
        ("hold", 0, "hd_1", "vs_b", [[2]], 0, True),
        ("pin", 0, "hd_0", "vs_a"),
        ("put_off", 0, 5_000, 20_000, 1),
        ("put_off", 40_000, 60_000, 0, 1),
        ("unpin", 0, "hd_0"),
        ("mine", 40_000, "vs_a"),
        ("mine", 0, "vs_b"),
    ]
)
@settings(max_examples=max(150, settings.default.max_examples))
@given(history=steps)
def test_scripts_and_specification_agree_on_any_history(services, history):
    async def run():
        async with connect(services.redis_url) as redis:
            both = Both(redis)
            await both.begin()
            for step in history:
                await both.step(step)

    asyncio.run(run())
