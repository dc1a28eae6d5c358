"""The languages of the pages: texts from gettext catalogues; numbers, money, dates from CLDR.

English is written where it is shown (templates, scripts, error leaves) and is the key of the
catalogues in `locale/`; `make texts` brings them up to date. They are read at the start, as they
are: a few hundred texts take 50 ms, and there is no compiled copy that could differ.

Outside production there is one language more, from right to left and a third longer than
English: a layout that it does not break is ready for Arabic, Hebrew and German compounds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, get_currency_precision
from starlette.requests import HTTPConnection

from core.cookies import cookies_of

LOCALES: Final = Path(__file__).parent / "locale"
VARY = {"vary": "Accept-Language, Cookie"}
MAX_ACCEPTED = 20  # languages of one header that are looked at
PLACEHOLDER = re.compile(r"(\{\w+\})")
SAID_IN = "waiting_room/views.py"  # why a queue stands still

# tag of the cookie → (tag for `lang` and Intl, its own name). Days come first, hours are 24.
SPOKEN = {"en": ("en-GB", "English"), "de": ("de", "Deutsch")}
PSEUDO = "ar-XB"  # CLDR's name for it: Arabic as in no country


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A moment in the venue's zone."""

    day: str
    month: str
    hour: str
    short: str
    long: str
    iso: str
    zone: str


@dataclass(frozen=True, slots=True)
class Text:
    """What a catalogue has for one msgid: a form for each plural category, or only `other`."""

    forms: Mapping[str, str]
    files: frozenset[str]  # where it stands
    as_written: bool  # the same as the English in the code


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    tag: str
    lang: str  # BCP 47, for the attribute
    name: str  # in itself
    locale: Locale
    texts: Mapping[str, Text]
    direction: str = "ltr"
    change: Callable[[str], str] = field(default=str)  # the pseudo-language's play with a text

    def t(self, text: str, **values: object) -> str:
        """`text` in this language, `{name}` filled in; one that no catalogue knows, as it is."""
        return self._filled(self._form(text, "other", text), values)

    def tn(self, one: str, many: str, n: int, **values: object) -> str:
        """As `t`, in the form that goes with `n`, which is `{n}` in the text."""
        english = one if n == 1 else many
        category = self.locale.plural_form(n)
        return self._filled(self._form(one, category, english), values | {"n": n})

    def _form(self, key: str, category: str, english: str) -> str:
        text = self.texts.get(key)
        return self.change(text.forms.get(category, english) if text else english)

    def _filled(self, text: str, values: Mapping[str, object]) -> str:
        shown = {k: self.number(v) if isinstance(v, int) else str(v) for k, v in values.items()}
        return PLACEHOLDER.sub(lambda found: shown.get(found[0][1:-1], found[0]), text)

    def for_scripts(self, scripts: Iterable[str]) -> dict[str, object]:
        """What a page's modules need to speak: texts that differ from the English in them.

        The page is to be small, so a key is cut to `key` characters, as many as tell the texts of
        these scripts apart. `said`: sentences that the server itself says, by their whole text.
        """
        wanted = frozenset(scripts)
        ours = {key: text for key, text in self.texts.items() if wanted & text.files}
        characters = _telling_apart(list(ours))
        return {
            "locale": self.locale_tag,
            "key": characters,
            "texts": {
                key[:characters]: self._sent(text)
                for key, text in ours.items()
                if not self._as_in_code(text)
            },
            "said": {
                key: self._sent(text)
                for key, text in self.texts.items()
                if SAID_IN in text.files and not self._as_in_code(text)
            },
        }

    def _as_in_code(self, text: Text) -> bool:
        return text.as_written and self.change is str

    def _sent(self, text: Text) -> str | dict[str, str]:
        forms = {name: self.change(form) for name, form in text.forms.items()}
        return forms["other"] if len(forms) == 1 else forms

    @property
    def locale_tag(self) -> str:
        return str(self.locale).replace("_", "-")

    def number(self, n: int) -> str:
        return format_decimal(n, locale=self.locale)

    def money(self, minor: int, currency: str) -> str:
        """Whole amounts without decimals, as `money` of static/js/lib/words.js."""
        precision = get_currency_precision(currency)
        pattern = self.locale.currency_formats["standard"].pattern
        if minor % 10**precision == 0:
            pattern = re.sub(r"\.0+", "", pattern)
        amount = Decimal(minor).scaleb(-precision)
        return format_currency(amount, currency, pattern, self.locale, currency_digits=False)

    def when(self, at_ms: int, time_zone: str) -> When:
        at = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(time_zone))

        def shown(skeleton: str) -> str:
            return format_skeleton(skeleton, at, locale=self.locale)

        hour = format_time(at, "short", locale=self.locale)
        return When(
            day=str(at.day),
            month=shown("MMM"),
            hour=hour,
            short=f"{shown('MMMEd')}, {hour}",
            long=f"{format_date(at, 'full', locale=self.locale)}, {hour}",
            iso=at.isoformat(),
            zone=self.t("{zone}, time of the venue", zone=f"{at:%Z}"),
        )


