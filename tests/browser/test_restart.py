"""Fans wait and look at the map, and an operator at the console, while the server is restarted, all
its workers are replaced, or Redis loses its data: their pages go on by themselves.

On servers of their own: whatever is used next on one whose Redis was emptied is repaired first, and
nobody is called there for half a minute.
"""

import re
import signal

import pytest
import redis
from playwright.sync_api import Page, expect

from tests.browser.conftest import ARENA, LONG_ACCEPT_MS, THEATRE, RunningServer
from tests.browser.test_map import go
from tests.browser.test_queue_page import queue
from tests.running import alive, workers_of
from tests.waiting import wait_until

pytestmark = pytest.mark.browser


@pytest.fixture
def start(tmp_path):
    """Starts the test's own server."""
    servers = []

    def make(**options):
        servers.append(RunningServer(tmp_path, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_under_open_pages_keeps_places_and_what_an_operator_typed(context_of, start, how):
    server = start()
    server.change(ARENA, paused=True, pauseReason="Doors open soon")
    fans = [context_of(server).new_page() for _ in range(3)]
    assert [queue(page, ARENA) for page in fans] == ["1st", "2nd", "3rd"]
    console = _console(context_of(server), server)
    for page in (*fans, console):
        page.evaluate("window.loadedOnce = true")
    server.stop(how)
    for page in fans:
        expect(page.locator("#link")).to_have_text(re.compile("Reconnecting|Still no connection"))
    expect(console.locator("#link")).to_contain_text("not live")
    server.start_again()
    for page, place in zip(fans, ["1st", "2nd", "3rd"], strict=True):
        expect(page.locator("#link")).to_be_empty()
        expect(page.locator("#rank")).to_have_text(place)
    expect(console.locator("#link")).to_have_text("live")
    expect(console.locator("#perMinute")).to_have_value("77")
    console.get_by_role("button", name="Set the pace").click()
    expect(console.locator('[data-number="rate"]')).to_contain_text("/ 77")
    for page in (*fans, console):
        assert page.evaluate("window.loadedOnce"), "the page was loaded again"


def test_maps_stay_live_while_all_workers_are_replaced(context_of, start):
    server = start(workers=2)
    server.change(ARENA, acceptMs=LONG_ACCEPT_MS)
    buyer, watcher = (_at_the_map(context_of(server).new_page()) for _ in range(2))
    seat = buyer.locator(".list .row button.seat:enabled").first.get_attribute("aria-label")
    watcher.evaluate("window.loadedOnce = true")
    _replace_workers(server)
    for page in (buyer, watcher):
        expect(page.locator("#live")).to_have_text("Live")
    buyer.get_by_role("button", name=seat, exact=True).click()
    expect(watcher.get_by_role("button", name=f"{seat}, taken", exact=True)).to_be_disabled()
    assert watcher.evaluate("window.loadedOnce"), "the page was loaded again"


def test_a_map_goes_on_after_redis_lost_its_data_without_being_read_anew(context_of, start):
    server = start()
    server.change(THEATRE, mode="auto")
    buyer, watcher = (context_of(server).new_page() for _ in range(2))
    for page in (buyer, watcher):
        go(page, THEATRE)
        _open_list(page)
    seats = buyer.locator(".list .row button.seat:enabled")
    name = seats.first.get_attribute("aria-label")
    buyer.get_by_role("button", name=name, exact=True).click()
    expect(watcher.get_by_role("button", name=f"{name}, taken", exact=True)).to_be_visible()
    read: list[str] = []
    watcher.on("request", lambda asked: asked.url.endswith("/seats") and read.append(asked.url))
    with redis.Redis(unix_socket_path=str(server.data_dir / "run" / "valkey.sock")) as store:
        store.flushall()
    expect(watcher.get_by_role("button", name=name, exact=True)).to_be_enabled()
    expect(watcher.locator("#live")).to_have_text("Live")
    assert read == []


def _console(context, server: RunningServer) -> Page:
    """With a pace that is typed and not yet set."""
    context.add_cookies(server.console_cookies())
    page = context.new_page()
    page.goto(f"/console?event={ARENA}")
    expect(page.locator("#link")).to_have_text("live")
    expect(page.locator("#perMinute")).to_have_value("120")
    page.locator("#perMinute").fill("77")
    return page


def _at_the_map(page: Page) -> Page:
    page.goto(f"/e/{ARENA}/queue")
    page.get_by_role("button", name="Accept and choose seats").click()
    page.wait_for_url(f"**/e/{ARENA}/seats")
    _open_list(page)
    expect(page.locator("#live")).to_have_text("Live")
    return page


def _open_list(page: Page) -> None:
    page.get_by_role("button", name="List").click()
    page.locator(".sections button", has_text="left").first.click()


def _replace_workers(server: RunningServer) -> None:
    old = workers_of(server.process.pid)
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not any(map(alive, old)), "the old workers have gone")
