"""The queue page in real browsers: what it says, what it survives, and what it can do without."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from tests.waiting import wait_until

pytestmark = pytest.mark.browser

WATCH_WHAT_IS_SPOKEN = """() => {
  const spoken = document.querySelector("#spoken");
  window.spoken = [];
  new MutationObserver(() => window.spoken.push(spoken.textContent))
    .observe(spoken, { childList: true, characterData: true, subtree: true });
}"""
WHERE = """() => ({
  rank: document.querySelector("#rank").innerText,
  done: parseFloat(document.querySelector(".way .done").getAttribute("stroke-dasharray")),
  title: document.title,
  spoken: window.spoken,
  live: [...document.querySelectorAll("[aria-live], [role=status], [role=alert], [role=timer]")]
    .map((part) => part.textContent),
})"""
PHONE = {"viewport": {"width": 360, "height": 740}}


class Line:
    """A page's way to the server, which the test cuts and mends."""

    def __init__(self) -> None:
        self.down, self._sockets = False, []

    def socket(self, socket: WebSocketRoute) -> None:
        if self.down:
            socket.close(code=1001)
            return
        self._sockets.append(socket)
        socket.connect_to_server()

    def request(self, route: Route) -> None:
        if self.down:
            route.abort()
        else:
            route.continue_()

    def cut(self) -> None:
        self.down = True
        for socket in self._sockets:
            socket.close(code=1001)


def queue(page: Page, event_id: str) -> str:
    """Opens the queue page; the rank that it shows, as it is written."""
    page.goto(f"/e/{event_id}/queue")
    return rank(page)


def rank(page: Page) -> str:
    expect(page.locator("#rank")).to_have_text(re.compile(r"\d"))
    return page.locator("#rank").inner_text()


def linked(page: Page, sockets: list) -> None:
    """Waits until the page's socket has come to the test: that is after its place is shown."""
    wait_until(lambda: page.evaluate("1") and sockets, "the page opens its socket")


def leave(page: Page) -> None:
    page.get_by_text("Leave the queue").click()
    page.get_by_role("button", name="Yes, leave").click()
    expect(page.get_by_role("heading", name="You left the queue")).to_be_visible()


def test_tabs_share_one_place_and_an_accepted_turn_takes_both_to_the_map(fan, server, arena):
    first = fan()
    shown = queue(first, arena)
    second = first.context.new_page()
    assert queue(second, arena) == shown
    server.change(arena, paused=False)
    expect(second.get_by_role("heading", name="Your turn")).to_be_visible()
    first.get_by_role("button", name="Accept and choose seats").click()
    for page in (first, second):
        page.wait_for_url(f"**/e/{arena}/seats")


def test_a_page_that_joins_by_itself_takes_its_button_for_that_away_at_once(fan, arena):
    page, joins = fan(), []
    page.route(f"**/events/{arena}/queue", lambda route: joins.append(route))
    page.goto(f"/e/{arena}/queue")
    expect(page.locator("#again")).to_be_hidden()
    expect(page.locator('[data-state="none"]')).to_be_visible()
    wait_until(lambda: page.evaluate("1") and joins, "the page joins")
    joins.pop().continue_()
    rank(page)


def test_a_fan_whose_old_place_is_over_gets_a_new_one_and_is_told(fan, arena):
    page = fan()
    queue(page, arena)
    name = f"onsale.slip.{arena}"
    old = page.evaluate("name => localStorage.getItem(name)", name)
    leave(page)
    page.evaluate("([name, slip]) => localStorage.setItem(name, slip)", [name, old])
    queue(page, arena)
    expect(page.locator("#note")).to_contain_text("Your old place had its turn or was given up.")
    new = page.evaluate("name => localStorage.getItem(name)", name)
    assert int(new.partition(".")[0]) > int(old.partition(".")[0])
    page.reload()
    rank(page)
    expect(page.locator("#note")).to_be_hidden()


