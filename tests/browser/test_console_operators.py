"""Two operators, a session that ends: nothing typed is lost, nobody's change is overwritten unseen,
and what was before is on the charts."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import HOURS_S, STADIUM
from tests.browser.test_console import write_the_name
from tests.waiting import wait_until

pytestmark = pytest.mark.browser

# Until the server could look: an answer of 503 is none.
JOIN = """async (id) => {
  const headers = { "content-type": "application/json" };
  let reply;
  do reply = await fetch(`/events/${id}/queue`, { method: "POST", headers, body: "{}" });
  while (reply.status === 503);
}"""
WHOLE_CHART = 276  # of its width, for 15 minutes


def before_its_change(page: Page, step: Callable[[], object]) -> None:
    """`step` is done just before the next change of `page`."""
    waiting = [step]

    def first(route):
        if route.request.method == "PATCH" and waiting:
            waiting.pop()()
        route.continue_()

    page.route("**/admission", first)


def other_is_faster(page: Page, server, event_id: str, **change) -> None:
    """The next change of `page` comes just after somebody else's."""
    before_its_change(page, lambda: server.change(event_id, **change))


def test_of_two_operators_the_slower_sees_both_values_and_decides(desk, server, stadium):
    page = desk()
    server.change(stadium, perMinute=50, maxActive=40)
    expect(page.locator("#perMinute")).to_have_value("50")
    other_is_faster(page, server, stadium, perMinute=66, maxActive=44)
    page.locator("#perMinute").fill("77")
    page.get_by_role("button", name="Set the pace").click()
    dialog = page.get_by_role("dialog", name="Somebody else was faster")
    expect(dialog.get_by_role("row", name="pace 50 66 77")).to_be_visible()
    expect(dialog.get_by_role("row", name="cap 40 44 –")).to_be_visible()
    expect(dialog).to_contain_text("Changed by the admin token")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("#perMinute")).to_have_value("77")
    assert server.room(stadium)["perMinute"] == 66
    expect(page.locator("#maxActive")).to_have_value("44")
    other_is_faster(page, server, stadium, maxActive=45)
    page.get_by_role("button", name="Set the pace").click()
    dialog.get_by_role("button", name="Make mine all the same").click()
    expect(page.locator('[data-change="perMinute"] [data-preview]')).to_have_text("Now: 77.")
    room = server.room(stadium)
    assert (room["perMinute"], room["maxActive"]) == (77, 45)


def test_a_repair_that_changed_no_setting_asks_nobody(desk, server, stadium):
    page = desk()

    def repair() -> None:
        with server.database() as database:
            database.execute("update room set version = version + 1 where event_id = %s", [stadium])

    before_its_change(page, repair)
    page.locator("#perMinute").fill("77")
    page.get_by_role("button", name="Set the pace").click()
    expect(page.locator('[data-change="perMinute"] [data-preview]')).to_have_text("Now: 77.")
    expect(page.locator("#differs")).to_be_hidden()


def test_a_value_that_changed_while_it_was_being_typed_is_told(desk, server, stadium):
    page = desk()
    server.change(stadium, perMinute=50)
    expect(page.locator("#perMinute")).to_have_value("50")
    page.locator("#paused").fill("We look for a")
    page.locator("#perMinute").fill("77")
    server.change(stadium, perMinute=66)
    preview = page.locator('[data-change="perMinute"] [data-preview]')
    expect(preview).to_contain_text("Somebody set it to 66 meanwhile.")
    expect(page.locator("#perMinute")).to_have_value("77")
    expect(page.locator("#paused")).to_have_value("We look for a")


def test_a_place_that_nobody_has_is_said_to_be_none(desk):
    page = desk()
    page.locator("#skipFan").fill("4321")
    page.get_by_role("button", name="Call this fan now").click()
    told = page.locator("#skip [data-preview]")
    expect(told).to_have_text("Nobody has that place or id here.")


