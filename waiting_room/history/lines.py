"""A sale's log as lines of JSON, in order of time; and a sale from such lines. Pure.

    {"what":"sale","event":"ev_…","acceptMs":…,"shopMs":…}                      the first line
    {"what":"join","at":…,"place":…}                 given out by then, exact to a second
    {"what":"tick","at":…,"generation":…,"open":true,"perMinute":…, …}
    {"what":"call","at":…,"turn":…,"place":…,"kind":"fresh|replacement|direct|skip"}
    {"what":"accept","at":…,"turn":…}
    {"what":"end","at":…,"turn":…,"reason":"booked|left|lapsed|…"}
    {"what":"gone","at":…,"place":…}                 passed over then and never called

No line names a fan. `chain` of each line is a hash over the line and the chain before it: a line
that was changed, left out or moved breaks it, and only who made the whole file anew can hide that.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from hashlib import sha256
from itertools import accumulate
from typing import Any

import orjson

from waiting_room.history.model import FROM_QUEUE, Sale, Tick, Turn

ORDER = ("sale", "join", "tick", "call", "accept", "end", "gone")
CHAIN_CHARS = 32
Line = dict[str, Any]


class BadLog(ValueError):
    """The lines are no log, or were changed after the export; the message says where."""


def export(sale: Sale) -> Iterator[bytes]:
    """Each with its newline."""
    chain = ""
    for line in sorted(_lines(sale), key=_moment):
        text = orjson.dumps(line)
        chain = _link(chain, text)
        yield orjson.dumps(line | {"chain": chain}, option=orjson.OPT_APPEND_NEWLINE)


def read(texts: Iterable[bytes]) -> Sale:
    """Raises BadLog."""
    chain, head, ticks, turns = "", None, [], dict[int, Line]()
    for number, text in enumerate(texts, 1):
        try:
            line = orjson.loads(text)
            given = line.pop("chain")
            chain = _link(chain, orjson.dumps(line))
            if given != chain:
                raise BadLog(f"line {number} was changed, or one before it left out or moved")
            if line["what"] == "sale":
                head = line
            elif line["what"] == "tick":
                ticks.append(_tick(line))
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
    given = [(tick.at_ms, tick.last_place) for tick in sale.ticks]
    highest = list(accumulate((last for _, last in given), max))
    places = range(1, highest[-1] + 1 if highest else 1)
    return [(given[bisect_left(highest, place)][0], place) for place in places]


def gone(sale: Sale) -> list[tuple[int, int]]:
    """(at, place) of each place passed over and never called."""
    queued = sorted((t.called_at_ms, t.place) for t in sale.turns if t.kind in FROM_QUEUE)
    heads = list(accumulate((place for _, place in queued), max))
    called = {turn.place for turn in sale.turns}
    return [
        (queued[bisect_left(heads, place)][0], place)
        for place in range(1, heads[-1] if heads else 1)
        if place not in called
    ]


def _lines(sale: Sale) -> Iterator[Line]:
    windows = {"acceptMs": sale.accept_ms, "shopMs": sale.shop_ms}
    yield {"what": "sale", "event": sale.event_id} | windows
    for at_ms, place in joins(sale):
        yield {"what": "join", "at": at_ms, "place": place}
    for at_ms, place in gone(sale):
        yield {"what": "gone", "at": at_ms, "place": place}
    for tick in sale.ticks:
        yield {"what": "tick", "at": tick.at_ms} | {
            _camel(name): value for name, value in asdict(tick).items() if name != "at_ms"
        }
    for number, turn in enumerate(sale.turns):
        of, at_ms = {"turn": number}, turn.called_at_ms
        yield {"what": "call", "at": at_ms} | of | {"place": turn.place, "kind": turn.kind}
        if turn.accepted_at_ms is not None:
            yield {"what": "accept", "at": turn.accepted_at_ms} | of
        if turn.reason == "lapsed" or turn.ends_at_ms is not None:
            ends = turn.ends_at_ms or at_ms + sale.accept_ms
            yield {"what": "end", "at": ends} | of | {"reason": turn.reason or "time"}


def _moment(line: Line) -> tuple[Any, ...]:
    order = ORDER.index(line["what"])
    return line.get("at", 0), order, line.get("turn", line.get("place", 0))


def _link(chain: str, text: bytes) -> str:
    return sha256(chain.encode() + text).hexdigest()[:CHAIN_CHARS]


def _tick(line: Line) -> Tick:
    values = {
        field.name: line[_camel(field.name)] for field in fields(Tick) if field.name != "at_ms"
    }
    return Tick(at_ms=line["at"], **values)


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
