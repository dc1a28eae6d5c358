"""Laws of the simulated sale, and: it calls whom the script calls, at the same time."""

import asyncio
import itertools
from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.generations import Epoch
from core.redis import connect
from waiting_room.keys import epoch_key, key
from waiting_room.model import Join, RoomSettings
from waiting_room.policy import Limits
from waiting_room.simulation.engine import simulate
from waiting_room.simulation.model import MS_BITS, NEVER, Absences, Change, Crowd, Terms
from waiting_room.store import QueueStore

EPOCH = Epoch(1, "abcdef01")
START_MS = 1_000_000_000_000
TICK_MS, ACCEPT_MS, SHOP_MS = 500, 4_000, 6_000
TICKS = 60
GRACE_MS, KEPT_BEHIND = 1_500, 3
_events = itertools.count()

FAN = st.fixed_dictionaries(
    {
        "arrives": st.integers(0, 15_000),
        "patience": st.one_of(st.just(None), st.integers(1, 12_000)),
        "answers": st.integers(0, 2 * ACCEPT_MS),  # half of them too late
        "shops": st.integers(0, 9_000),
        "wants": st.integers(0, 4),
        "away": st.lists(
            st.tuples(st.integers(0, 8_000), st.one_of(st.just(None), st.integers(1, 9_000))),
            max_size=2,
        ),
    }
)
FANS = st.lists(FAN, max_size=30)
PATIENT = {
    "arrives": 0,
    "patience": None,
    "answers": 0,
    "shops": 1_000,
    "wants": 0,
    "away": [],
}
NOBODY_WAITS_FOR_A_WHILE = [  # the pace binds when the last one goes: nothing is saved up then
    PATIENT,
    PATIENT | {"patience": 400},
    *[PATIENT | {"arrives": 4_000}] * 3,
]
CAP = st.integers(0, 8)
PACE = st.sampled_from([0, 6, 60, 600])


def crowd_of(fans):
    fans = sorted(fans, key=lambda fan: fan["arrives"])
    leaves = [NEVER if f["patience"] is None else f["arrives"] + f["patience"] for f in fans]

    def column(name):
        return np.array([fan[name] for fan in fans], np.int64)

    return Crowd(
        arrives_ms=column("arrives"),
        leaves_ms=np.array(leaves, np.int64),
        answers_ms=column("answers"),
        shops_ms=column("shops"),
        wants=column("wants"),
        absences=absences_of(fans),
    )


def absences_of(fans):
    """Of each fan: (there for so long, then not there for so long; None: for good)."""
    rows = []
    for number, fan in enumerate(fans):
        since_ms = fan["arrives"]
        for there_ms, lasts_ms in fan["away"]:
            since_ms += there_ms
            back_ms = NEVER if lasts_ms is None else since_ms + lasts_ms
            rows.append((number, since_ms, since_ms + GRACE_MS, back_ms))
            if lasts_ms is None:
                break
            since_ms = back_ms + 1
    return Absences.of(*np.array(rows, np.int64).reshape(-1, 4).T)


def name_of(n):
    """So that names sort as numbers do: of those who come at one moment, the first is the first."""
    return f"fan{n:02}"


def within(absences, fan, now_ms, begin):
    """The time that is left of what began then and ends when the fan is back; 0 outside of it."""
    begins = absences.away_ms if begin == "away_ms" else absences.begins % 2**MS_BITS
    inside = (absences.fan == fan) & (begins <= now_ms) & (absences.back_ms > now_ms)
    return int((absences.back_ms[inside] - now_ms).sum())


def is_away(crowd, fan, now_ms):
    return within(crowd.absences, fan, now_ms, "away_ms") > 0


def simulated(crowd, terms, *, seats=None):
    return simulate(
        crowd,
        terms,
        seats=seats,
        tick_ms=TICK_MS,
        until_ms=TICKS * TICK_MS,
        kept_behind=KEPT_BEHIND,
    )


def limits_of(per_minute, cap, *, flowing=True):
    return Limits(per_minute=per_minute, max_active=cap, open=flowing)


def busy_at(outcome, now_ms):
    """Slots taken just after the tick of that moment."""
    in_this_tick, before = outcome.called_ms == now_ms, outcome.called_ms < now_ms
    return int((in_this_tick | (before & (outcome.ends_ms > now_ms))).sum())


