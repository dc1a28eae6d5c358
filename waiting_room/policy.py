"""The decisions of the waiting room: pure, no clock, no store. tick.lua carries the first out.

Two limits hold at once. The *cap* bounds how many are called or shopping; the *pace* bounds how
fast fresh calls come. Pace is a token bucket counted in exact integers: `per_minute` times
elapsed ms, and one fan costs 60,000. Floats would drift, and rounding each tick would lose up to
one fan a tick. A call that lapses unaccepted is replaced on top of the pace, at most two for each
fresh call, so that accepted turns reach the pace whatever the no-show rate is.

How much the bucket holds depends on what binds. While the pace binds, ticks that came late are
made up for (CATCH_UP_MS), or a node's death would cost turns. While cap or queue bind, hardly
anything is saved (BURST_MS), or the next minute would see more calls than the pace.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from waiting_room.model import Counts, RoomSettings

# What keeps the next fan from being called. `closed`: nobody waits, and nobody new may.
Binding = Literal[
    "store_down", "stopped", "early", "restoring", "paused", "off", "closed", "empty", "cap", "pace"
]
BINDINGS: tuple[Binding, ...] = get_args(Binding)

FAN = 60_000  # token units of one call
BURST_MS = 250  # an idle spell earns no more than this: 0.4 % of a minute
CATCH_UP_MS = 3_000  # and ticks that came late no more than this: about a dead node's lease
CALLS_PER_TICK = 500
KEPT_BEHIND = 2_000  # an away fan whom the head has passed by more places than this is gone
REPLACEMENTS_PER_FRESH = 2
RESTORE_MS = 30_000  # calling stands still so long after a repair, for fans to come back
OUTAGE_MS = 3_000  # PostgreSQL is away once no node has reached it for so long
PUT_OFF_EVERY_MS = 10_000  # while the sale stands still
BOOKED_GRACE_MS = 5 * 60_000  # an admission outlives its booking by so much


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The counters between two ticks."""

    tokens: int = FAN  # a new room lets its first fan in at once
    tokens_at_ms: int = 0
    fresh: int = 0
    replaced: int = 0
    lapsed: int = 0
    binds: bool = False  # the pace alone kept the last tick from calling more


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    per_minute: int
    max_active: int
    open: bool  # mode on or auto, opened, not paused, stopped or standing still after a repair


def plan_calls(
    pace: Pace, limits: Limits, *, now_ms: int, busy: int, present: int, room: int
) -> tuple[int, int, Pace]:
    """(fresh calls, replacements, the counters after them).

    Args:
        busy: Called, on their way to being called, and shopping. May exceed the cap just after
            it was lowered; then nobody is called.
        present: Fans who wait and are present.
        room: Most calls in this tick.
    """
    tokens = earned(pace, limits, now_ms=now_ms)
    free = min(limits.max_active - busy, present) if limits.open else 0
    left = max(0, min(room, free))
    fresh = max(0, min(left, tokens // FAN))
    owed = min(pace.lapsed, REPLACEMENTS_PER_FRESH * (pace.fresh + fresh)) - pace.replaced
    replacements = max(0, min(left - fresh, owed))
    after = replace(
        pace,
        tokens=tokens - fresh * FAN,
        tokens_at_ms=now_ms,
        fresh=pace.fresh + fresh,
        replaced=pace.replaced + replacements,
        binds=fresh + replacements < free,
    )
    return fresh, replacements, after


def skip_line(pace: Pace, limits: Limits, *, now_ms: int, busy: int) -> Pace | None:
    """An operator calls one fan past the line: the counters after it, None when the cap is full.

    It counts as a fresh call and takes a fan's tokens even where there are none: the queue's next
    call comes so much later, and the calls of a minute still meet the pace.
    """
    if busy >= limits.max_active:
        return None
    tokens = earned(pace, limits, now_ms=now_ms) - FAN
    return replace(pace, tokens=tokens, tokens_at_ms=now_ms, fresh=pace.fresh + 1)


def earned(pace: Pace, limits: Limits, *, now_ms: int) -> int:
    """Tokens at that moment; below 0 after turns out of line."""
    elapsed_ms = max(0, now_ms - pace.tokens_at_ms)
    most = max(FAN, limits.per_minute * (CATCH_UP_MS if pace.binds else BURST_MS))
    return min(most, pace.tokens + elapsed_ms * limits.per_minute)


def binding(
    room: RoomSettings, *, now_ms: int, present: int, busy: int, store_down: bool = False
) -> Binding:
    """What binds now: the first of these that holds. Lifted, it lets the next one bind.

    Args:
        present: Fans who wait and are present.
        busy: Called, on their way to being called, and shopping.
        store_down: PostgreSQL or Redis does not answer.
    """
    reasons: tuple[tuple[Binding, bool], ...] = (
        ("store_down", store_down),
        ("stopped", room.stopped),
        ("early", now_ms < room.opens_at_ms),
        ("restoring", now_ms < room.resume_at_ms),
        ("paused", room.paused),
        ("off", room.mode == "off"),
        ("closed", present == 0 and room.intake != "open"),
        ("empty", present == 0),
        ("cap", busy >= room.max_active),
    )
    return next((name for name, holds in reasons if holds), "pace")


def calls_open(room: RoomSettings, *, now_ms: int) -> bool:
    """Whether anybody may be called at all, however pace, cap and queue stand: `Limits.open`."""
    stands_still = room.paused or room.stopped or now_ms < room.resume_at_ms
    return room.mode != "off" and not stands_still and now_ms >= room.opens_at_ms


def is_drained(room: RoomSettings, counts: Counts, *, now_ms: int) -> bool:
    """Whether a drain is at its end: nobody present waits, is called or shops; the lobby is empty.

    Not while calling stands still after a repair: fans are still on their way back then.
    """
    left = counts.lobby + counts.present + counts.calling + counts.called + counts.active
    return room.intake == "draining" and left == 0 and now_ms >= room.resume_at_ms


def away_since(now_ms: int, reached_ms: int) -> int | None:
    """Since when PostgreSQL is away for all nodes, of which one last reached it at `reached_ms`."""
    return reached_ms if now_ms - reached_ms >= OUTAGE_MS else None


def still_since(room: RoomSettings, stopped_at_ms: int, away_since_ms: int | None) -> int | None:
    """Since when no fan can use their time: nothing can be booked. None: they can."""
    began = [stopped_at_ms] if room.stopped else []
    return min(began if away_since_ms is None else [*began, away_since_ms], default=None)


def made_good_until(now_ms: int) -> int:
    """Up to when ends are put off while the sale stands still: 20 to 30 s ahead.

    The same for all nodes, by rounding, and far enough that a node may be restarted meanwhile.
    """
    return (now_ms // PUT_OFF_EVERY_MS + 3) * PUT_OFF_EVERY_MS
