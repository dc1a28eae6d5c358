"""A recorded sale under the policy again: it must make the same calls. Pure.

A tick's note has the numbers that the script decided on; `plan_calls`, fed with them and with
nothing but its own counters in between, must come to the same number of fresh calls and
replacements at the same time. Whom it calls follows from who was there: the lowest places of those
present, as the log's lines about presence add up. So the replay makes each call by itself and
compares: number, kind, place and time.

Where no node knew who was there (a log from before that was kept; every node died in between), the
calls are held to less: a place that was given out, none twice, rising within a tick. `unproved`
counts them.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from itertools import zip_longest

from waiting_room.history.model import FROM_QUEUE, Sale, Tick, Turn
from waiting_room.history.presence import Presence
from waiting_room.policy import Limits, Pace, earned, plan_calls
from waiting_room.ranks.index import places_of

MOST_DIFFERENCES = 20
NOBODY = 0  # in place of a place


@dataclass(slots=True)
class Replayed:
    ticks: int = 0
    calls: int = 0  # from the queue
    unproved: int = 0  # of them: nobody knows any more who was there
    passed_over: int = 0  # at some tick, while a higher place was called
    came_back: int = 0  # … and called later
    differences: list[str] = field(default_factory=list)  # the first ones


def replay(sale: Sale) -> Replayed:
    """What the policy makes of the sale's own numbers; no differences when it agrees."""
    return _Replay(sale).run()


class _Present:
    """Who is there, the lowest place first. `known` is false until somebody said it whole."""

    def __init__(self) -> None:
        self._forget(())
        self.known = False

    def take(self, presence: Presence | None) -> None:
        """What changed up to a tick."""
        if presence is None:
            self.known = False
        elif presence.whole:
            self._forget(places_of(presence.here))
            self.known = True
        else:
            for place in places_of(presence.here):
                if place not in self._places:
                    self._places.add(place)
                    heappush(self._line, place)
            self._places.difference_update(places_of(presence.away))

    def __len__(self) -> int:
        return len(self._places)

    def lowest(self, count: int) -> list[int]:
        """Those whom a tick calls; they stay until `called`."""
        found: list[int] = []
        while self._line and len(found) < count:
            place = heappop(self._line)
            if place in self._places and place not in found[-1:]:
                found.append(place)
        for place in found:
            heappush(self._line, place)
        return found

    def called(self, places: Iterable[int]) -> None:
        self._places.difference_update(places)

    def _forget(self, places: Iterable[int]) -> None:
        self._places = set(places)
        self._line = list(self._places)
        heapify(self._line)