@given(fans=FANS, per_minute=PACE, cap=CAP, seats=st.one_of(st.none(), st.integers(0, 20)))
def test_every_fan_is_called_waits_or_has_gone_and_slots_and_seats_are_never_exceeded(
    fans, per_minute, cap, seats
):
    crowd = crowd_of(fans)
    terms = Terms.steady(limits_of(per_minute, cap), accept_ms=ACCEPT_MS, shop_ms=SHOP_MS)
    out = simulated(crowd, terms, seats=seats)
    called = np.flatnonzero(out.called)
    assert (out.called_ms[called] >= crowd.arrives_ms[called]).all()
    assert (out.called_ms[called] < crowd.leaves_ms[called]).all()
    moments = range(0, TICKS * TICK_MS, TICK_MS)
    most = max((busy_at(out, now_ms) for now_ms in moments), default=0)
    assert most == out.peak_busy <= cap  # Q3
    assert out.fresh + out.replacements == len(called)
    assert out.fresh <= 1 + out.ended_ms * per_minute / 60_000  # the pace
    assert out.replacements <= 2 * out.fresh
    assert out.sold <= (NEVER if seats is None else seats)


@given(fans=FANS, per_minute=PACE, cap=CAP)
def test_who_is_away_is_passed_over_and_keeps_the_place_until_the_head_is_far_past(
    fans, per_minute, cap
):
    crowd = crowd_of(fans)
    terms = Terms.steady(limits_of(per_minute, cap), accept_ms=ACCEPT_MS, shop_ms=SHOP_MS)
    out = simulated(crowd, terms)
    head = -1
    for now_ms in range(0, out.ended_ms + 1, TICK_MS):
        called = np.flatnonzero(out.called_ms == now_ms)
        in_line = (crowd.arrives_ms <= now_ms) & (crowd.leaves_ms > now_ms)
        waiting = in_line & (out.called_ms > now_ms) & (out.gone_ms > now_ms)
        away = {n for n in range(len(crowd)) if is_away(crowd, n, now_ms)}
        assert not away.intersection(called)
        if len(called):  # Q1
            assert away.issuperset(np.flatnonzero(waiting[: called.max()]))
        head = max([head, *called])
        assert not any(waiting[n] and n < head - KEPT_BEHIND for n in away)
        for gone in np.flatnonzero(out.gone_ms == now_ms):
            assert gone in away
            assert gone < head - KEPT_BEHIND
            assert not out.called[gone]
    if out.ended_ms < TICKS * TICK_MS:  # nobody is left who is there, or will be
        assert away.issuperset(np.flatnonzero(waiting))
        to_come = crowd.absences.back_ms > out.ended_ms
        assert not any(waiting[crowd.absences.fan[to_come & (crowd.absences.back_ms < NEVER)]])


@given(fans=FANS, per_minute=PACE, cap=CAP)
def test_who_is_called_within_the_grace_answers_when_they_are_back(fans, per_minute, cap):
    crowd = crowd_of(fans)
    terms = Terms.steady(limits_of(per_minute, cap), accept_ms=ACCEPT_MS, shop_ms=SHOP_MS)
    out = simulated(crowd, terms)
    for fan in np.flatnonzero(out.called):
        called_ms = int(out.called_ms[fan])
        left_ms = within(crowd.absences, fan, called_ms, "since_ms")
        answer_ms = left_ms + int(crowd.answers_ms[fan])
        assert out.accepted[fan] == (answer_ms < ACCEPT_MS)
        stay_ms = answer_ms + min(SHOP_MS, int(crowd.shops_ms[fan]))
        assert out.ends_ms[fan] == called_ms + (stay_ms if out.accepted[fan] else ACCEPT_MS)


@given(fans=FANS, per_minute=PACE, cap=CAP, at_tick=st.integers(1, 30))
def test_a_change_that_changes_nothing_changes_nothing(fans, per_minute, cap, at_tick):
    limits, crowd = limits_of(per_minute, cap), crowd_of(fans)
    plain = Terms.steady(limits, accept_ms=ACCEPT_MS, shop_ms=SHOP_MS)
    changed = replace(plain, changes=(*plain.changes, Change(at_tick * TICK_MS, limits)))
    one = simulated(crowd, plain)
    other = simulated(crowd, changed)
    assert (one.called_ms == other.called_ms).all()