class Languages:
    """Those a server speaks. `pseudo`: also the one that only proves the layout."""

    def __init__(self, *, pseudo: bool) -> None:
        self.spoken = {tag: _spoken(tag) for tag in SPOKEN}
        self._all = self.spoken | ({PSEUDO: _pseudo(self.spoken["en"])} if pseudo else {})

    def get(self, tag: str) -> Language | None:
        return self._all.get(tag)

    def of(self, connection: HTTPConnection) -> Language:
        """The one chosen by hand, else the first that the browser asks for, else English."""
        chosen = self._all.get(cookies_of(connection).read(connection, "language"))
        return chosen or self.accepted(connection.headers.get("accept-language", ""))

    def accepted(self, header: str) -> Language:
        """RFC 9110, 12.5.4, by prefix: `de-AT` gets `de`. Never fails, whatever was sent."""
        for tag in _by_quality(header):
            found = self._all.get(tag) or self._all.get(tag.partition("-")[0].lower())
            if found is not None:
                return found
        return self.spoken["en"]


@cache
def spoken_languages() -> Languages:
    return Languages(pseudo=False)


def languages_of(connection: HTTPConnection) -> Languages:
    """Those of the application; of one that names none, the real ones."""
    named: Languages | None = getattr(connection.app.state, "languages", None)
    return named or spoken_languages()


def language_of(connection: HTTPConnection) -> Language:
    return languages_of(connection).of(connection)


def _by_quality(header: str) -> list[str]:
    wanted = []
    for part in header.split(",")[:MAX_ACCEPTED]:
        tag, _, parameter = part.strip().partition(";")
        found = re.fullmatch(r"\s*q=([01](?:\.\d{1,3})?)\s*", parameter)
        quality = float(found[1]) if found else 1.0
        if quality > 0:
            wanted.append((-quality, tag.strip()))
    return [tag for _, tag in sorted(wanted, key=lambda pair: pair[0])]  # stable


def catalogue_path(tag: str) -> Path:
    return LOCALES / tag / "LC_MESSAGES" / "onsale.po"


def read_catalogue(tag: str) -> Catalog:
    with catalogue_path(tag).open("rb") as file:
        return read_po(file, locale=tag, abort_invalid=True)


def _spoken(tag: str) -> Language:
    lang, name = SPOKEN[tag]
    locale = Locale.parse(lang, sep="-")
    catalogue = read_catalogue(tag)
    texts: dict[str, Text] = {}
    for message in catalogue:
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        key = message.id if isinstance(message.id, str) else message.id[0]
        if key:
            forms = _forms(locale, [str(form) for form in strings], plural=message.pluralizable)
            files = frozenset(where for where, _ in message.locations)
            texts[key] = Text(forms, files, as_written=message.string == message.id)
    return Language(tag=tag, lang=lang, name=name, locale=locale, texts=texts)


def _telling_apart(keys: list[str]) -> int:
    """The shortest length to which all of them can be cut without two becoming one."""
    characters = 1
    while len({key[:characters] for key in keys}) < len(keys):
        characters += 1
    return characters


def _forms(locale: Locale, strings: list[str], *, plural: bool) -> dict[str, str]:
    """gettext numbers the forms as CLDR orders its categories."""
    if not plural:
        return {"other": strings[0]}
    categories = sorted(locale.plural_form.tags | {"other"}, key=_CATEGORIES.index)
    return dict(zip(categories, strings, strict=True))


_CATEGORIES = ("zero", "one", "two", "few", "many", "other")


def _pseudo(english: Language) -> Language:
    return Language(
        tag=PSEUDO,
        lang=PSEUDO,
        name="Pseudo",
        locale=english.locale,
        texts=english.texts,
        direction="rtl",
        change=mirrored,
    )


def mirrored(text: str) -> str:
    """Each word written backwards (RLO … PDF), a third longer; what is filled in stays as it is."""
    parts = PLACEHOLDER.split(text)
    parts[::2] = [re.sub(r"\S+", "\u202e\\g<0>\u202c", part) for part in parts[::2]]
    parts[1::2] = [f"\u2068{part}\u2069" for part in parts[1::2]]  # or bidi would move numbers
    return "".join(parts) + "·" * (len(text) // 3)
