"""An open map in real browsers: what its stream tells, without a reload and without asking."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import THEATRE

pytestmark = pytest.mark.browser


@pytest.fixture
def shop(fan, server):
    """Opens a theatre's map as another fan at each call: everybody is let straight in."""
    event_id = server.another(THEATRE, mode="auto")

    def enter() -> Page:
        page = fan()
        go(page, event_id)
        return page

    enter.event_id = event_id
    return enter


def go(page: Page, event_id: str) -> None:
    page.goto(f"/e/{event_id}/seats")
    expect(page.locator("#live")).to_have_text("Live")


def hold_of(page: Page, event_id: str) -> dict:
    return page.request.get(f"/events/{event_id}/holds/mine").json()


def ask_no_more(page: Page) -> None:
    """From here on the page learns nothing by asking for the queue's state."""
    page.route("**/events/*/queue", lambda route: route.abort())


def test_a_stop_and_words_to_all_are_on_an_open_map_at_once_and_go_again(shop, server):
    page = shop()
    ask_no_more(page)
    notices = page.locator(".notices")
    expect(notices).to_be_empty()
    server.change(shop.event_id, stopped=True, message="Doors open at seven.")
    expect(notices).to_contain_text("The organiser has stopped the sale for now.")
    expect(notices).to_contain_text("No seats can be taken or paid for until it goes on.")
    expect(notices).to_contain_text("Doors open at seven.")
    server.change(shop.event_id, stopped=False, message="")
    expect(notices).to_be_empty()


def test_a_basket_ends_later_when_the_sale_is_stopped_and_the_open_map_says_so(shop, server):
    page = shop()
    line = page.locator("#hold-line")
    page.get_by_role("button", name="List").click()
    page.locator(".sections button", has_text="left").first.click()
    page.locator(".list .row button.seat:enabled").first.click()
    expect(line).to_contain_text("Held until")
    until, before = line.inner_text().partition(" · ")[0], hold_of(page, shop.event_id)
    server.change(shop.event_id, stopped=True)
    expect(line).not_to_contain_text(until)
    expect(line).to_contain_text("Held until")
    after = hold_of(page, shop.event_id)
    assert after["holdId"] == before["holdId"]
    assert after["endsAt"] > before["endsAt"]


def test_a_seat_is_chosen_though_another_goes_while_it_is_being_pressed(shop):
    looker, faster = shop(), shop()
    for page in (looker, faster):
        page.get_by_role("button", name="List").click()
        page.locator(".sections button", has_text="left").first.click()
    free = looker.locator(".list .row button.seat:enabled")
    wanted, other = free.evaluate_all("all => all.slice(0, 2).map((seat) => seat.ariaLabel)")
    looker.get_by_role("button", name=wanted, exact=True).hover()
    looker.mouse.down()
    faster.get_by_role("button", name=other, exact=True).click()
    expect(looker.get_by_role("button", name=f"{other}, taken", exact=True)).to_be_disabled()
    looker.mouse.up()
    expect(looker.get_by_role("button", name=f"{wanted}, yours", exact=True)).to_be_visible()


def test_a_revoked_fan_is_taken_off_the_map_and_told_why_and_nobody_else(shop, server):
    revoked, other = shop(), shop()
    ask_no_more(other)
    (cookie,) = (c for c in revoked.context.cookies() if c["name"] == "onsale_visitor")
    subject = cookie["value"].partition(".")[0]
    body = {"subject": subject, "reason": "Bought by a machine."}
    server.admin("POST", f"/admin/events/{shop.event_id}/revoke", body)
    revoked.wait_for_url(f"**/e/{shop.event_id}/queue")
    expect(revoked.locator("#problem-text")).to_have_text("Bought by a machine.")
    server.change(shop.event_id, message="Go on.")
    expect(other.locator(".notices")).to_contain_text("Go on.")


def test_all_tabs_of_a_browser_read_one_stream_and_another_takes_over(shop, server):
    first = shop()
    streams: list[str] = []
    first.context.on(
        "request", lambda asked: "/seats/stream?" in asked.url and streams.append(asked.url)
    )
    second = first.context.new_page()
    second.clock.set_fixed_time(second.evaluate("Date.now() / 1000"))  # it finds nobody silent
    go(second, shop.event_id)
    for page in (first, second):
        ask_no_more(page)
    server.change(shop.event_id, message="Doors open at seven.")
    for page in (first, second):
        expect(page.locator(".notices")).to_contain_text("Doors open")
    assert streams == [], "the second tab listens to the first one's"
    first.close()
    server.change(shop.event_id, message="Doors are open.")
    expect(second.locator(".notices")).to_contain_text("Doors are open.")
    assert len(streams) == 1


def test_a_tab_that_comes_later_hears_what_was_said_before(shop, server):
    first = shop()
    server.change(shop.event_id, message="Doors open at seven.")
    expect(first.locator(".notices")).to_contain_text("Doors open at seven.")
    second = first.context.new_page()
    second.route(  # the queue's state without the words: they are to come from the other tab
        "**/events/*/queue",
        lambda route: route.fulfill(json=route.fetch().json() | {"message": ""}),
    )
    go(second, shop.event_id)
    expect(second.locator(".notices")).to_contain_text("Doors open at seven.")


def test_what_can_do_nothing_before_the_map_is_there_cannot_be_pressed(fan, theatre):
    page = fan(java_script_enabled=False)  # as the page is before the plan has come
    page.goto(f"/e/{theatre}/seats")
    for buttons in (".bar button", ".tools button"):
        expect(page.locator(buttons).first).to_be_visible()
        expect(page.locator(f"{buttons}:enabled")).to_have_count(0)
    why = page.locator("noscript .band")
    why.click(trial=True, position={"x": 24, "y": 24})  # its first words are not covered
