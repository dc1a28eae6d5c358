"""By keyboard alone: nothing that has the focus is covered, and seats are chosen and paid for."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

MOST_STOPS = 200
SEEN = """() => {
  const found = document.activeElement, { x, y, width, height } = found.getBoundingClientRect();
  if (found === document.body) return "end";
  const top = document.elementFromPoint(x + width / 2, y + height / 2);
  return top && (found.contains(top) || top.contains(found)) ? "seen" : found.outerHTML;
}"""


def walk(page: Page) -> list[str]:
    """What Tab comes to, until it leaves the page; 'seen', or the element that is covered."""
    stops = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        stop = page.evaluate(SEEN)
        if stop == "end":
            return stops
        stops.append(stop)
    raise AssertionError("no way out")


def tab_to(page: Page, selector: str) -> None:
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"no way to {selector}")


def test_what_has_the_focus_is_never_under_the_buttons_of_a_phone(fan, arena):
    page = fan()
    page.goto(f"/e/{arena}/queue")
    expect(page.locator("#rank")).to_have_text(re.compile(r"\d"))
    for height in (480, 600, 740):
        page.set_viewport_size({"width": 360, "height": height})
        page.locator("#main").focus()
        stops = walk(page)
        assert set(stops) == {"seen"}
        assert len(stops) >= 2, "the bell and the way out"


def test_seats_are_chosen_and_paid_for_by_keyboard(fan, theatre):
    page = fan(viewport={"width": 1100, "height": 740})
    page.goto(f"/e/{theatre}/seats")
    expect(page.locator("#live")).to_have_text("Live")
    tab_to(page, "#as-list")
    page.keyboard.press("Enter")
    tab_to(page, ".sections button")
    page.keyboard.press("Enter")
    tab_to(page, ".list .row button.seat")
    page.keyboard.press("Space")
    expect(page.locator("#next")).to_be_enabled()
    expect(page.locator(".list .row button.seat:focus")).to_have_attribute("aria-pressed", "true")
    tab_to(page, "#next")
    page.keyboard.press("Enter")
    expect(page.locator("#email")).to_be_focused()
    page.keyboard.type("fan@example.org")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/orders/bk_"))


def test_a_seat_that_goes_while_it_has_the_focus_hands_it_to_its_sections_heading(fan, theatre):
    looker, faster = pages = [fan(), fan()]
    for page in pages:
        page.goto(f"/e/{theatre}/seats")
        page.get_by_role("button", name="List").click()
        page.locator(".sections button", has_text="left").first.click()
    name = looker.locator(".list .row button.seat:enabled").first.get_attribute("aria-label")
    looker.get_by_role("button", name=name, exact=True).focus()
    faster.get_by_role("button", name=name, exact=True).click()
    expect(looker.get_by_role("button", name=f"{name}, taken", exact=True)).to_be_disabled()
    expect(looker.locator(".list h2")).to_be_focused()


def test_what_is_said_of_the_sale_covers_no_section_of_the_list(fan, server, theatre):
    server.change(theatre, message="Doors open at seven. The lifts are on the north side.")
    page = fan(viewport={"width": 390, "height": 844})
    page.goto(f"/e/{theatre}/seats")
    expect(page.locator(".notices")).to_contain_text("Doors open at seven.")
    page.locator("#as-list").click()
    page.locator(".sections button").first.focus()
    page.wait_for_function(f"({SEEN})() === 'seen'")