def test_an_emergency_stop_waits_for_nobody(desk, server, stadium):
    page = desk()
    other_is_faster(page, server, stadium, perMinute=66)
    page.get_by_role("button", name="Stop the sale").click()
    write_the_name(page)
    expect(page.locator("#binds")).to_contain_text("The sale is stopped.")
    expect(page.locator("#differs")).to_be_hidden()
    room = server.room(stadium)
    assert (room["stopped"], room["perMinute"]) == (True, 66)


def test_an_undo_never_takes_back_what_somebody_else_just_did(desk, server, stadium):
    page = desk()
    server.change(stadium, perMinute=50)
    server.change(stadium, perMinute=60)
    expect(page.locator("#perMinute")).to_have_value("60")
    waiting = [{"maxActive": 43}]

    def first(route):
        if waiting:
            server.change(stadium, **waiting.pop())
        route.continue_()

    page.route("**/admission/undo", first)
    page.get_by_role("button", name="Undo: pace back to 50").click()
    dialog = page.get_by_role("dialog", name="Somebody else was faster")
    dialog.get_by_role("button", name="Make mine all the same").click()
    expect(page.locator("#perMinute")).to_have_value("50")
    room = server.room(stadium)
    assert (room["perMinute"], room["maxActive"]) == (50, 43)


def test_before_something_grave_stands_how_many_fans_it_meets(desk, fan, server, stadium):
    server.change(stadium, maxActive=0)
    waiting, page = fan(), desk()
    waiting.goto(f"/e/{stadium}/queue")
    expect(waiting.locator("#rank")).to_have_text(re.compile(r"\d"))
    tile = page.locator('[data-number="waiting"] [data-figure]')
    expect(tile).to_have_text("1")
    page.locator("#mode").select_option("off")
    page.get_by_role("button", name="Set the mode").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 fan waits.")
    expect(dialog).to_contain_text("They go straight in at once")
    page.keyboard.press("Escape")
    expect(page.locator("#mode")).to_have_value("off")  # what was chosen stays
    assert server.room(stadium)["mode"] == "on"
    for name, words in (("Drain", "the sale is over by itself"), ("Close the queue", "keep their")):
        page.get_by_role("button", name=name, exact=True).click()
        expect(dialog).to_contain_text("1 fan waits.")
        expect(dialog).to_contain_text(words)
        dialog.get_by_role("button", name="Cancel").click()


def test_lobby_draw_and_beacon_are_set_before_the_opening(desk, server):
    event_id = server.another(STADIUM, opens_in_s=HOURS_S)
    page = desk(event_id=event_id, timezone_id="Europe/Berlin")
    lobby = page.locator('[data-change="lobbyOpensAt"] [data-preview]')
    expect(lobby).to_have_text("Now: at once.")
    page.evaluate(JOIN, event_id)  # an operator may be a fan, too
    figure = page.locator('[data-number="lobby"] [data-figure]')
    expect(figure).to_have_text("1")
    page.locator("#perMinute").fill("77")
    foreseen = page.locator('[data-change="perMinute"] [data-preview]')
    expect(foreseen).to_contain_text("1 fan is in the lobby, to be drawn at the opening.")
    expect(foreseen).to_contain_text("From then on half wait 0 s")
    page.locator("#lobbyOpensAt").fill("2030-01-02T03:04:05")
    page.get_by_role("button", name="Set the lobby").click()
    last = page.locator(".audit tbody tr").first
    expect(last).to_contain_text("at once → Wed, 2 Jan 2030")
    assert server.room(event_id)["lobbyOpensAt"] == 1_893_549_845_000
    page.locator("#draw").select_option("false")
    page.get_by_role("button", name="Set the order").click()
    expect(last).to_contain_text("draw: yes → no")
    assert server.room(event_id)["draw"] is False
    page.locator("#beaconField").fill("drand quicknet round 1234567")
    page.get_by_role("button", name="Name the beacon").click()
    expect(page.locator("#beacon")).to_contain_text("Named: drand quicknet round 1234567.")
    page.get_by_role("button", name="Undo: draw back to yes").click()
    expect(page.locator("#draw")).to_have_value("true")
    page.locator("#opensAt").fill("2020-01-02T03:04:05")
    page.get_by_role("button", name="Set the opening").click()
    expect(page.get_by_role("dialog")).to_contain_text("1 fan is in the lobby.")
    write_the_name(page)
    value = page.get_by_role("button", name="Give its value")
    expect(value).to_be_visible()
    page.locator("#beaconField").fill("00" * 32)
    value.click()
    expect(page.locator("#beacon")).to_contain_text("Given: drand quicknet round 1234567.")