@given(fans=FANS, closed=st.tuples(st.integers(0, 20), st.integers(0, 20)))
def test_nobody_is_called_while_the_room_is_paused(fans, closed):
    begin, length = (ticks * TICK_MS for ticks in closed)
    changes = (
        Change(0, limits_of(600, 8)),
        Change(begin, limits_of(600, 8, flowing=False)),
        Change(begin + length, limits_of(600, 8)),
    )
    terms = Terms(changes=changes, accept_ms=ACCEPT_MS, shop_ms=SHOP_MS)
    out = simulated(crowd_of(fans), terms)
    assert not ((out.called_ms >= begin) & (out.called_ms < begin + length)).any()


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=max(25, settings.default.max_examples // 4),
)
@given(fans=st.lists(FAN, min_size=5, max_size=20), per_minute=PACE, cap=CAP)
@example(fans=[PATIENT] * 12, per_minute=60, cap=8)  # all at one moment, in the order of the list
@example(fans=NOBODY_WAITS_FOR_A_WHILE, per_minute=60, cap=8)
def test_the_simulation_calls_whom_the_script_calls_at_the_same_time(
    redis_url, fans, per_minute, cap
):
    crowd = crowd_of(fans)
    terms = Terms.steady(limits_of(per_minute, cap), accept_ms=ACCEPT_MS, shop_ms=SHOP_MS)
    out = simulated(crowd, terms)
    calls = {name_of(n): int(out.called_ms[n]) for n in np.flatnonzero(out.called)}
    assert asyncio.run(called_by_the_script(redis_url, crowd, per_minute, cap)) == calls


async def called_by_the_script(redis_url, crowd, per_minute, cap):
    """The same crowd at the real script, tick by tick; subject → ms from the start."""
    room = RoomSettings(
        mode="on",
        per_minute=per_minute,
        max_active=cap,
        accept_ms=ACCEPT_MS,
        shop_ms=SHOP_MS,
        grace_ms=10**9,
        paused=False,
        pause_reason="",
        opens_at_ms=0,
        version=1,
    )
    event_id, called = f"ev_simulated{next(_events)}", {}
    async with connect(redis_url) as redis:
        store, at = QueueStore(redis), (event_id, EPOCH, 0)
        await store.restore(event_id, room, 0, [])
        await redis.set(epoch_key(event_id), EPOCH.text)
        await store.copy_settings(*at, replace(room, version=2), 10_000)
        todo = [*moves(crowd)]
        for tick in range(TICKS + 1):
            now_ms = tick * TICK_MS
            for what in sorted(entry for entry in todo if entry[0] <= now_ms):
                todo.remove(what)
                await act(redis, store, at, what, called)
            calls = await store.tick(
                *at,
                call_ids=[f"ad_{n}" for n in range(50)],
                now_ms=START_MS + now_ms,
                kept_behind=KEPT_BEHIND,
            )
            subjects = [call.subject for call in calls]
            await store.announce(*at, subjects, now_ms=START_MS + now_ms)
            for subject in subjects:
                called[subject] = now_ms
                todo += later(crowd, subject, now_ms)
    return called


def moves(crowd):
    """(when, in which order of one moment, what, who)."""
    yield from ((int(ms), 0, "join", name_of(n)) for n, ms in enumerate(crowd.arrives_ms))
    yield from ((int(ms), 3, "leave", name_of(n)) for n, ms in enumerate(crowd.leaves_ms))
    away = crowd.absences
    for n, away_ms, back_ms in zip(away.fan, away.away_ms, away.back_ms, strict=True):
        if away_ms < back_ms:
            yield int(away_ms), 2, "away", name_of(n)
            yield int(back_ms), 1, "back", name_of(n)


def later(crowd, subject, called_ms):
    """What a called fan does next. Who lets go early leaves; nobody's time is cut twice."""
    n = int(subject.removeprefix("fan"))
    answers_ms = int(crowd.answers_ms[n]) + within(crowd.absences, n, called_ms, "since_ms")
    if answers_ms < ACCEPT_MS:
        yield called_ms + answers_ms, 4, "accept", subject
        if crowd.shops_ms[n] < SHOP_MS:
            yield called_ms + answers_ms + int(crowd.shops_ms[n]), 5, "done", subject


async def act(redis, store, at, what, called):
    ms, _, action, subject = what
    event_id, now_ms = at[0], START_MS + ms
    place = 1 + int(subject.removeprefix("fan"))
    if action == "join":
        await store.join(*at, [Join(subject, "ad_x")], now_ms=now_ms)
    elif action == "accept":
        assert await store.accept(*at, subject, now_ms=now_ms)
    elif action == "away":  # as age.lua does it when the grace is over
        was = await redis.setbit(key(event_id, "present"), place, 0)
        await redis.hincrby(key(event_id, "state"), "present", -was)
    elif action == "back":
        await store.see(*at, [place])
    elif action == "done" or subject not in called:  # the called have stopped waiting
        await store.leave(*at, subject)
