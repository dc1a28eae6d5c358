"""A recorded sale under the policy again: it must make the same calls. Pure.

A tick's note has the numbers that the script decided on; `plan_calls`, fed with them and with
nothing but its own counters in between, must come to the same number of fresh calls and
replacements at the same time. Whom it calls follows from the places: never one that was not given
out, none twice, in rising order within a tick. Places passed over were away or given up: who was
present is not in the log, so that much is taken from it and not proved by it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from waiting_room.history.model import FROM_QUEUE, Sale, Tick, Turn
from waiting_room.policy import Limits, Pace, earned, plan_calls

MOST_DIFFERENCES = 20


@dataclass(slots=True)
class Replayed:
    ticks: int = 0
    calls: int = 0  # from the queue
    passed_over: int = 0  # at some tick, while a higher place was called
    came_back: int = 0  # … and called later
    differences: list[str] = field(default_factory=list)  # the first ones


def replay(sale: Sale) -> Replayed:
    """What the policy makes of the sale's own numbers; no differences when it agrees."""
    return _Replay(sale).run()


class _Replay:
    def __init__(self, sale: Sale) -> None:
        self._sale, self._said = sale, Replayed()
        self._calls: dict[int, list[Turn]] = defaultdict(list)
        for turn in sale.turns:
            if turn.kind in FROM_QUEUE:
                self._calls[turn.called_at_ms].append(turn)
        self._others = [turn for turn in sale.turns if turn.kind not in FROM_QUEUE]
        self._pace, self._called, self._passed = Pace(), set[int](), set[int]()
        self._head = 0

    def run(self) -> Replayed:
        before: Tick | None = None
        for tick in self._sale.ticks:
            if before is None or before.generation != tick.generation:
                self._begin(tick)
            if before is not None and _limits(before) != _limits(tick):
                self._earn(_limits(before), tick.since_ms)
            self._take_other_turns(tick)
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

    def _take_other_turns(self, tick: Tick) -> None:
        """Fans past the line, and straight in by auto, took tokens too: how many are left then is
        taken from the tick."""
        while self._others and self._others[0].called_at_ms <= tick.at_ms:
            turn = self._others.pop(0)
            if turn.kind == "skip":
                self._pace = replace(self._pace, fresh=self._pace.fresh + 1)
                self._called.add(turn.place)
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
        kinds = [turn.kind for turn in turns]
        if kinds != ["fresh"] * fresh + ["replacement"] * replacements:
            self._differ(
                f"at {tick.at_ms} the policy calls {fresh} and replaces {replacements}, "
                f"the sale called {kinds.count('fresh')} and replaced "
                f"{kinds.count('replacement')}"
            )
        self._who(tick, [turn.place for turn in turns])
        self._said.ticks += 1
        self._said.calls += len(turns)
        self._pace = replace(after, fresh=tick.fresh, replaced=tick.replaced, binds=tick.pace_binds)

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
