"""What `--setting` says: limits, and how they change during the sale.

pace=300,cap=1500                  all the time
pace=300,cap=1500,20:pace=600      from minute 20 on, 600 a minute
pace=300,cap=1500,20:paused,25:go  nobody is called in between
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from waiting_room.policy import Limits
from waiting_room.simulation.model import Change, Terms

MINUTE_MS = 60_000
MOST = 10_000_000  # pace, cap, minutes
ACCEPT_S, SHOP_MIN = 120, 15
USUAL = Limits(per_minute=300, max_active=2_000, open=True)


class BadSetting(ValueError):
    """The text is not understood; the message says which part and what there is."""


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    terms: Terms


def parse(text: str) -> Setting:
    """Raises BadSetting."""
    windows = {"accept": ACCEPT_S, "shop": SHOP_MIN}
    steps: dict[int, Limits] = {0: USUAL}
    for part in filter(None, (part.strip() for part in text.split(","))):
        at_ms, word, value = _split(part)
        if word in windows:
            if at_ms:
                raise BadSetting(f"{part!r}: {word} holds for the whole sale")
            windows[word] = _number(value, part)
            continue
        before = steps[max(ms for ms in steps if ms <= at_ms)]
        steps[at_ms] = _limits(before, word, value, part)
    return Setting(
        text,
        Terms(
            changes=tuple(Change(ms, steps[ms]) for ms in sorted(steps)),
            accept_ms=windows["accept"] * 1000,
            shop_ms=windows["shop"] * MINUTE_MS,
        ),
    )


def _split(part: str) -> tuple[int, str, str]:
    minute, colon, rest = part.rpartition(":")
    word, _, value = rest.partition("=")
    return (_number(minute, part) * MINUTE_MS if colon else 0), word.strip(), value.strip()


def _limits(before: Limits, word: str, value: str, part: str) -> Limits:
    match word:
        case "pace":
            return replace(before, per_minute=_number(value, part))
        case "cap":
            return replace(before, max_active=_number(value, part))
        case "paused" | "go":
            return replace(before, open=word == "go")
    raise BadSetting(f"{part!r}: there is pace, cap, accept, shop, paused, go")


def _number(text: str, part: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MOST))):
        raise BadSetting(f"{part!r}: {text!r} is no whole number up to {MOST}")
    return min(MOST, int(text))
