"""A sale's log as lines of JSON, in order of time; and a sale from such lines.

    {"what":"sale","event":"ev_…","acceptMs":…,"shopMs":…}                      the first line
    {"what":"join","at":…,"place":…}                 given out by then, exact to a second;
                                                     around a repair: somebody was found there
    {"what":"present","at":…,"places":"1-7 9"}       these and no others were there at the next tick
    {"what":"here","at":…,"places":"10-12"}          came, or came back, since the tick before
    {"what":"away","at":…,"places":"3"}              went away, left, or were called by it
    {"what":"tick","at":…,"generation":…,"presence":true,"open":true,"perMinute":…, …}
    {"what":"call","at":…,"turn":…,"place":…,"kind":"fresh|replacement|direct|skip"}
    {"what":"gone","at":…,"place":…}                 passed over then and never called
    {"what":"accept","at":…,"turn":…}
    {"what":"end","at":…,"turn":…,"reason":"booked|left|lapsed|…"}

No line names a fan. `presence` false: no node knew who was there at that tick. `chain` of each line
is a hash over the line and the chain before it: a line that was changed, left out or moved breaks
it, and only who made the whole file anew can hide that.

An export is written as it is read, four streams merged by time: a million fans take no more memory
than a thousand, but for a bit a place.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import fields
from hashlib import sha256
from heapq import heapify, heappop, heapreplace
from typing import Any

import numpy as np
import orjson

from waiting_room.history.model import FROM_QUEUE, Recording, Sale, Tick, Turn
from waiting_room.history.presence import Presence, in_parts
from waiting_room.ranks.index import RankIndex, ranges_of

CHAIN_CHARS = 32
LINES_AT_ONCE = 500  # some ms; then others have their turn in the process
RUNS_A_LINE = 500
NUMBERS = tuple(f.name for f in fields(Tick) if f.name not in ("at_ms", "presence"))
Line = dict[str, Any]
Merged = tuple[int, int, Line, AsyncIterator[Line]]


class BadLog(ValueError):
    """The lines are no log, or were changed after the export; the message says where."""


async def export(recording: Recording) -> AsyncIterator[bytes]:
    """Some lines at a time, each with its newline."""
    chain, some = "", list[bytes]()
    async for line in _lines(recording):
        text = orjson.dumps(line)
        chain = _link(chain, text)
        some.append(orjson.dumps(line | {"chain": chain}, option=orjson.OPT_APPEND_NEWLINE))
        if len(some) == LINES_AT_ONCE:
            yield b"".join(some)
            some.clear()
            await asyncio.sleep(0)
    yield b"".join(some)


def read(texts: Iterable[bytes]) -> Sale:
    """Raises BadLog."""
    chain, head, ticks, turns = "", None, [], dict[int, Line]()
    there = _Presence()
    for number, text in enumerate(texts, 1):
        try:
            line = orjson.loads(text)
            given = line.pop("chain")
            chain = _link(chain, orjson.dumps(line))
            if given != chain:
                raise BadLog(f"line {number} was changed, or one before it left out or moved")
            if line["what"] == "sale":
                head = line
            elif line["what"] in ("present", "here", "away"):
                there.take(line)
            elif line["what"] == "tick":
                ticks.append(_tick(line, there.at(line)))
            elif line["what"] in ("call", "accept", "end"):
                turns.setdefault(line["turn"], {})[line["what"]] = line
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as exc:
            raise BadLog(f"line {number} is no line of a sale's log") from exc
    if head is None:
        raise BadLog("there is no line that names the sale")
    return Sale(
        event_id=head["event"],
        accept_ms=head["acceptMs"],
        shop_ms=head["shopMs"],
        ticks=tuple(ticks),
        turns=tuple(_turn(turn) for turn in turns.values()),
    )


def joins(sale: Sale) -> list[tuple[int, int]]:
    """(at, place) of each place given out; the time is that of the first tick that knew of it."""
    given = _Given()
    return [(tick.at_ms, place) for tick in sale.ticks for place in given.by(tick)]


def gone(sale: Sale) -> list[tuple[int, int]]:
    """(at, place) of each place passed over and never called."""
    called = RankIndex()
    called.set([turn.place for turn in sale.turns], True)
    head = _Head(called)
    turns = sorted(sale.turns, key=lambda turn: (turn.called_at_ms, turn.place))
    return [(turn.called_at_ms, place) for turn in turns for place in head.passes(turn)]


class _Given:
    """Places that were given out between a tick and the one before.

    After a repair numbering goes on above the ceiling, and nobody noted what was given out in the
    last moment before it and in the first after. Of the places that it jumped over, those were
    given out at which somebody is found.
    """

    def __init__(self) -> None:
        self._last, self._generation = 0, 0
        self._jumped: list[range] = []
        self._found: set[int] = set()

    def by(self, tick: Tick) -> Sequence[int]:
        before, self._last = self._last, max(self._last, tick.last_place)
        given = range(before + 1, self._last + 1)
        if self._generation not in (0, tick.generation):
            self._jumped.append(given)
            given = range(0)
        self._generation = tick.generation
        return [*self._found_at(tick), *given] if self._jumped else given

    def _found_at(self, tick: Tick) -> list[int]:
        """By runs: all others who wait may be a million."""
        found = [
            place
            for run in ranges_of(tick.presence.here if tick.presence else "")
            for jump in self._jumped
            for place in range(max(run.start, jump.start), min(run.stop, jump.stop))
            if place not in self._found
        ]
        self._found.update(found)
        return found


class _Head:
    """Places that a call passes over, of those that had no turn at any time."""

    def __init__(self, called: RankIndex) -> None:
        self._called, self._head = called, 0

    def passes(self, turn: Turn) -> list[int]:
        if turn.kind not in FROM_QUEUE or turn.place <= self._head:
            return []
        between = np.arange(self._head + 1, turn.place)
        self._head = turn.place
        passed: list[int] = between[~self._called.has(between)].tolist()
        return passed


class _Presence:
    """The lines about presence before a tick, as they come."""

    def __init__(self) -> None:
        self._lines: list[Line] = []

    def take(self, line: Line) -> None:
        self._lines.append(line)

    def at(self, tick: Line) -> Presence | None:
        lines, self._lines = self._lines, []
        if not tick.get("presence"):  # not known, or the log is from before it was kept
            return None
        here = " ".join(line["places"] for line in lines if line["what"] != "away")
        away = " ".join(line["places"] for line in lines if line["what"] == "away")
        return Presence(here, away, any(line["what"] == "present" for line in lines))


async def _lines(recording: Recording) -> AsyncIterator[Line]:
    windows = {"acceptMs": recording.accept_ms, "shopMs": recording.shop_ms}
    yield {"what": "sale", "event": recording.event_id} | windows
    streams = (
        _of_ticks(recording.ticks),
        _of_turns(recording.turns, _Head(recording.called)),
        _of_accepts(recording.accepts),
        _of_ends(recording.ends),
    )
    async for line in _by_time(streams):
        yield line


async def _by_time(streams: Iterable[AsyncIterator[Line]]) -> AsyncIterator[Line]:
    """Streams in order of time as one; of one moment the first stream comes first."""
    heads: list[Merged] = []
    for number, stream in enumerate(streams):
        if (line := await anext(stream, None)) is not None:
            heads.append((line["at"], number, line, stream))
    heapify(heads)
    while heads:
        _, number, line, stream = heads[0]
        yield line
        if (following := await anext(stream, None)) is None:
            heappop(heads)
        else:
            heapreplace(heads, (following["at"], number, following, stream))


async def _of_ticks(ticks: AsyncIterable[Tick]) -> AsyncIterator[Line]:
    given = _Given()
    async for tick in ticks:
        for place in given.by(tick):
            yield {"what": "join", "at": tick.at_ms, "place": place}
        for line in _of_presence(tick):
            yield line
        yield {"what": "tick", "at": tick.at_ms, "presence": tick.presence is not None} | {
            _camel(name): getattr(tick, name) for name in NUMBERS
        }


def _of_presence(tick: Tick) -> Iterator[Line]:
    if (presence := tick.presence) is None:
        return
    if presence.here or presence.whole:
        first, *more = in_parts(presence.here, RUNS_A_LINE)
        what = "present" if presence.whole else "here"
        yield {"what": what, "at": tick.at_ms, "places": first}
        for places in more:
            yield {"what": "here", "at": tick.at_ms, "places": places}
    if presence.away:
        for places in in_parts(presence.away, RUNS_A_LINE):
            yield {"what": "away", "at": tick.at_ms, "places": places}


async def _of_turns(turns: AsyncIterable[tuple[int, Turn]], head: _Head) -> AsyncIterator[Line]:
    async for number, turn in turns:
        at_ms = turn.called_at_ms
        yield {"what": "call", "at": at_ms, "turn": number, "place": turn.place, "kind": turn.kind}
        for place in head.passes(turn):
            yield {"what": "gone", "at": at_ms, "place": place}


async def _of_accepts(accepts: AsyncIterable[tuple[int, int]]) -> AsyncIterator[Line]:
    async for number, at_ms in accepts:
        yield {"what": "accept", "at": at_ms, "turn": number}


async def _of_ends(ends: AsyncIterable[tuple[int, int, str]]) -> AsyncIterator[Line]:
    async for number, at_ms, reason in ends:
        yield {"what": "end", "at": at_ms, "turn": number, "reason": reason}


def _link(chain: str, text: bytes) -> str:
    return sha256(chain.encode() + text).hexdigest()[:CHAIN_CHARS]


def _tick(line: Line, presence: Presence | None) -> Tick:
    values = {name: line[_camel(name)] for name in NUMBERS}
    return Tick(at_ms=line["at"], presence=presence, **values)


def _turn(lines: dict[str, Line]) -> Turn:
    call, end = lines["call"], lines.get("end", {})
    return Turn(
        place=call["place"],
        kind=call["kind"],
        called_at_ms=call["at"],
        accepted_at_ms=lines["accept"]["at"] if "accept" in lines else None,
        ends_at_ms=end.get("at"),
        reason=end.get("reason"),
    )


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
