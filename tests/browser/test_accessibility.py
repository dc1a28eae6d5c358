"""axe finds nothing on any page, in both languages, light and dark, on a phone and a desk.

What axe can't see (focus, keyboard, live regions, reflow) has tests of its own, here and in
test_queue_page.py; docs/accessibility.md lists who checks which point of WCAG 2.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

CALL_TIMEOUT_MS = 30_000
# Every rule that stands for a success criterion of WCAG 2.2 A and AA, and axe's best practices.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOOKS = [
    ("en", "light", 360),
    ("en", "dark", 1280),
    ("de", "light", 1280),
    ("de", "dark", 360),
    ("ar-XB", "light", 360),
]
LANG = {"en": "en-GB", "de": "de", "ar-XB": "ar-XB"}  # tag of the cookie → `lang` of the page
TARGET_PX = 24  # WCAG 2.2, 2.5.8
# All targets of one moment: of a live page, one that was listed may be gone when it is measured.
TARGETS = """() => [...document.querySelectorAll("button, a.button, summary")]
  .filter((found) => found.checkVisibility({ visibilityProperty: true }))
  .map((found) => {
    const { width, height } = found.getBoundingClientRect();
    return [found.textContent.trim() || found.outerHTML, Math.min(width, height)];
  })"""


def look(page: Page, language: str, scheme: str, width: int) -> None:
    """The language by the switch's cookie: a context's own locale wins over a header set here."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/")
    page.context.add_cookies([{"name": "onsale_language", "value": language, "url": page.url}])
    page.reload()
    assert page.evaluate("document.documentElement.lang") == LANG[language]


def complaints(page: Page) -> list[str]:
    found = Axe().run(page, options={"runOnly": TAGS}).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:160]} ({node.get('failureSummary', '')[:200]})"
        for rule in found
        for node in rule["nodes"]
    ]


def check(page: Page, name: str) -> None:
    assert complaints(page) == [], name
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{name} is wider than the window by {wide} px"


def every_state_of_the_queue(page: Page, server, arena: str) -> Iterator[str]:
    page.goto(f"/e/{arena}/queue")
    expect(page.locator("#rank")).to_have_text(re.compile(r"\d"))
    server.change(arena, message="Doors at eight.")
    expect(page.locator("#message")).to_be_visible()
    yield "waiting"
    page.locator("#leaving summary").click()
    yield "asked whether to leave"
    server.change(arena, message="", paused=False)
    expect(page.locator("#accept")).to_be_visible(timeout=CALL_TIMEOUT_MS)
    yield "called"
    page.locator("#leaving summary").click()
    if not page.locator("#leave").is_visible():
        page.locator("#leaving summary").click()
    page.locator("#leave").click()
    expect(page.locator('[data-state="left"]')).to_be_visible()
    yield "left"
    server.change(arena, intake="closed", paused=True)
    page.locator("#again").click()
    expect(page.locator('[data-state="closed"]')).to_be_visible()
    yield "closed"


@pytest.mark.parametrize("looks", LOOKS, ids=lambda looks: "-".join(map(str, looks)))
def test_axe_finds_nothing_on_the_pages_before_the_queue(fan, server, arena, looks):
    page = fan()
    look(page, *looks)
    for path in ("/", f"/e/{arena}", "/?keyword=nothing-like-it", "/orders/bk_nothing"):
        page.goto(path)
        check(page, path)


@pytest.mark.parametrize("looks", LOOKS, ids=lambda looks: "-".join(map(str, looks)))
def test_axe_finds_nothing_in_any_state_of_the_queue(fan, server, arena, looks):
    page = fan()
    look(page, *looks)
    for name in every_state_of_the_queue(page, server, arena):
        check(page, name)


