"""What the queue page says of the way to a turn: why a wait changed, what is left, a bell."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.test_queue_page import leave, linked, queue

pytestmark = pytest.mark.browser

LISTEN = """() => {
  window.made = 0; window.rung = 0;
  const Real = window.AudioContext;
  window.AudioContext = class extends Real {
    constructor() { super(); window.made++; }
    createOscillator() { window.rung++; return super.createOscillator(); }
  };
}"""


def test_a_wait_that_changed_says_why(fan, server, arena):
    page = fan()
    queue(page, arena)
    expect(page.locator("#eta")).to_have_text("not known yet")
    server.change(arena, paused=False, maxActive=0)
    expect(page.locator("#eta-why")).to_have_text("Calling was paused.")


def test_who_waits_is_told_when_nothing_is_left_and_when_something_is_again(fan, arena):
    page, gone = fan(), {"allGone": False}
    sockets: list[WebSocketRoute] = []

    def tell(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda text: socket.send(json.dumps(json.loads(text) | gone)))
        sockets.append(socket)

    page.route_web_socket("**/queue/socket", tell)
    queue(page, arena)
    linked(page, sockets)
    expect(page.locator("#gone")).to_be_hidden()
    for answer in (True, False):
        gone["allGone"] = answer
        sockets[-1].close()  # the page comes back and is told the state of now
        expect(page.locator("#gone")).to_be_visible(visible=answer)
    leave(page)


def test_the_page_rings_only_for_who_asked_for_it(fan, server, arena):
    loud, silent = fan(), fan()
    for page in (loud, silent):
        page.add_init_script(f"({LISTEN})()")
        queue(page, arena)
        assert page.evaluate("window.made") == 0, "no sound without a gesture"
    bell = loud.get_by_role("button", name="Ring at my turn")
    bell.click()
    loud.wait_for_function("window.rung === 2")  # to hear once what it will be
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "false")
    bell.click()
    loud.wait_for_function("window.rung === 4")
    server.change(arena, paused=False)
    for page in (loud, silent):
        turn = page.get_by_role("heading", name="Your turn")
        expect(turn).to_be_visible()
    assert loud.evaluate("window.rung") == 6
    assert silent.evaluate("window.rung") == 0
    expect(loud.locator("#spoken")).to_contain_text(
        re.compile(r"Your turn\. Time left to accept: \d\d:\d\d")
    )
    for page in (loud, silent):
        leave(page)


def test_a_queue_that_was_closed_can_be_joined_once_it_is_open_again(fan, server, arena):
    server.change(arena, intake="closed")
    page = fan()
    page.goto(f"/e/{arena}/queue")
    expect(page.get_by_role("heading", name="The queue is closed")).to_be_visible()
    again = page.get_by_role("button", name="Try again")
    again.click()
    expect(again).to_be_visible()
    server.change(arena, intake="open")
    again.click()
    expect(page.locator("#rank")).to_have_text("1st")
    leave(page)
