"""Fans in real browsers, from the first page to their tickets, on what `onsale serve` starts."""

import re

import pytest
from playwright.sync_api import Page, expect

from app.pages.language import Languages
from app.pages.words import countdown

pytestmark = pytest.mark.browser


def test_a_fan_goes_from_the_first_page_to_tickets_while_another_watches(fan, server, arena):
    buyer, watcher = fan(), fan()
    assert [_joined(page, arena) for page in (buyer, watcher)] == [1, 2]
    server.change(arena, paused=False)
    _accept(watcher, arena)
    _accept(buyer, arena)
    section, seats = _open_list(buyer)
    _open_list(watcher, section)
    watcher.evaluate("window.loadedOnce = true")

    for name in seats:
        expect(_seat(watcher, name)).to_be_enabled()
        _seat(buyer, name).click()
        expect(_seat(watcher, f"{name}, taken")).to_be_disabled()
        expect(_seat(buyer, f"{name}, yours")).to_be_visible()
    assert watcher.evaluate("window.loadedOnce"), "the watcher's page was loaded again"

    _pay(buyer, "fan@example.org")
    buyer.wait_for_url(re.compile(r"/orders/bk_"))
    expect(buyer.locator(".ticket .qr svg")).to_have_count(len(seats))
    expect(_seat(watcher, f"{seats[0]}, taken")).to_be_disabled()


def test_a_reload_of_the_queue_page_keeps_the_place(fan, arena):
    first, second = fan(), fan()
    assert _joined(first, arena) == 1
    assert _joined(second, arena) == 2
    first.reload()
    assert _rank(first) == 1


def test_an_order_is_not_there_for_another_browser(fan, server, arena):
    owner, stranger = fan(), fan()
    _joined(owner, arena)
    server.change(arena, paused=False)
    _accept(owner, arena)
    _, seats = _open_list(owner)
    _seat(owner, seats[0]).click()
    _pay(owner, "owner@example.org")
    owner.wait_for_url(re.compile(r"/orders/bk_"))
    assert stranger.goto(owner.url).status == 404
    expect(stranger.get_by_role("heading", level=1)).to_have_text("There is nothing here")


def _joined(page: Page, event_id: str) -> int:
    """Goes to the queue as a fan does, by links; the rank there."""
    page.goto("/")
    page.locator(f'a[href="/e/{event_id}"]').first.click()
    page.get_by_role("link", name="Join the queue").click()
    return _rank(page)


def _rank(page: Page) -> int:
    expect(page.locator("#rank")).to_have_text(re.compile(r"\d"))
    return int(re.sub(r"\D", "", page.locator("#rank").inner_text()))


def _accept(page: Page, event_id: str) -> None:
    page.get_by_role("button", name="Accept and choose seats").click()
    page.wait_for_url(f"**/e/{event_id}/seats")


def _open_list(page: Page, section: str | None = None) -> tuple[str, list[str]]:
    """Opens a section as text, by default the first with free seats; two of these by name."""
    page.get_by_role("button", name="List").click()
    wanted = page.locator(".sections button", has_text=section or "left").first
    name = wanted.locator("strong").inner_text()
    wanted.click()
    free = page.locator(".list .row button.seat:enabled")
    expect(free.nth(1)).to_be_visible()
    return name, free.evaluate_all("found => found.slice(0, 2).map((seat) => seat.ariaLabel)")


def _seat(page: Page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def _pay(page: Page, email: str) -> None:
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_label("E-mail for your tickets").fill(email)
    page.get_by_role("button", name=re.compile("^Pay")).click()


def test_a_payment_that_is_refused_says_why_and_keeps_the_seats(fan, theatre):
    page = fan()
    page.goto(f"/e/{theatre}/seats")
    _, (seat, *_) = _open_list(page)
    _seat(page, seat).click()
    _pay(page, "fan@example")  # which a browser takes for an address
    expect(page.get_by_role("alert")).to_contain_text("This is no e-mail address")
    expect(_seat(page, f"{seat}, yours")).to_be_visible()
    page.get_by_label("E-mail for your tickets").fill("fan@example.org")
    page.get_by_role("button", name=re.compile("^Pay")).click()
    page.wait_for_url(re.compile(r"/orders/bk_"))


def test_a_countdown_reads_the_same_from_the_server_and_in_the_browser(fan, theatre):
    page = fan()
    page.goto(f"/e/{theatre}")
    words = page.locator('link[rel="modulepreload"][href$="/lib/words.js"]').get_attribute("href")
    times = [0, 1, 59_000, 3_599_000, 3_600_000, 86_399_000, 86_400_000, 90_061_000, 200_000_000]
    read = "async ([words, times]) => times.map((await import(location.origin + words)).countdown)"
    english = Languages(pseudo=False).spoken["en"]
    assert page.evaluate(read, [words, times]) == [countdown(ms, english) for ms in times]
