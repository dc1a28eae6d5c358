"""No page says anything past the catalogues, whatever its state: in the pseudo-language, every word
that is one of ours stands backwards (app/pages/language.py), so what can be read is none of them.

On a server of its own, in whose stadium the lobby is still open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from babel.dates import get_day_names, get_month_names
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import LIVE_MS, RunningServer

pytestmark = pytest.mark.browser

ARENA, LOBBY, OPEN = "ev_arena", "ev_stadium", "ev_theatre"
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


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = RunningServer(tmp_path_factory.mktemp("onsale"))
    yield running
    running.stop()


@pytest.fixture
def context(chromium, server) -> Iterator[BrowserContext]:
    made = chromium.new_context(base_url=server.url, locale="en-GB")
    made.set_default_timeout(LIVE_MS)
    made.add_cookies([{"name": "onsale_language", "value": "ar-XB", "url": server.url}])
    yield made
    made.close()


@pytest.fixture(scope="module")
def data(server) -> set[str]:
    """Words of the catalogue of events, which nobody translates."""
    words = set()
    for event_id in (ARENA, LOBBY, OPEN):
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


def test_the_pages_of_fans_and_errors(context, data):
    page = context.new_page()
    for path in ("/", "/?keyword=Lights", "/?keyword=zzz", f"/e/{ARENA}", "/orders/bk_nothing"):
        page.goto(path)
        assert untranslated(page, data | {"Lights", "zzz"}) == [], path
    for path in ("/console", "/e/ev_nothing", "/?page=x"):
        page.goto(path)
        assert page.locator(".problem-page .number").inner_text().isdigit()
        assert untranslated(page, data) == [], path


def test_the_queue_from_the_lobby_to_the_map_and_the_order(context, server, data):
    page = context.new_page()
    page.goto(f"/e/{LOBBY}/queue")
    expect(page.locator('[data-state="lobby"]')).to_be_visible()
    assert untranslated(page, data) == []
    server.change(ARENA, paused=True, pauseReason="", mode="on")
    page.goto(f"/e/{ARENA}/queue")
    expect(page.locator("#rank")).to_have_text(re.compile(r"\d"))
    expect(page.locator("#paused")).to_be_visible()
    assert untranslated(page, data) == []
    server.change(ARENA, paused=False)
    expect(page.locator("#accept")).to_be_visible()
    assert untranslated(page, data) == []
    server.change(OPEN, mode="off")
    page.goto(f"/e/{OPEN}/seats")
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


def test_the_console_in_its_states(context, server, data):
    context.add_cookies(server.console_cookies())
    page = context.new_page()
    own = data | set(WORD.findall(" ".join(c["value"] for c in context.cookies())))
    own |= {"Rain", "vs", "onsale", "console"}  # an operator's words, a command, an id

    def states() -> Iterator[str]:
        page.goto(f"/console?event={LOBBY}")
        expect(page.locator('[data-number="lobby"] [data-figure]')).to_have_text(re.compile(r"\d"))
        expect(page.locator("#beacon [data-preview]")).not_to_be_empty()
        yield "before the opening"
        server.change(ARENA, perMinute=61, paused=True, pauseReason="Rain.")
        page.goto(f"/console?event={ARENA}")
        expect(page.locator("#resume")).to_be_visible()
        expect(page.locator('[data-change="paused"] [data-preview]')).not_to_be_empty()
        yield "paused"
        for name in ("perMinute", "acceptMs", "maxActive"):
            page.locator(f"#{name}").fill("7")
            preview = page.locator(f'[data-change="{name}"] [data-preview]')
            expect(preview).not_to_contain_text("Now")
        server.change(ARENA, perMinute=62)
        expect(page.locator('[data-change="perMinute"] [data-preview]')).to_contain_text("62")
        page.locator("#skipFan").fill("0")
        page.locator("#skip button").click()
        expect(page.locator("#skip [data-preview]")).not_to_be_empty()
        yield "changes typed"
        for act in ("close", "drain", "stop"):
            page.locator(f'[data-act="{act}"] button').click()
            yield f"asked before {act}"
            page.keyboard.press("Escape")
        page.route("**/admission", lambda route: overtaken(route, server))
        page.locator('[data-change="maxActive"] button').click()
        expect(page.locator("#differs")).to_be_visible()
        yield "somebody else was faster"

    for name in states():
        assert untranslated(page, own) == [], name
    page.unroute_all()


def overtaken(route, server) -> None:
    if route.request.method == "PATCH":
        server.change(ARENA, graceMs=60_000, shopMs=7_200_000 // 2, intake="open", draw=False)
    route.continue_()
