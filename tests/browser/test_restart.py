"""Fans look at the map while all workers are replaced, and while Redis loses its data: their pages
go on by themselves.

On servers of their own: whatever is used next on one whose Redis was emptied is repaired first, and
nobody is called there for half a minute.
"""

import signal

import pytest
import redis
from playwright.sync_api import Page, expect

from tests.browser.conftest import ARENA, THEATRE, RunningServer
from tests.browser.test_map import go
from tests.running import alive, workers_of
from tests.waiting import wait_until

pytestmark = pytest.mark.browser

TIMEOUT_MS = 30_000


def test_maps_stay_live_while_all_workers_are_replaced(chromium, tmp_path):
    server = RunningServer(tmp_path, workers=2)
    try:
        contexts = [chromium.new_context(base_url=server.url, locale="en-GB") for _ in range(2)]
        buyer, watcher = (_at_the_map(context.new_page()) for context in contexts)
        seat = buyer.locator(".list .row button.seat:enabled").first.get_attribute("aria-label")
        watcher.evaluate("window.loadedOnce = true")
        _replace_workers(server)
        for page in (buyer, watcher):
            expect(page.locator("#live")).to_have_text("Live", timeout=TIMEOUT_MS)
        buyer.get_by_role("button", name=seat, exact=True).click()
        taken = watcher.get_by_role("button", name=f"{seat}, taken", exact=True)
        expect(taken).to_be_disabled(timeout=TIMEOUT_MS)
        assert watcher.evaluate("window.loadedOnce"), "the page was loaded again"
        for context in contexts:
            context.close()
    finally:
        server.stop()


def test_a_map_goes_on_after_redis_lost_its_data_without_being_read_anew(chromium, tmp_path):
    server = RunningServer(tmp_path)
    try:
        server.change(THEATRE, mode="auto")
        contexts = [chromium.new_context(base_url=server.url, locale="en-GB") for _ in range(2)]
        buyer, watcher = (context.new_page() for context in contexts)
        for page in (buyer, watcher):
            page.set_default_timeout(TIMEOUT_MS)
            go(page, THEATRE)
            page.get_by_role("button", name="List").click()
            page.locator(".sections button", has_text="left").first.click()
        seats = buyer.locator(".list .row button.seat:enabled")
        name = seats.first.get_attribute("aria-label")
        buyer.get_by_role("button", name=name, exact=True).click()
        taken = watcher.get_by_role("button", name=f"{name}, taken", exact=True)
        expect(taken).to_be_visible(timeout=TIMEOUT_MS)
        read: list[str] = []
        watcher.on("request", lambda asked: asked.url.endswith("/seats") and read.append(asked.url))
        with redis.Redis(unix_socket_path=str(tmp_path / "run" / "valkey.sock")) as store:
            store.flushall()
        freed = watcher.get_by_role("button", name=name, exact=True)
        expect(freed).to_be_enabled(timeout=TIMEOUT_MS)
        expect(watcher.locator("#live")).to_have_text("Live")
        assert read == []
        for context in contexts:
            context.close()
    finally:
        server.stop()


def _at_the_map(page: Page) -> Page:
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(f"/e/{ARENA}/queue")
    page.get_by_role("button", name="Accept and choose seats").click(timeout=TIMEOUT_MS)
    page.wait_for_url(f"**/e/{ARENA}/seats")
    page.get_by_role("button", name="List").click()
    page.locator(".sections button", has_text="left").first.click()
    expect(page.locator("#live")).to_have_text("Live", timeout=TIMEOUT_MS)
    return page


def _replace_workers(server: RunningServer) -> None:
    old = workers_of(server.process.pid)
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not any(map(alive, old)), "the old workers have gone")
