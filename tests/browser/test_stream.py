"""Server-sent events as a real browser reads them, and as it comes back to them."""

import pytest
from playwright.async_api import async_playwright
from starlette.responses import HTMLResponse
from starlette.routing import Route

from tests.browser.conftest import FLAGS, PATIENCE_MS
from tests.live_clients import serving
from tests.live_site import Site
from tests.waiting import until

pytestmark = pytest.mark.browser

READ = """() => {
  window.seen = [];
  const source = new EventSource("/stream");
  for (const name of ["one", "merged", "snapshot", "bye"])
    source.addEventListener(name, (e) => seen.push([name, e.data.trim(), e.lastEventId]));
}"""


class PageSite(Site):
    """With a page to stand on, and what each stream said it had read."""

    def __init__(self) -> None:
        super().__init__()
        self.last_ids: list[str | None] = []

    def app(self):
        app = super().app()
        app.router.routes.append(Route("/page", lambda _: HTMLResponse("<title>page</title>")))
        return app

    async def stream(self, request):
        self.last_ids.append(request.headers.get("last-event-id"))
        return await super().stream(request)


@pytest.fixture
async def page(chromium_program):
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_program, args=FLAGS, timeout=PATIENCE_MS
        )
        yield await browser.new_page()
        await browser.close()


async def test_a_browser_reads_on_where_its_connection_was_cut(page):
    site = PageSite()
    async with serving(site.app(), "hub") as (host, port):

        async def seen(name, data):
            wanted = f'() => seen.some(([n, d]) => n === "{name}" && d === "{data}")'
            await page.wait_for_function(wanted, timeout=PATIENCE_MS)

        await page.goto(f"http://{host}:{port}/page")
        await page.evaluate(READ)
        await seen("snapshot", "0")
        for number in range(1, 4):
            site.publish()
            await seen("one", str(number))
        for connection in site.hub.connections():
            connection.abort()
        site.publish()
        site.publish()
        await seen("merged", "[4,5]")
        site.publish()
        await seen("one", "6")
        assert site.last_ids == [None, "3"]
        assert [id_ for _, _, id_ in await page.evaluate("seen")] == ["0", "1", "2", "3", "5", "6"]


async def test_a_browser_that_is_told_bye_comes_back_after_the_time_it_was_told(page):
    site = PageSite()
    async with serving(site.app(), "hub") as (host, port):
        await page.goto(f"http://{host}:{port}/page")
        await page.evaluate(READ)
        await page.wait_for_function("() => seen.length === 1", timeout=PATIENCE_MS)
        [connection] = site.hub.connections()
        connection.close(4000)
        await until(lambda: len(site.last_ids) == 2)  # the browser decides when
        assert site.last_ids == [None, "0"]
        told = await page.evaluate("seen")
        assert [name for name, _, _ in told][:2] == ["snapshot", "bye"]
