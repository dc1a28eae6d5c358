"""What a search word and a date mean. The text of an event is folded by the same function as
the keyword, so that "beyonce" finds "Beyoncé".
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime

DAY_MS = 24 * 3600 * 1000
MAX_INSTANT_MS = 253_402_300_800_000  # the end of the year 9999
MAX_KEYWORD_WORDS = 8

_WORD = re.compile(r"[^\W_]+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MS = re.compile(r"\d{1,15}", re.ASCII)


def fold(text: str) -> str:
    """Lower case, without accents: letters and digits that compare alike."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def prefix_query(keyword: str) -> str:
    """A tsquery that wants every word of `keyword`, each as the beginning of a word.

    Made of letters, digits and its own operators only, whatever the client sent.
    """
    words = _WORD.findall(fold(keyword))[:MAX_KEYWORD_WORDS]
    return " & ".join(f"{word}:*" for word in words)


def parse_instant(text: str, *, end: bool = False) -> int:
    """Unix ms from `2027-05-01` (UTC) or from digits. As an `end`, a date includes its day.

    Raises ValueError, saying what would be right.
    """
    if _DATE.fullmatch(text):
        start_ms = int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) * 1000
        return start_ms + DAY_MS if end else start_ms
    if _MS.fullmatch(text) and int(text) <= MAX_INSTANT_MS:
        return int(text)
    raise ValueError("a date such as 2027-05-01, or Unix ms, is expected")
