"""axe finds nothing on any page, in both languages, light and dark, on a phone and a desk.

A page is brought into each state once a language, and looked at there in each of its looks. What
axe can't see (focus, keyboard, live regions, reflow) has tests of its own, here and in
test_queue_page.py; docs/accessibility.md lists who checks which point of WCAG 2.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Check = Callable[[Page, str], None]
# Every rule that stands for a success criterion of WCAG 2.2 A and AA, and axe's best practices.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COMPLAINTS = """async (tags) => {
  const { violations } = await axe.run({ runOnly: tags, resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) =>
    `${id}: ${html.slice(0, 160)} (${(failureSummary ?? "").slice(0, 200)})`));
}"""
# `lang` of the page → its looks: scheme and width.
LOOKS = {
    "en-GB": [("light", 360), ("dark", 1280)],
    "de": [("light", 1280), ("dark", 360)],
    "ar-XB": [("light", 360)],
}
TARGET_PX = 24  # WCAG 2.2, 2.5.8
# All targets of one moment: of a live page, one that was listed may be gone when it is measured.
TARGETS = """() => [...document.querySelectorAll("button, a.button, summary")]
  .filter((found) => found.checkVisibility({ visibilityProperty: true }))
  .map((found) => {
    const { width, height } = found.getBoundingClientRect();
    return [found.textContent.trim() || found.outerHTML, Math.min(width, height)];
  })"""
WIDENED = """() => {
  document.documentElement.style.fontSize = "200%";
  for (const part of document.querySelectorAll("body *")) {
    part.style.lineHeight = "1.5";
    part.style.letterSpacing = ".12em";
    part.style.wordSpacing = ".16em";
  }
  const parts = [...document.querySelectorAll(".pace dd, .steps li, #paused")];
  const clipped = parts.filter((part) => part.scrollWidth - part.clientWidth > 1);
  const wide = Math.max(0, document.documentElement.scrollWidth - innerWidth);
  return { wide, parts: parts.length, clipped: clipped.map((part) => part.textContent) };
}"""


@pytest.fixture(params=LOOKS)
def language(request) -> str:
    return request.param


@pytest.fixture
def reader(fan, server, language) -> Callable[[], Page]:
    """Makes the page of another fan who reads that language, by the cookie of the switch."""

    def make() -> Page:
        page = fan(reduced_motion="reduce")  # nothing is half way from one look to another
        tag = language.removesuffix("-GB")
        page.context.add_cookies([{"name": "onsale_language", "value": tag, "url": server.url}])
        return page

    return make


@pytest.fixture
def check(language) -> Check:
    def in_each_look(page: Page, name: str) -> None:
        assert page.evaluate("document.documentElement.lang") == language
        if not page.evaluate("'axe' in window"):
            page.evaluate(Axe().axe_script)
        for scheme, width in LOOKS[language]:
            look = f"{name}, {scheme}, {width} px"
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(COMPLAINTS, TAGS) == [], look
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{look}: wider than the window by {wide} px"

    return in_each_look


def test_axe_finds_nothing_on_the_pages_before_the_queue(reader, check, arena):
    page = reader()
    for path in ("/", f"/e/{arena}", "/?keyword=nothing-like-it", "/orders/bk_nothing"):
        page.goto(path)
        check(page, path)


def every_state_of_the_queue(page: Page, server, arena: str) -> Iterator[str]:
    page.goto(f"/e/{arena}/queue")
    expect(page.locator("#rank")).to_have_text(re.compile(r"\d"))
    server.change(arena, message="Doors at eight.")
    expect(page.locator("#message")).to_be_visible()
    yield "waiting"
    page.locator("#leaving summary").click()
    expect(page.locator("#leave")).to_be_visible()
    yield "asked whether to leave"
    page.locator("#leave").click()
    expect(page.locator('[data-state="left"]')).to_be_visible()
    yield "left"
    server.change(arena, intake="closed")
    page.locator("#again").click()
    expect(page.locator('[data-state="closed"]')).to_be_visible()
    yield "closed"
    server.change(arena, intake="open", message="", paused=False)
    page.locator("#again").click()
    expect(page.locator("#accept")).to_be_visible()
    yield "called"
    (cookie,) = (c for c in page.context.cookies() if c["name"] == "onsale_visitor")
    body = {"subject": cookie["value"].partition(".")[0], "reason": "Bought by a machine."}
    server.admin("POST", f"/admin/events/{arena}/revoke", body)
    expect(page.locator("#problem-text")).to_be_visible()
    yield "taken back"


def test_axe_finds_nothing_in_any_state_of_the_queue(reader, check, server, arena):
    page = reader()
    for name in every_state_of_the_queue(page, server, arena):
        check(page, name)


def test_axe_finds_nothing_before_the_opening_and_on_the_page_of_the_draw(
    reader, check, server, early
):
    page, stranger = reader(), reader()
    page.goto(f"/e/{early}/queue")
    expect(page.locator('[data-state="early"]')).to_be_visible()
    check(page, "early")
    server.change(early, lobbyOpensAt=0)
    expect(page.locator('[data-state="lobby"]')).to_be_visible()
    page.reload()  # to the page that says more of the draw
    expect(page.locator("#in-lobby")).to_have_text(re.compile(r"\d"))
    check(page, "lobby")
    page.locator(f'main a[href="/e/{early}/draw"]').click()
    expect(page.locator(".mine code")).to_have_text(re.compile("^en_"))
    page.locator("summary").click()
    check(page, "the draw, of a fan in it")
    stranger.goto(f"/e/{early}/draw")
    expect(stranger.locator("#entry")).to_be_visible()
    check(stranger, "the draw, of somebody else")


def test_axe_finds_nothing_from_the_map_to_the_tickets(reader, check, server, theatre):
    page = reader()
    page.goto(f"/e/{theatre}/seats")
    expect(page.locator(".live-line .dot.live")).to_be_visible()
    check(page, "map")
    server.change(theatre, stopped=True, message="Doors at eight.")
    expect(page.locator(".notices")).to_contain_text("Doors at eight.")
    check(page, "map of a sale that is stopped")
    server.change(theatre, stopped=False, message="")
    expect(page.locator(".notices")).to_be_empty()
    page.locator("#as-list").click()
    page.locator(".sections button").first.click()
    page.locator(".list .seat:enabled").first.click()
    expect(page.locator("#next")).to_be_enabled()
    check(page, "list of seats")
    page.locator("#next").click()
    page.locator("#email").fill("fan@example.org")
    check(page, "payment")
    page.locator("#next").click()
    page.wait_for_url(re.compile(r"/orders/bk_"))
    expect(page.locator(".ticket .qr svg")).to_have_count(1)
    check(page, "tickets")


def every_state_of_the_console(page: Page, server, arena: str) -> Iterator[str]:
    server.change(arena, paused=False)
    page.goto(f"/console?event={arena}")
    expect(page.locator("#binds strong")).not_to_have_text("–")
    expect(page.locator("#maxActive")).to_have_value(re.compile(r"\d"))
    page.locator("#refused summary").click()
    page.locator("#perMinute").fill("7")
    page.locator("#skipFan").fill("0")
    page.locator("#skip button").click()
    expect(page.locator("#skip [data-preview]")).to_have_class(re.compile("bad"))
    yield "a change and a mistake typed"
    server.change(arena, paused=True)
    expect(page.locator("#resume")).to_be_visible()
    yield "paused"
    page.locator('[data-act="stop"] button').click()
    expect(page.locator("#confirm")).to_be_visible()
    yield "asked"
    page.keyboard.press("Escape")

    def overtaken(route) -> None:
        if route.request.method == "PATCH":
            server.change(arena, message="Doors at eight.")
        route.continue_()

    page.route("**/admission", overtaken)
    page.locator('[data-change="perMinute"] button').click()
    expect(page.locator("#differs")).to_be_visible()
    yield "somebody else was faster"
    page.unroute_all(behavior="wait")
    page.keyboard.press("Escape")
    page.context.clear_cookies(name="onsale_console")
    page.reload()
    yield "without a session"


def test_axe_finds_nothing_in_the_console(reader, check, server, arena, console_cookies):
    page = reader()
    page.context.add_cookies(console_cookies)
    for name in every_state_of_the_console(page, server, arena):
        check(page, f"console, {name}")


def test_everything_that_can_be_pressed_is_large_enough(fan, arena):
    page = fan(viewport={"width": 360, "height": 740})
    for path, last_to_come in {
        "/": ".search button",
        f"/e/{arena}": "#go",
        f"/e/{arena}/queue": "#leaving summary",
    }.items():
        page.goto(path)
        expect(page.locator(last_to_come)).to_be_visible()
        targets = page.evaluate(TARGETS)
        assert targets, f"nothing can be pressed on {path}"
        assert [target for target in targets if target[1] < TARGET_PX] == [], path


def test_text_at_twice_its_size_and_wide_spacing_loses_nothing(fan, arena):
    """WCAG 2.2, 1.4.4 and 1.4.12: in a window of 320 px (1.4.10), where text is the largest."""
    page = fan(viewport={"width": 320, "height": 640})
    page.goto(f"/e/{arena}/queue")
    expect(page.locator("#rank")).to_have_text(re.compile(r"\d"))
    seen = page.evaluate(WIDENED)
    assert seen["parts"] > 0
    assert (seen["wide"], seen["clipped"]) == (0, [])