@pytest.mark.parametrize("looks", LOOKS, ids=lambda looks: "-".join(map(str, looks)))
def test_axe_finds_nothing_in_the_lobby_and_on_the_page_of_the_draw(fan, server, early, looks):
    server.change(early, lobbyOpensAt=0)
    page, stranger = fan(), fan()
    for one in (page, stranger):
        look(one, *looks)
    page.goto(f"/e/{early}/queue")
    expect(page.locator("#in-lobby")).to_have_text(re.compile(r"\d"))
    check(page, "lobby")
    page.locator(f'main a[href="/e/{early}/draw"]').click()
    expect(page.locator(".mine code")).to_have_text(re.compile("^en_"))
    page.locator("summary").click()
    check(page, "the draw, of a fan in it")
    stranger.goto(f"/e/{early}/draw")
    expect(stranger.locator("#entry")).to_be_visible()
    check(stranger, "the draw, of somebody else")


@pytest.mark.parametrize("looks", LOOKS, ids=lambda looks: "-".join(map(str, looks)))
def test_axe_finds_nothing_before_the_opening(fan, server, early, looks):
    page = fan()
    look(page, *looks)
    page.goto(f"/e/{early}/queue")
    expect(page.locator('[data-state="early"]')).to_be_visible()
    check(page, "early")
    server.change(early, lobbyOpensAt=0)
    expect(page.locator('[data-state="lobby"]')).to_be_visible(timeout=CALL_TIMEOUT_MS)
    check(page, "lobby")


@pytest.mark.parametrize("looks", LOOKS, ids=lambda looks: "-".join(map(str, looks)))
def test_axe_finds_nothing_when_the_place_is_taken_back(fan, server, arena, looks):
    page = fan()
    look(page, *looks)
    page.goto(f"/e/{arena}/queue")
    expect(page.locator("#rank")).to_have_text(re.compile(r"\d"))
    (cookie,) = (c for c in page.context.cookies() if c["name"] == "onsale_visitor")
    body = {"subject": cookie["value"].partition(".")[0], "reason": "Bought by a machine."}
    server.admin("POST", f"/admin/events/{arena}/revoke", body)
    expect(page.locator("#problem-text")).to_be_visible()
    check(page, "revoked")


@pytest.mark.parametrize("looks", LOOKS, ids=lambda looks: "-".join(map(str, looks)))
def test_axe_finds_nothing_from_the_map_to_the_tickets(fan, server, theatre, looks):
    page = fan()
    look(page, *looks)
    page.goto(f"/e/{theatre}/seats")
    expect(page.locator(".live-line .dot.live")).to_be_visible()
    check(page, "map")
    server.change(theatre, stopped=True, message="Doors at eight.")
    expect(page.locator(".notices")).to_contain_text("Doors at eight.")
    check(page, "map of a sale that is stopped")
    server.change(theatre, stopped=False, message="")
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
    page.goto(f"/console?event={arena}")
    expect(page.locator("#binds strong")).not_to_have_text("–")
    expect(page.locator("#resume")).to_be_visible()
    page.locator("#refused summary").click()
    yield "paused"
    page.locator("#perMinute").fill("7")
    page.locator("#skipFan").fill("0")
    page.locator("#skip button").click()
    expect(page.locator("#skip [data-preview]")).to_have_class(re.compile("bad"))
    yield "a change and a mistake typed"
    page.locator('[data-act="stop"] button').click()
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
    page.unroute("**/admission")
    page.keyboard.press("Escape")
    page.context.clear_cookies(name="onsale_console")
    page.reload()
    yield "without a session"


@pytest.mark.parametrize("looks", LOOKS, ids=lambda looks: "-".join(map(str, looks)))
def test_axe_finds_nothing_in_the_console(fan, server, arena, console_cookies, looks):
    page = fan()
    look(page, *looks)
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
    page.evaluate(
        """() => {
          document.documentElement.style.fontSize = "200%";
          for (const part of document.querySelectorAll("body *")) {
            part.style.lineHeight = "1.5";
            part.style.letterSpacing = ".12em";
            part.style.wordSpacing = ".16em";
          }
        }"""
    )
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    for part in page.locator(".pace dd, .steps li, #paused").all():
        clipped = part.evaluate("found => found.scrollWidth - found.clientWidth")
        assert clipped <= 1, part.inner_text()
