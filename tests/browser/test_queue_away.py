"""A queue page that was away: asleep, without a network, or with one that swallows sockets."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.test_queue_page import Line, leave, queue

pytestmark = pytest.mark.browser

HOUR_S = 3_600
SOON_MS = 5_000  # the page's own watch over its socket would take 25 s
CONNECT_MS = 10_000  # no page waits longer for a socket
SILENT_SOCKET = """
window.sockets = 0;
window.WebSocket = class {
  readyState = 0;
  constructor() { window.sockets++; }
  close() { this.onclose?.({ code: 1006 }); }
};"""
WATCH_THE_LINK = """() => {
  const link = document.querySelector("#link");
  window.said = [];
  new MutationObserver(() => window.said.push(link.textContent))
    .observe(link, { childList: true, characterData: true, subtree: true });
}"""


class DeadLine:
    """Sockets that stay open and carry nothing any more, as after a sleep. New ones work."""

    def __init__(self) -> None:
        self._dead: set[WebSocketRoute] = set()
        self._sockets: list[WebSocketRoute] = []

    def socket(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        self._sockets.append(socket)
        server.on_message(lambda text: socket not in self._dead and socket.send(text))
        socket.on_message(lambda text: socket not in self._dead and server.send(text))

    def dies(self) -> None:
        self._dead.update(self._sockets)


def test_after_an_hour_of_sleep_the_page_has_the_rank_of_now_at_once(fan, arena):
    ahead, page, line = fan(), fan(), DeadLine()
    queue(ahead, arena)
    page.route_web_socket("**/queue/socket", line.socket)
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now() / 1000") + 1)
    shown = queue(page, arena)
    page.evaluate("window.loadedOnce = true")
    line.dies()
    leave(ahead)
    expect(page.locator("#rank")).to_have_text(shown)
    page.clock.set_system_time(page.evaluate("Date.now() / 1000") + HOUR_S)  # no timer ran
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.clock.run_for(SOON_MS)
    expect(page.locator("#rank")).not_to_have_text(shown)
    assert page.evaluate("window.loadedOnce")
    leave(page)


def test_a_frozen_page_goes_on_where_the_queue_is_when_it_thaws(fan, arena):
    ahead, page = fan(), fan()
    queue(ahead, arena)
    shown = queue(page, arena)
    state = page.context.new_cdp_session(page)
    state.send("Page.setWebLifecycleState", {"state": "frozen"})
    leave(ahead)
    state.send("Page.setWebLifecycleState", {"state": "active"})
    expect(page.locator("#rank")).not_to_have_text(shown)
    leave(page)


def test_without_a_network_the_page_says_so_steadily_and_goes_on_with_the_next(fan, arena):
    page = fan()
    shown = queue(page, arena)
    page.evaluate(WATCH_THE_LINK)
    page.context.set_offline(True)
    expect(page.locator("#link")).to_contain_text("Still no connection")
    said = page.evaluate("window.said")
    assert said[0] == "Reconnecting. Your place is kept."
    assert "" not in said, "one way that is tried hid the other"
    page.context.set_offline(False)
    expect(page.locator("#link")).to_be_empty()
    expect(page.locator("#rank")).to_have_text(shown)
    leave(page)


def test_a_socket_that_nobody_answers_is_given_up_for_asking(fan, arena):
    ahead, page = fan(), fan()
    queue(ahead, arena)
    page.add_init_script(SILENT_SOCKET)
    page.clock.install()
    shown = queue(page, arena)
    leave(ahead)
    for tried in (1, 2):
        page.wait_for_function("tried => window.sockets === tried", arg=tried)
        page.clock.fast_forward(CONNECT_MS)
    expect(page.locator("#rank")).not_to_have_text(shown)
    leave(page)


def test_no_place_is_called_kept_where_a_turn_runs_out(fan, server, arena):
    page, line = fan(), Line()
    page.route_web_socket("**/queue/socket", line.socket)
    page.route("**/events/*/queue", line.request)
    queue(page, arena)
    server.change(arena, paused=False)
    expect(page.get_by_role("heading", name="Your turn")).to_be_visible()
    page.evaluate(WATCH_THE_LINK)
    line.cut()
    expect(page.locator("#link")).to_contain_text(re.compile("Reconnecting|Still no connection"))
    line.down = False
    expect(page.locator("#link")).to_be_empty()
    said = page.evaluate("window.said")
    assert said[0].strip() == "Reconnecting."
    assert not any("kept" in words for words in said)
    leave(page)


def test_nobody_has_left_before_the_server_knows(fan, arena):
    page, line = fan(), Line()
    page.route_web_socket("**/queue/socket", line.socket)
    page.route(re.compile(r"/events/\w+/queue"), line.request)
    queue(page, arena)
    line.cut()
    page.get_by_text("Leave the queue").click()
    page.get_by_role("button", name="Yes, leave").click()
    expect(page.locator("#link")).to_contain_text("Your place is kept")
    gone = page.get_by_role("heading", name="You left the queue")
    expect(gone).to_be_hidden()
    line.down = False
    expect(gone).to_be_visible()


def test_a_fan_before_the_lobby_hears_words_and_is_in_it_when_it_opens(fan, server, early):
    page = fan()
    page.goto(f"/e/{early}/queue")
    expect(page.get_by_role("heading", name="The sale has not opened yet")).to_be_visible()
    server.change(early, message="The lobby opens now.")
    expect(page.locator("#message")).to_contain_text("The lobby opens now.")
    server.change(early, lobbyOpensAt=0)
    lobby = page.get_by_role("heading", name="You are in the lobby")
    expect(lobby).to_be_visible()
    leave(page)