class _Replay:
    def __init__(self, sale: Sale) -> None:
        self._sale, self._said = sale, Replayed()
        self._calls: dict[int, list[Turn]] = defaultdict(list)
        for turn in sale.turns:
            if turn.kind in FROM_QUEUE:
                self._calls[turn.called_at_ms].append(turn)
        self._past_the_line = deque(turn for turn in sale.turns if turn.kind == "skip")
        self._uncounted = 0  # turns past the line that no tick's counters had yet
        self._straight_in = deque(turn for turn in sale.turns if turn.kind == "direct")
        self._pace, self._called, self._passed = Pace(), set[int](), set[int]()
        self._present = _Present()
        self._head = 0

    def run(self) -> Replayed:
        before: Tick | None = None
        for tick in self._sale.ticks:
            anew = before is None or before.generation != tick.generation
            if before is not None and not anew and _limits(before) != _limits(tick):
                self._earn(_limits(before), tick.since_ms)
            self._take_past_the_line(tick)
            self._take_straight_in(tick)
            if anew:  # what the turns before it left is in the tick's own numbers
                self._begin(tick)
            self._one(tick)
            before = tick
        for at_ms, turns in self._calls.items():
            self._differ(f"{len(turns)} calls at {at_ms} without a tick")
        return self._said

    def _begin(self, tick: Tick) -> None:
        """A new generation of the room: tokens and counters begin as its first tick found them."""
        here = self._calls.get(tick.at_ms, [])
        fresh = sum(turn.kind == "fresh" for turn in here)
        self._pace = Pace(
            tokens=tick.tokens,
            tokens_at_ms=tick.at_ms,
            fresh=tick.fresh - fresh,
            replaced=tick.replaced - (len(here) - fresh),
        )

    def _earn(self, limits: Limits, now_ms: int) -> None:
        """What ticks that were not noted earned, under the rules of before."""
        tokens = earned(self._pace, limits, now_ms=now_ms)
        self._pace = replace(self._pace, tokens=tokens, tokens_at_ms=now_ms)

    def _take_past_the_line(self, tick: Tick) -> None:
        """They count as fresh calls. How many came since the tick before, the counters say, and not
        their times: one of the tick's own ms may have come before it or after.
        """
        turns, here = self._past_the_line, self._calls.get(tick.at_ms, [])
        while turns and turns[0].called_at_ms <= tick.at_ms:
            self._called.add(turns.popleft().place)
            self._uncounted += 1
        fresh = sum(turn.kind == "fresh" for turn in here)
        count = min(self._uncounted, tick.fresh - self._pace.fresh - fresh)
        if count > 0:
            self._uncounted -= count
            self._pace = replace(self._pace, fresh=self._pace.fresh + count)
            self._take_tokens_of(tick)

    def _take_straight_in(self, tick: Tick) -> None:
        """Those of the tick's own ms may have come before it or after: they count for both."""
        turns, before = self._straight_in, len(self._straight_in)
        while turns and turns[0].called_at_ms < tick.at_ms:
            turns.popleft()
        if len(turns) < before or (turns and turns[0].called_at_ms == tick.at_ms):
            self._take_tokens_of(tick)

    def _take_tokens_of(self, tick: Tick) -> None:
        """Other turns took tokens, too: how many are left is taken from the tick."""
        self._pace = replace(self._pace, tokens=tick.tokens, tokens_at_ms=tick.at_ms)

    def _one(self, tick: Tick) -> None:
        turns = self._turns_of(tick)
        pace = replace(self._pace, lapsed=tick.lapsed)
        fresh, replacements, after = plan_calls(
            pace,
            _limits(tick),
            now_ms=tick.at_ms,
            busy=tick.busy,
            present=tick.present,
            room=tick.room,
        )
        self._present.take(tick.presence)
        self._compare(tick, ["fresh"] * fresh + ["replacement"] * replacements, turns)
        self._who(tick, [turn.place for turn in turns])
        self._said.ticks += 1
        self._said.calls += len(turns)
        self._pace = replace(after, fresh=tick.fresh, replaced=tick.replaced, binds=tick.pace_binds)

    def _compare(self, tick: Tick, kinds: list[str], turns: list[Turn]) -> None:
        """The policy's calls of a tick with the sale's, one by one; the first that differs."""
        made = [(turn.kind, turn.place) for turn in turns]
        places = [place for _, place in made]
        if self._present.known:
            self._count(tick, len(made))
            places = self._present.lowest(len(kinds))
        else:
            self._said.unproved += len(made)
        self._present.called(turn.place for turn in turns)
        places += [NOBODY] * (len(kinds) - len(places))
        planned = zip(kinds, places, strict=False)
        for number, (ours, theirs) in enumerate(zip_longest(planned, made), 1):
            if ours != theirs:
                self._differ(
                    f"differs at call {self._said.calls + number}, at {tick.at_ms}: "
                    f"the policy {_named(ours)}, the sale {_named(theirs)}"
                )
                return

    def _count(self, tick: Tick, made: int) -> None:
        """A tick says how many it could call: all who were there, or those whom it called."""
        if tick.present not in (len(self._present), made):
            self._differ(
                f"differs at call {self._said.calls + 1}, at {tick.at_ms}: {tick.present} could be "
                f"called, by the log {len(self._present)} were there"
            )

    def _turns_of(self, tick: Tick) -> list[Turn]:
        """In order of place. Ticks of one moment are told apart by what they counted."""
        here = sorted(self._calls.pop(tick.at_ms, []), key=lambda turn: turn.place)
        counted = tick.fresh + tick.replaced - self._pace.fresh - self._pace.replaced
        if len(here) > counted >= 0:
            self._calls[tick.at_ms] = here[counted:]
        return here[: max(0, counted)]

    def _who(self, tick: Tick, places: list[int]) -> None:
        for place in places:
            if place in self._called:
                self._differ(f"place {place} is called twice, the second time at {tick.at_ms}")
            if not 0 < place <= tick.last_place:
                self._differ(f"place {place} is called at {tick.at_ms} and was not given out")
            self._said.came_back += place in self._passed
            self._called.add(place)
        head = max(places, default=0)
        passed = {place for place in range(self._head + 1, head) if place not in self._called}
        self._said.passed_over += len(passed)
        self._passed |= passed
        self._head = max(self._head, head)

    def _differ(self, how: str) -> None:
        if len(self._said.differences) < MOST_DIFFERENCES:
            self._said.differences.append(how)


def _named(call: tuple[str, int] | None) -> str:
    if call is None:
        return "calls nobody"
    kind, place = call
    return f"calls place {place} ({kind})" if place else f"makes a call ({kind}) to nobody there"


def rules(sale: Sale) -> Iterator[tuple[int, Limits]]:
    """(from when, limits) as the sale had them."""
    before = None
    for tick in sale.ticks:
        limits = _limits(tick)
        if limits != before:
            yield tick.at_ms, limits
        before = limits


def _limits(tick: Tick) -> Limits:
    return Limits(per_minute=tick.per_minute, max_active=tick.max_active, open=tick.open)
