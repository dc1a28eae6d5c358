"""The console in a real browser: what it tells, what it does, and what it asks before."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.waiting import wait_until

pytestmark = pytest.mark.browser

PHONE = {"width": 360, "height": 740}


def place_of(fan_page, event_id):
    state = f"fetch('/events/{event_id}/queue').then((reply) => reply.json())"
    return fan_page.evaluate(state)["place"]


def figure(page, name):
    return page.locator(f'[data-number="{name}"]')


def shoppers(server, event_id):
    """Who went straight in and is still there."""
    calls = server.admin("GET", f"/admin/events/{event_id}/calls")
    return {c["subject"] for c in calls if c["kind"] == "direct" and c["endReason"] is None}


def write_the_name(page: Page) -> None:
    """Answers the question that something grave asks."""
    expect(page.get_by_role("dialog").get_by_role("textbox")).to_be_focused()
    page.keyboard.type(page.evaluate("document.body.dataset.title"))
    page.keyboard.press("Enter")


def test_a_change_is_previewed_made_shown_and_undone_from_the_keyboard(desk, server, stadium):
    page, before = desk(), server.room(stadium)["perMinute"]
    page.locator("#perMinute").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("77")
    preview = page.locator('[data-change="perMinute"] [data-preview]')
    expect(preview).to_contain_text("Queue empty")
    assert server.room(stadium)["perMinute"] == before, "a preview changes nothing"
    page.keyboard.press("Enter")
    expect(figure(page, "rate")).to_contain_text("/ 77")
    expect(page.locator(".audit tbody tr").first).to_contain_text(f"pace: {before:,} → 77")
    expect(preview).to_have_text("Now: 77.")  # it is all done: nothing takes the focus any more
    undo = page.get_by_role("button", name=f"Undo: pace back to {before:,}")
    undo.focus()
    page.keyboard.press("Enter")
    expect(figure(page, "rate")).to_contain_text(f"/ {before:,}")
    assert server.room(stadium)["perMinute"] == before


def test_what_another_operator_changed_is_shown_and_never_overwritten(desk, server, stadium):
    page = desk()
    page.locator("#maxActive").fill("5")
    server.change(stadium, perMinute=66)
    expect(page.locator("#perMinute")).to_have_value("66")
    expect(page.locator("#maxActive")).to_have_value("5")  # what was typed stays


def test_an_emergency_stop_asks_for_the_name_of_the_event(desk, server, stadium):
    page = desk()
    page.get_by_role("button", name="Stop the sale").click()
    dialog = page.get_by_role("dialog")
    go_on = dialog.get_by_role("button", name="Stop the sale")
    expect(dialog.get_by_role("textbox")).to_be_focused()
    expect(go_on).to_be_disabled()
    expect(dialog).to_contain_text("Times stand still: calls, admissions and holds are put off")
    page.keyboard.type("Some other tour")
    page.keyboard.press("Enter")
    expect(go_on).to_be_disabled()
    expect(dialog).to_be_visible()
    assert not server.room(stadium)["stopped"]
    page.keyboard.press("Control+A")
    write_the_name(page)
    expect(page.locator("#binds")).to_contain_text("The sale is stopped.")
    assert server.room(stadium)["stopped"]
    page.get_by_role("button", name="Let the sale go on").click()
    expect(page.locator("#binds")).not_to_contain_text("stopped")
    assert not server.room(stadium)["stopped"]


def test_a_question_that_is_cancelled_does_nothing(desk, server, stadium):
    page, before = desk(), server.room(stadium)
    page.get_by_role("button", name="Drain", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("textbox")).to_be_focused()
    page.keyboard.type(page.evaluate("document.body.dataset.title"))
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert server.room(stadium) == before


def test_a_message_reaches_a_waiting_fans_page_and_goes_again(desk, fan, server, stadium):
    server.change(stadium, maxActive=0)
    waiting, page = fan(), desk()
    waiting.goto(f"/e/{stadium}/queue")
    expect(waiting.locator("#rank")).to_have_text(re.compile(r"\d"))
    page.locator("#message").fill("Doors open at seven.")
    page.get_by_role("button", name="Show the message").click()
    word = waiting.get_by_text("Doors open at seven.", exact=True)
    expect(word).to_be_visible()
    expect(page.locator("#binds")).to_contain_text("The cap binds.")
    page.locator("#revokeFan").fill(str(place_of(waiting, stadium)))
    page.locator("#revokeReason").fill("One ticket is enough.")
    page.get_by_role("button", name="Revoke").click()
    write_the_name(page)
    expect(waiting.get_by_text("One ticket is enough.")).to_be_visible()


def test_a_shopper_reads_of_a_stop_on_the_map_and_why_an_admission_was_revoked(
    desk, fan, server, stadium
):
    server.change(stadium, mode="off")
    shopper, page = fan(), desk()
    shopper.goto(f"/e/{stadium}/seats")
    expect(shopper.locator("#live")).to_have_text("Live")
    server.change(stadium, stopped=True, pauseReason="Wrong prices.")
    notices = shopper.locator(".notices")
    expect(notices).to_contain_text("Wrong prices.")
    server.change(stadium, stopped=False)
    expect(notices).not_to_contain_text("Wrong prices.")
    wait_until(lambda: shoppers(server, stadium), "the shopper's turn is kept")
    (subject,) = shoppers(server, stadium)
    page.locator("#revokeFan").fill(subject)
    page.locator("#revokeReason").fill("A robot.")
    page.get_by_role("button", name="Revoke").click()
    write_the_name(page)
    shopper.wait_for_url(f"**/e/{stadium}/queue")
    expect(shopper.get_by_text("A robot.", exact=True)).to_be_visible()


def test_a_screen_reader_hears_what_the_control_says_that_it_is_at_and_no_other(desk):
    page = desk()
    aloud = page.locator('[data-preview][aria-live="polite"]')
    expect(aloud).to_have_count(0)  # or a dozen would be read when the page comes
    page.locator("#perMinute").focus()
    expect(aloud).to_have_count(1)
    page.keyboard.type("7")
    expect(page.locator('[data-change="perMinute"] [aria-live]')).to_contain_text("Queue empty")


def test_nights_of_one_tour_are_told_apart_in_the_list_of_sales(desk):
    nights = desk().locator(".sales a", has_text="Cup Final").all_inner_texts()
    assert len(nights) == len(set(nights)) > 1


def test_on_a_phone_nothing_is_wider_than_the_screen(desk):
    page = desk(viewport=PHONE)
    expect(page.get_by_role("button", name="Stop the sale")).to_be_visible()
    for last_to_come in ("#beacon", "#shop"):
        expect(page.locator(f"{last_to_come} [data-preview]")).not_to_be_empty()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