def test_a_fan_who_goes_back_from_the_queue_and_forth_has_the_same_place(fan, arena):
    page = fan()
    page.goto(f"/e/{arena}")
    page.locator("#go").click()
    shown = rank(page)
    page.go_back()
    expect(page.locator("#go")).to_have_text("Back to your place")
    page.go_forward()
    assert rank(page) == shown
    leave(page)


def test_the_rank_moves_the_line_never_goes_back_and_a_screen_reader_is_left_in_peace(fan, arena):
    ahead, page = [fan(), fan()], fan()
    for other in ahead:
        queue(other, arena)
    page.clock.set_fixed_time(
        page.evaluate("Date.now() / 1000")
    )  # once a minute the rank may be spoken
    queue(page, arena)
    page.evaluate(WATCH_WHAT_IS_SPOKEN)
    before = page.evaluate(WHERE)
    for other in ahead:
        leave(other)
        expect(page.locator("#rank")).not_to_have_text(before["rank"])
        now = page.evaluate(WHERE)
        assert now["done"] > before["done"]
        before = now
    assert before["title"].startswith(before["rank"])
    assert before["spoken"] == []
    assert before["live"]
    assert not any(before["rank"] in words for words in before["live"])
    leave(page)


def test_between_two_frames_the_rank_falls_by_the_line_and_a_word_to_all_is_laid_over(fan, arena):
    page, sockets = fan(), []  # the test speaks in the server's place
    page.route_web_socket("**/queue/socket", lambda socket: sockets.append(socket))
    queue(page, arena)
    linked(page, sockets)
    state = page.request.get(f"/events/{arena}/queue").json()
    line = {"at": state["now"], "passed": 0, "perMinute": 60_000}
    sockets[-1].send(json.dumps(state | {"mark": 1_000, "line": line, "paused": False}))
    expect(page.locator("#rank")).to_have_text("1st")
    etas = [[1, 60_000, 120_000], [512, 600_000, 1_200_000], [1024, 6_000_000, 12_000_000]]
    line = {"at": state["now"], "passed": 488, "perMinute": 0}
    word = {"now": state["now"], "paused": False, "message": "Soon.", "line": line, "etas": etas}
    sockets[-1].send(json.dumps(word))
    expect(page.locator("#rank")).to_have_text("512th")
    expect(page.locator("#eta")).to_have_text("10–20 min")
    expect(page.locator("#message")).to_contain_text("Soon.")
    expect(page.locator("#rose")).not_to_be_empty()
    leave(page)


def test_an_operators_words_and_pause_are_on_the_page_at_once(fan, server, arena):
    page = fan()
    queue(page, arena)
    expect(page.locator("#paused")).to_contain_text("Doors open soon. Your place is kept.")
    expect(page.locator("#message")).to_be_hidden()
    page.route("**/events/*/queue", lambda route: route.abort())  # only the socket may tell
    server.change(arena, message="The support act is ill.")
    expect(page.locator("#message")).to_contain_text("The support act is ill.")
    expect(page.locator("#spoken")).to_contain_text("The support act is ill.")
    server.change(arena, message="")
    expect(page.locator("#message")).to_be_hidden()
    leave(page)


def test_leaving_asks_once_and_a_closed_queue_says_so(fan, server, arena):
    page = fan()
    queue(page, arena)
    page.get_by_text("Leave the queue").click()
    page.get_by_text("Leave the queue").click()
    assert rank(page), "the second click was a no"
    leave(page)
    expect(page.get_by_role("button", name="Join the queue")).to_be_focused()
    server.change(arena, intake="closed")
    page.get_by_role("button", name="Join the queue").click()
    expect(page.get_by_role("heading", name="The queue is closed")).to_be_visible()