WATCH = """(selector) => {
  const told = document.querySelector(selector);
  window.told = [];
  new MutationObserver(() => window.told.push(told.textContent))
    .observe(told, { childList: true, characterData: true, subtree: true });
}"""


def test_an_answer_that_comes_late_is_not_shown_over_a_newer_one(desk, server, early):
    """Two refreshes of the page are under way, and the first is answered last."""
    page, late = desk(event_id=early), []
    beacon = page.locator("#beacon")
    expect(beacon).to_contain_text("None is named.")
    page.route("**/queue/draw", lambda route: late.append((route, route.fetch())), times=1)
    server.change(early, message="The doors open at seven.")  # the page reads all anew
    wait_until(lambda: page.evaluate("1") and late, "the page asks")
    page.locator("#beaconField").fill("drand quicknet round 1234567")
    page.get_by_role("button", name="Name the beacon").click()
    expect(beacon).to_contain_text("Named: drand quicknet round 1234567.")
    page.evaluate(WATCH, "#beacon [data-preview]")
    [(route, answer)] = late
    with page.expect_response("**/queue/draw"):
        route.fulfill(response=answer)
    with page.expect_response("**/queue/draw") as next_one:
        server.change(early, message="The doors open at eight.")
    next_one.value.finished()
    assert page.evaluate("window.told") == []


def test_what_a_change_would_do_is_not_shown_once_it_is_made(desk):
    page, late = desk(), []
    page.route("**/admission/preview", lambda route: late.append(route), times=1)
    page.locator("#perMinute").fill("77")
    wait_until(lambda: page.evaluate("1") and late, "the page asks what it would do")
    page.get_by_role("button", name="Set the pace").click()
    preview = '[data-change="perMinute"] [data-preview]'
    expect(page.locator(preview)).to_have_text("Now: 77.")
    page.evaluate(WATCH, preview)
    with page.expect_response("**/admission/preview"):
        late.pop().continue_()
    page.locator("#maxActive").fill("5")  # once this is answered, the page has long heard the other
    expect(page.locator('[data-change="maxActive"] [data-preview]')).to_contain_text("Queue empty")
    assert page.evaluate("window.told") == []


def test_who_goes_on_to_another_field_while_a_change_is_made_stays_there(desk):
    page, late = desk(), []

    def held_up(route):
        if route.request.method == "PATCH":
            late.append(route)
        else:
            route.continue_()

    page.route("**/admission", held_up)
    page.locator("#perMinute").fill("77")
    page.get_by_role("button", name="Set the pace").click()
    wait_until(lambda: page.evaluate("1") and late, "the page makes the change")
    page.locator("#message").focus()
    late.pop().continue_()
    expect(page.locator('[data-change="perMinute"] [data-preview]')).to_have_text("Now: 77.")
    expect(page.locator("#message")).to_be_focused()


