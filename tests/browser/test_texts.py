"""No page says anything past the catalogues, whatever its state: in the pseudo-language, every word
that is one of ours stands backwards (app/pages/language.py), so what can be read is none of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from babel.dates import get_day_names, get_month_names
from playwright.sync_api import Page, expect

from tests.browser.conftest import ARENA, HOURS_S, STADIUM, THEATRE

pytestmark = pytest.mark.browser

OURS = re.compile("\u202e[^\u202c]*\u202c")
WORD = re.compile(r"[^\W\d_]{2,}")
# Of CLDR, which writes dates; and names that are the same in every language.
KNOWN = {
    name
    for names in (get_month_names, get_day_names)
    for width in ("wide", "abbreviated")
    for name in names(width, locale="en_GB").values()
}
KNOWN |= {"CET", "CEST", "GMT", "IST", "Onsale", "English", "Deutsch", "SHA"}
# All that a page says: text, what screen readers say for it, what a field hints at.
SAID = """
() => {
  const said = [document.title], skipped = ["SCRIPT", "STYLE", "CODE", "TEXTAREA", "NOSCRIPT"];
  const names = ["aria-label", "title", "alt", "placeholder", "aria-roledescription"];
  const { SHOW_ELEMENT, SHOW_TEXT } = NodeFilter;
  const walker = document.createTreeWalker(document.body, SHOW_ELEMENT | SHOW_TEXT);
  for (let node = walker.currentNode; node; node = walker.nextNode()) {
    if (node.nodeType === Node.TEXT_NODE) {
      if (!skipped.includes(node.parentElement.tagName)) said.push(node.textContent);
    } else said.push(...names.map((name) => node.getAttribute(name) ?? ""));
  }
  return said;
}
"""


@pytest.fixture
def page(context_of, server) -> Page:
    context = context_of(server)
    context.add_cookies([{"name": "onsale_language", "value": "ar-XB", "url": server.url}])
    return context.new_page()


@pytest.fixture
def lobby(server):
    """The event id of a stadium whose lobby is open."""
    return server.another(STADIUM, opens_in_s=HOURS_S)


@pytest.fixture(scope="module")
def data(server) -> set[str]:
    """Words of the catalogue of events, which nobody translates."""
    words = set()
    for event_id in (ARENA, STADIUM, THEATRE):
        event = server.admin("GET", f"/events/{event_id}")
        plan = server.admin("GET", f"/events/{event_id}/plan")
        texts = [str(event["description"]), event["title"], *event["venue"].values()]
        texts += [performer["name"] for performer in event["performers"]]
        texts += [category["name"] for category in event["priceCategories"]]
        texts += [section["name"] for section in plan["sections"]]
        texts += [row["row"] for section in plan["sections"] for row in section.get("rows", ())]
        words |= set(WORD.findall(" ".join(map(str, texts))))
    return words


def untranslated(page: Page, known: set[str]) -> list[str]:
    """What is said in words that are neither ours, turned around, nor of the data."""
    found = []
    for text in page.evaluate(SAID):
        rest = OURS.sub(" ", text.replace("\u2068", "").replace("\u2069", ""))
        if set(WORD.findall(rest)) - known - KNOWN:
            found.append(text.strip())
    return found


def test_the_pages_of_fans_and_errors(page, arena, data):
    for path in ("/", "/?keyword=Lights", "/?keyword=zzz", f"/e/{arena}", "/orders/bk_nothing"):
        page.goto(path)
        assert untranslated(page, data | {"Lights", "zzz"}) == [], path
    for path in ("/console", "/e/ev_nothing", "/?page=x"):
        page.goto(path)
        expect(page.locator(".problem-page .number")).to_have_text(re.compile(r"^\d+$"))
        assert untranslated(page, data) == [], path


def test_the_queue_from_the_lobby_to_the_map_and_the_order(
    page, server, lobby, arena, theatre, data
):
    page.goto(f"/e/{lobby}/queue")
    expect(page.locator('[data-state="lobby"]')).to_be_visible()
    assert untranslated(page, data) == []
    server.change(arena, pauseReason="")
    page.goto(f"/e/{arena}/queue")
    expect(page.locator("#rank")).to_have_text(re.compile(r"\d"))
    expect(page.locator("#paused")).to_be_visible()
    assert untranslated(page, data) == []
    server.change(arena, paused=False)
    expect(page.locator("#accept")).to_be_visible()
    assert untranslated(page, data) == []
    page.goto(f"/e/{theatre}/seats")
    expect(page.locator(".live-line .dot.live")).to_be_visible()
    assert untranslated(page, data) == []
    page.locator("#as-list").click()
    page.locator(".sections button").first.click()
    page.locator(".list .seat:enabled").first.click()
    expect(page.locator("#next")).to_be_enabled()
    assert untranslated(page, data) == []
    page.locator("#next").click()
    page.locator("#email").fill("fan@example.org")
    assert untranslated(page, data) == []
    page.locator("#next").click()
    page.wait_for_url(re.compile(r"/orders/bk_"))
    expect(page.locator(".ticket .qr svg")).to_have_count(1)
    short_id = page.url.rpartition("_")[2][:8].upper()
    assert untranslated(page, data | set(WORD.findall(f"fan@example.org {short_id}"))) == []


def test_the_console_in_its_states(page, server, lobby, arena, console_cookies, data):
    page.context.add_cookies(console_cookies)
    own = data | set(WORD.findall(" ".join(c["value"] for c in page.context.cookies())))
    own |= set(WORD.findall("Rain. Doors open soon"))  # an operator's words
    own |= {"vs", "onsale", "console"}  # an id, a command

    def states() -> Iterator[str]:
        page.goto(f"/console?event={lobby}")
        expect(page.locator('[data-number="lobby"] [data-figure]')).to_have_text(re.compile(r"\d"))
        expect(page.locator("#beacon [data-preview]")).not_to_be_empty()
        yield "before the opening"
        server.change(arena, perMinute=61, pauseReason="Rain.")
        page.goto(f"/console?event={arena}")
        expect(page.locator("#resume")).to_be_visible()
        expect(page.locator('[data-change="paused"] [data-preview]')).not_to_be_empty()
        yield "paused"
        for name in ("perMinute", "acceptMs", "maxActive"):
            preview = page.locator(f'[data-change="{name}"] [data-preview]')
            before = preview.text_content()
            page.locator(f"#{name}").fill("7")
            expect(preview).not_to_have_text(before)
        server.change(arena, perMinute=62)
        expect(page.locator('[data-change="perMinute"] [data-preview]')).to_contain_text("62")
        page.locator("#skipFan").fill("0")
        page.locator("#skip button").click()
        expect(page.locator("#skip [data-preview]")).not_to_be_empty()
        yield "changes typed"
        for act in ("close", "drain", "stop"):
            page.locator(f'[data-act="{act}"] button').click()
            expect(page.locator("#confirm")).to_be_visible()
            yield f"asked before {act}"
            page.keyboard.press("Escape")
            expect(page.locator("#confirm")).to_be_hidden()
        page.route("**/admission", lambda route: overtaken(route, server, arena))
        page.locator('[data-change="maxActive"] button').click()
        expect(page.locator("#differs")).to_be_visible()
        yield "somebody else was faster"

    for name in states():
        assert untranslated(page, own) == [], name


def overtaken(route, server, event_id: str) -> None:
    if route.request.method == "PATCH":
        server.change(event_id, graceMs=60_000, shopMs=7_200_000 // 2, intake="open", draw=False)
    route.continue_()
