"""Whatever a page, a script or an error says is in the catalogues, whole, in every language.

`make texts` brings the catalogues up to date; then the German ones that are empty want a
translation.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from jinja2 import Environment, nodes
from pydantic.alias_generators import to_camel

from app.admin import beacon, service, shops
from app.admin.model import RoomChange
from app.admin.operators import BY_TOKEN
from app.pages import texts
from app.pages.language import PLACEHOLDER, SPOKEN, Languages, mirrored, read_catalogue
from waiting_room import interventions

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "app/pages/templates").glob("*.html"))
SCRIPTS = sorted((ROOT / "static/js").rglob("*.js"))

# Two words in a row, or a capital letter first: prose, or something that these tests must be told.
PROSE = re.compile(r"[A-Za-z]{2,}[,.:;]? [A-Za-z]{2,}|^[A-Z][a-z]+")
NO_PROSE = {"Idempotency-Key", "WebSocket", "BroadcastChannel"}
NO_PROSE |= {"sale open", "button small", "seat cat-…", "system-ui, sans-serif"}
NO_PROSE |= {"If-Match", "Enter", "input, select, textarea"}
# What the audit log stores; static/js/console/settings.js says it in words.
ACTIONS = {service.ROOM_CHANGED, service.CHANGE_UNDONE, service.ROOM_DRAINED}
ACTIONS |= {beacon.BEACON_CHANGED, shops.SHOP_CHANGED, shops.SHOP_UNDONE}
ACTIONS |= {interventions.CALLED_OUT_OF_LINE, interventions.NOT_CALLED, interventions.REVOKED}
NO_PROSE |= ACTIONS | {BY_TOKEN}
NAMES = {"Onsale", "· Onsale"}
CODE = re.compile(r"^[M#.\[<]|[=\[\]{}]|\(prefers|px |^(?:GET|POST|DELETE|use strict)")


def messages(tag: str) -> dict[str | tuple[str, ...], Message]:
    return {texts.id_of(message): message for message in read_catalogue(tag) if message.id}


def strings(message: Message) -> tuple[str, ...]:
    return message.string if isinstance(message.string, tuple) else (message.string,)


@pytest.mark.parametrize("tag", SPOKEN)
def test_the_catalogue_has_every_text_and_no_other_and_where_each_stands(tag):
    wanted = {texts.id_of(message): message for message in texts.template() if message.id}
    found = messages(tag)
    assert found.keys() == wanted.keys(), "run: make texts"
    for key, message in wanted.items():
        assert {file for file, _ in found[key].locations} == {f for f, _ in message.locations}, key


@pytest.mark.parametrize("tag", SPOKEN)
def test_every_text_is_translated_with_the_same_placeholders(tag):
    for key, message in messages(tag).items():
        assert not message.fuzzy, key
        keys = key if isinstance(key, tuple) else (key,)
        wanted = {name for text in keys for name in PLACEHOLDER.findall(text)}
        for text in strings(message):
            assert text, f"{key!r} has no translation into {tag!r}"
            assert set(PLACEHOLDER.findall(text)) == wanted, key


def test_a_plural_has_a_form_for_each_category_of_the_language():
    for tag, language in Languages(pseudo=False).spoken.items():
        for key in (key for key in messages(tag) if isinstance(key, tuple)):
            assert language.texts[key[0]].forms.keys() == language.locale.plural_form.tags | {
                "other"
            }


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_says_nothing_past_the_catalogues(path):
    source = re.sub(r"\{% block sheet %\}.*", "", path.read_text())
    source = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", source, flags=re.DOTALL)
    attributes = re.findall(r'(?:aria-label|placeholder|alt|title|label)="([^"]*)"', source)
    between_tags = re.sub(r"<[^>]*>", "\n", re.sub(r"<!.*?>", "", source))
    between_tags = re.sub(r'[\w-]+="[^"]*"', "", between_tags).splitlines()
    said = [text.strip() for text in [*attributes, *between_tags]]
    assert [text for text in said if re.search(r"[A-Za-z]", text) and text not in NAMES] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_an_expression_of_a_template_says_nothing_past_the_catalogues(path):
    """What a macro is handed: `go("Set the pace")` would be shown as it stands."""
    tree = Environment(autoescape=True).parse(path.read_text())
    calls = [call for call in tree.find_all(nodes.Call) if isinstance(call.node, nodes.Name)]
    known = {id(text) for call in calls if call.node.name in texts.NAMES for text in call.args}
    said = [text for text in tree.find_all(nodes.Const) if isinstance(text.value, str)]
    assert [t.value for t in said if id(t) not in known and PROSE.search(t.value)] == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_script_says_nothing_past_the_catalogues(path):
    source = re.sub(r"(?m)^\s*//.*$| // .*$|/\*.*?\*/|^import .*$", "", path.read_text())
    rest = texts.IN_SCRIPTS.sub("", source)
    literals = re.findall(r'"((?:[^"\\\n]|\\.)*)"', rest)
    templates = [re.sub(r"\$\{[^}]*\}", "…", text) for text in re.findall(r"`([^`]*)`", rest)]
    prose = [text for text in literals + templates if PROSE.search(text)]
    assert [text for text in prose if text not in NO_PROSE and not CODE.search(text)] == []


def test_the_console_has_words_for_all_that_the_audit_log_says():
    script = (ROOT / "static/js/console/settings.js").read_text()
    settings = [to_camel(name) for name in RoomChange.model_fields]
    assert {action for action in ACTIONS if f'"{action}": t("' not in script} == set()
    assert {name for name in settings if not re.search(rf'\b{name}: t\("', script)} == set()


def test_the_console_has_a_control_for_each_setting():
    """Message and reason beside their switches; intake and stop by the acts that end a sale."""
    page = (ROOT / "app/pages/templates/console.html").read_text()
    acts = (ROOT / "static/js/console/questions.js").read_text()
    by_act = {"intake": 'change: { intake: "draining" }', "stopped": "change: { stopped: true }"}
    named = re.findall(r'(?:figure|instant|choice)\("(\w+)"|data-change="(\w+)"', page)
    controlled = {"".join(names) for names in named} | {"pause_reason"}
    controlled |= {name for name, change in by_act.items() if change in acts}
    assert {to_camel(name) for name in RoomChange.model_fields} - {
        to_camel(name) for name in controlled
    } == set()


def test_the_scripts_of_a_page_get_their_texts_and_no_others():
    english, german = Languages(pseudo=False).spoken.values()
    sent = german.for_scripts(["static/js/home.js"])
    assert (sent["locale"], sent["key"]) == ("de", 2)
    assert sent["texts"] == {"on": "im Verkauf", "op": "öffnet in {time}"}
    assert english.for_scripts(["static/js/home.js"])["texts"] == {}


def test_what_the_server_itself_says_is_known_by_its_whole_text():
    """An operator's own reason may begin with the same words."""
    english, german = Languages(pseudo=False).spoken.values()
    said = german.for_scripts([])["said"]
    reasons = set(texts.said_by_name((ROOT / "waiting_room/views.py").read_text()))
    assert said.keys() == reasons
    assert len(reasons) > 2
    assert english.for_scripts([])["said"] == {}