def test_the_addresses_of_a_shop_are_set_and_an_overtaken_operator_sees_the_others(
    desk, server, stadium
):
    page, shop = desk(), f"/admin/events/{stadium}/shop"
    told, go = page.locator("#shop [data-preview]"), page.locator("#shop button")
    expect(told).to_have_text("None: nobody is sent elsewhere.")
    page.locator("#returnUrls").fill("https://shop.example\nhttp://typo.example")
    go.click()
    expect(told).to_contain_text("Fans can't be sent back to http://typo.example.")
    page.locator("#returnUrls").fill("https://shop.example/tickets\nhttps://other.example")
    go.click()
    expect(told).to_have_text("Now: https://shop.example/tickets, https://other.example.")
    page.locator("#returnUrls").fill("https://mine.example")
    theirs = {"returnUrls": ["https://theirs.example"]}
    quicker = [theirs]
    page.route("**/shop", lambda route: overtaken(route, server, shop, quicker))
    go.click()
    expect(told).to_have_class(re.compile("bad"))
    expect(told).to_contain_text("Now: https://theirs.example.")
    expect(page.locator("#returnUrls")).to_have_value("https://mine.example")
    assert server.admin("GET", shop)["returnUrls"] == theirs["returnUrls"]
    go.click()
    expect(told).to_have_text("Now: https://mine.example.")
    assert server.admin("GET", shop)["returnUrls"] == ["https://mine.example"]
    back = page.get_by_role("button", name="Undo: return addresses back to https://theirs.example")
    back.click()
    expect(page.locator("#returnUrls")).to_have_value("https://theirs.example")
    expect(page.locator(".audit tbody tr").first).to_contain_text("change undone")
    assert server.admin("GET", shop)["returnUrls"] == theirs["returnUrls"]
    expect(page.get_by_role("button", name="back to https://mine.example")).to_be_visible()


def test_refusals_are_listed_in_the_words_that_fans_read_with_their_code(
    desk, fan, server, stadium
):
    server.change(stadium, intake="closed")
    turned_away, page = fan(), desk()
    turned_away.goto(f"/e/{stadium}/queue")
    turned_away.evaluate(JOIN, stadium)
    page.locator("#refused summary").click()
    told = "The queue takes nobody new. Those who have a place keep it."
    line = page.locator("#refused li").filter(has_text=told)
    expect(line).to_be_visible()
    expect(line.locator("code")).to_have_text("queue_closed")
    page.get_by_role("button", name="Deutsch").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.locator("#refused summary").click()
    expect(page.locator("#refused li").filter(has_text="queue_closed")).to_contain_text(
        "Die Schlange nimmt niemanden mehr auf."
    )


def overtaken(route, server, shop, quicker) -> None:
    """Another operator is quicker than the page's first change; what it reads goes through."""
    if route.request.method == "PUT" and quicker:
        server.admin("PUT", shop, quicker.pop(), server.admin("GET", shop)["version"])
    route.continue_()


def test_an_ended_session_is_told_and_after_a_new_link_the_page_goes_on(desk, server, stadium):
    cookies = server.console_cookies()
    page = desk(cookies)
    other = page.context.new_page()
    page.locator("#message").fill("Doors open at")
    other.goto(f"/console?event={stadium}")
    other.get_by_role("button", name="Log out").click()
    expect(other.get_by_role("heading")).to_have_text("This needs a console link")
    ended = page.get_by_role("alert").filter(has_text="The session has ended.")
    expect(ended).to_be_visible()
    page.get_by_role("button", name="Show the message").click()
    expect(page.locator('[data-change="message"] [data-preview]')).to_contain_text("onsale console")
    link = server.admin("POST", "/admin/console-links", {})["path"]
    other.goto(link)
    expect(ended).to_be_hidden()
    expect(page.locator("#link")).to_have_text("live")
    expect(page.locator("#message")).to_have_value("Doors open at")


# When the first line of the first chart begins: more than a minute before the page was opened. As
# it was drawn a moment ago, the page may have to look again.
BEGAN_BEFORE = f"""() => {{
  const drawn = document.querySelector(".plot .line-a").getAttribute("d");
  if (!drawn?.includes("L")) return false;
  const agoMs = (320 - Number(drawn.match(/[0-9.]+/)[0])) / {WHOLE_CHART} * 900_000;
  return performance.timeOrigin - (Date.now() - agoMs) > 60_000;
}}"""
TWO_MINUTES = """
insert into recent_numbers
select %s, floor(extract(epoch from now()) / 5) - ago, ago, 0, 0, 50, 0, 0, 0
from generate_series(1, 24) ago"""


def test_a_second_operator_and_a_reload_see_the_last_minutes(desk, server, stadium):
    with server.database() as database:
        database.execute(TWO_MINUTES, [stadium])
    page = desk()
    page.wait_for_function(BEGAN_BEFORE)
    page.reload()
    page.wait_for_function(BEGAN_BEFORE)