def test_the_turn_blinks_in_the_title_and_its_ring_runs_out(fan, server, arena):
    page = fan()
    queue(page, arena)
    server.change(arena, paused=False)
    expect(page.get_by_role("heading", name="Your turn")).to_be_visible()
    expect(page).to_have_title("Your turn")
    expect(page).to_have_title(re.compile(r"^\d\d:\d\d · "))
    expect(page.get_by_role("button", name="Accept and choose seats")).to_be_focused()
    left = page.locator(".ring .left").get_attribute("stroke-dasharray")
    expect(page.locator(".ring .left")).not_to_have_attribute("stroke-dasharray", left)
    page.reload()
    expect(page.locator(".ring text")).to_have_text(re.compile(r"^0\d:[0-5]\d$"))
    leave(page)


def test_another_language_keeps_the_place(fan, arena):
    page = fan(**PHONE)
    shown = queue(page, arena)
    page.get_by_role("button", name="Deutsch").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dein Platz in der Schlange")
    translated = shown.rstrip("stndrh") + "."
    expect(page.locator("#rank")).to_have_text(translated)
    expect(page).to_have_title(re.compile(f"^{re.escape(translated)}"))
    page.get_by_role("button", name="English").click()
    expect(page.locator("#rank")).to_have_text(shown)
    leave(page)


def test_without_javascript_a_fan_joins_waits_is_called_and_accepts(fan, server, arena):
    page = fan(java_script_enabled=False)
    page.goto(f"/e/{arena}/queue")
    page.get_by_role("button", name="Join the queue").click()
    expect(page.locator("#rank")).to_have_text(re.compile(r"\d(st|nd|rd|th)"))
    server.change(arena, paused=False)
    accept = page.get_by_role("button", name="Accept and choose seats")
    expect(accept).to_be_visible()  # the page asks again by itself
    accept.click()
    page.wait_for_url(f"**/e/{arena}/seats")


@pytest.mark.parametrize("way", ["none", "refused"])
def test_without_a_websocket_the_page_asks_at_the_servers_pace(fan, arena, way):
    ahead, page = fan(), fan()
    queue(ahead, arena)
    if way == "none":
        page.add_init_script("delete window.WebSocket")
    else:
        page.route_web_socket("**/queue/socket", lambda socket: socket.close(code=1000))
    shown = queue(page, arena)
    leave(ahead)
    expect(page.locator("#rank")).not_to_have_text(shown)
    expect(page.locator("#link")).to_be_empty()
    leave(page)


def test_a_lost_connection_is_a_quiet_line_and_after_three_tries_a_button(fan, arena):
    page, line = fan(), Line()
    page.route_web_socket("**/queue/socket", line.socket)
    page.route("**/events/*/queue", line.request)
    page.clock.install()
    shown = queue(page, arena)
    line.cut()
    expect(page.locator("#link")).to_contain_text("Your place is kept")
    expect(page.get_by_role("button", name="Try now")).to_be_visible()
    assert page.locator("#rank").inner_text() == shown
    page.clock.pause_at(page.evaluate("Date.now() / 1000") + 1)  # by itself it tries no more
    line.down = False
    # A try that is under way may still get through, and hide it.
    page.locator("#retry").dispatch_event("click")
    expect(page.locator("#link")).to_be_empty()
    expect(page.get_by_role("button", name="Try now")).to_be_hidden()
    page.clock.resume()
    leave(page)


def test_the_whole_queue_works_from_the_keyboard(fan, server, arena):
    page = fan()
    page.goto(f"/e/{arena}")
    _tab_to(page, page.locator("#go"))
    page.keyboard.press("Enter")
    rank(page)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    _tab_to(page, page.get_by_role("button", name="Ring at my turn"))
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Ring at my turn")).to_have_attribute(
        "aria-pressed", "true"
    )
    _tab_to(page, page.locator("#leaving summary"))
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Yes, leave")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    server.change(arena, paused=False)
    expect(page.get_by_role("button", name="Accept and choose seats")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/e/{arena}/seats")


def _tab_to(page: Page, wanted) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if wanted.evaluate("found => found === document.activeElement"):
            return
    raise AssertionError(f"no way to {wanted} by Tab")