def test_a_text_is_filled_in_as_the_language_writes_numbers():
    english, german = Languages(pseudo=False).spoken.values()
    count = ("{n} event found", "{n} events found")
    assert [english.tn(*count, n) for n in (1, 1200)] == ["1 event found", "1,200 events found"]
    assert [german.tn(*count, n) for n in (1, 1200)] == [
        "1 Veranstaltung gefunden",
        "1.200 Veranstaltungen gefunden",
    ]
    assert german.t("from {price}", price="{n}") == "ab {n}"
    assert german.t("Doors at eight, says {who}", who="Eva") == "Doors at eight, says Eva"


@pytest.mark.parametrize(
    ("minor", "currency", "english", "german"),
    [
        (4500, "EUR", "€45", "45\xa0€"),
        (123450, "EUR", "€1,234.50", "1.234,50\xa0€"),
        (4500, "GBP", "£45", "45\xa0£"),
        (4500, "JPY", "JP¥4,500", "4.500\xa0¥"),
    ],
)
def test_money_is_written_as_the_language_does(minor, currency, english, german):
    spoken = Languages(pseudo=False).spoken
    assert spoken["en"].money(minor, currency) == english
    assert spoken["de"].money(minor, currency) == german


def test_a_moment_is_written_in_the_venues_zone():
    spoken = Languages(pseudo=False).spoken
    at_ms = 1_793_210_400_000  # 2026-10-28T18:00Z
    english = spoken["en"].when(at_ms, "Europe/Berlin")
    assert (english.short, english.hour) == ("Wed 28 Oct, 19:00", "19:00")
    german = spoken["de"].when(at_ms, "Europe/Berlin")
    assert german.long == "Mittwoch, 28. Oktober 2026, 19:00"
    assert german.zone == "CET, Zeit am Veranstaltungsort"


@pytest.mark.parametrize(
    ("header", "tag"),
    [
        ("", "en"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr-FR, de;q=0.5, en;q=0.7", "en"),
        ("fr, DE", "de"),
        ("de;q=0, en", "en"),
        ("*", "en"),
        ("de;q=x, ;;q=1, " + "a," * 5000, "de"),
        ("ar-XB", "en"),
    ],
)
def test_the_browsers_languages_are_asked_in_their_order(header, tag):
    assert Languages(pseudo=False).accepted(header).tag == tag


def test_the_pseudo_language_is_not_for_production():
    assert Languages(pseudo=False).get("ar-XB") is None
    language = Languages(pseudo=True).accepted("ar-XB")
    assert language.direction == "rtl"
    assert "Saal 1" in language.t("Row {row}", row="Saal 1")


def test_the_pseudo_language_is_longer_and_keeps_placeholders():
    text = "from {price} to {most}"
    assert len(mirrored(text)) > 1.3 * len(text)
    assert PLACEHOLDER.findall(mirrored(text)) == ["{price}", "{most}"]
