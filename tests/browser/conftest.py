"""Real Chromium against a real `onsale serve`: both are this folder's own, and end with it.

Tests of a worker share one server, and no event: each sells one that nobody has touched, so that
neither order nor speed matter, nor how the test before ended. What meets a whole server (a restart,
a Redis that loses its data) has one of its own.

A page lives on between two questions about it. So a test waits for what it wants to see, for as
long as it takes, and what belongs together is read in one call in the page. That something comes
soon is not proved by a short wait but by cutting the way that would bring it later.
"""

import itertools
import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.sync_api import expect, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_S = 60  # for whatever is to come: it says that nothing does, not that it comes late
PATIENCE_MS = PATIENCE_S * 1_000
expect.set_options(timeout=PATIENCE_MS)
LONG_ACCEPT_MS = 600_000  # no turn runs out while a slow machine looks at it
HOURS_S = 3 * 3_600
ARENA, STADIUM, THEATRE = "ev_arena", "ev_stadium", "ev_theatre"
# One of the demo's rows with some columns changed. What an event has besides follows it. The
# newest begins first, so that it leads the first page.
ANOTHER = {
    "event": """jsonb_build_object(
        'starts_at', (select min(starts_at) - interval '1 minute' from event))""",
    "event_performer": "'{}'",
    "price_category": "'{}'",
    "ticket": "'{}'",
    "room": """jsonb_build_object('opens_at', now() + make_interval(secs => %(opens_in_s)s))
        || %(room)s""",
}


class RunningServer:
    """`onsale serve` with its data in a folder of the test, on a free port."""

    def __init__(self, data_dir: Path, workers: int = 1) -> None:
        self.data_dir, self._workers = data_dir, workers
        self._numbers = itertools.count(1)
        self.start()

    def start(self, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "app.cli", "serve", "--no-crowd"),
                *("--port", str(port), "--workers", str(self._workers)),
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={
                "ONSALE_DATA_DIR": str(self.data_dir),
                "PATH": "/usr/bin:/bin",
                "ONSALE_DRAIN_S": "1",
            },
            cwd=Path(__file__).parents[2],
        )
        self.url = self._announced()

    def _announced(self) -> str:
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:  # ends when the process does
            said.append(line)
            if line.startswith("Console"):
                return re.findall(r"(http://\S+)", "".join(said))[0]
        raise AssertionError("the server ended: " + "".join(said))

    def start_again(self) -> None:
        """At the address that it had."""
        self.start(urlsplit(self.url).port)

    def admin(self, method: str, path: str, body: dict | None = None, version: int | None = None):
        """The answer; asked again, as every client is told to, while the server can't look."""
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._ask(method, path, body, version)
            except urllib.error.HTTPError as refused:
                if refused.code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline_s:
                    raise
                refused.close()
                time.sleep(float(refused.headers.get("retry-after", 1)))

    def _ask(self, method: str, path: str, body: dict | None, version: int | None):
        headers = {"authorization": f"Bearer {(self.data_dir / 'admin-token').read_text()}"}
        if version is not None:
            headers["if-match"] = f'"{version}"'
        request = urllib.request.Request(
            self.url + path,
            None if body is None else json.dumps(body).encode(),
            headers,
            method=method,
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
            return json.load(reply)

    def console_cookies(self) -> list[dict]:
        """A new session of the console."""
        link = self.url + self.admin("POST", "/admin/console-links", {})["path"]
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar := CookieJar()))
        opener.open(link, timeout=PATIENCE_S).close()
        return [{"name": c.name, "value": c.value, "url": self.url} for c in jar]

    def room(self, event_id: str) -> dict:
        """The room's settings."""
        return self.admin("GET", f"/admin/events/{event_id}/admission")

    def change(self, event_id: str, **changes: object) -> dict:
        """The room's settings, changed whatever they were and become meanwhile."""
        while True:
            version = self.room(event_id)["version"]
            try:
                return self.admin("PATCH", f"/admin/events/{event_id}/admission", changes, version)
            except urllib.error.HTTPError as refused:
                if refused.code != HTTPStatus.PRECONDITION_FAILED:
                    raise
                refused.close()

    def another(self, like: str, *, opens_in_s: int = -60, **room: object) -> str:
        """The id of a new event like that of the demo. `room`: columns of its room that differ."""
        event_id = f"{like}_{next(self._numbers)}"
        said = {"like": like, "event_id": event_id, "opens_in_s": opens_in_s}
        said["room"] = psycopg.types.json.Jsonb(room)
        with self.database() as database:
            for table, changed in ANOTHER.items():
                database.execute(
                    f"insert into {table} select (jsonb_populate_record(e,"
                    f" jsonb_build_object('event_id', %(event_id)s::text) || {changed})).*"
                    f" from {table} e where event_id = %(like)s",
                    said,
                )
        return event_id

    def database(self) -> psycopg.Connection:
        return psycopg.connect(host=str(self.data_dir / "run"), user="onsale", dbname="onsale")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        return self.process.returncode


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    running = RunningServer(tmp_path_factory.mktemp("onsale"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def console_cookies(server):
    """One session for all who only look and change; a test that ends one makes its own."""
    return server.console_cookies()


# Not of the session: the synchronous playwright keeps an event loop running in this thread, and
# no asynchronous test could follow it in the same worker.
@pytest.fixture(scope="module")
def chromium(chromium_program):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_program, args=FLAGS, timeout=PATIENCE_MS
        )
        yield browser
        browser.close()


@pytest.fixture
def context_of(chromium):
    """Makes a browser context at a server for each call: another fan, with other cookies."""
    contexts = []

    def make(server, **options):
        options = {"base_url": server.url, "locale": "en-GB"} | options
        contexts.append(chromium.new_context(**options))
        contexts[-1].set_default_timeout(PATIENCE_MS)
        return contexts[-1]

    yield make
    for context in contexts:
        for page in context.pages:  # what a page still asks is not answered any more
            page.unroute_all(behavior="ignoreErrors")
        context.close()


@pytest.fixture
def fan(context_of, server):
    """Makes the page of another fan for each call; none had a script error at the end."""
    errors = []

    def make(**options):
        page = context_of(server, **options).new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield make
    assert errors == []


@pytest.fixture
def arena(server):
    """An arena's event id; its queue stands still, with nobody in it yet."""
    return server.another(
        ARENA, paused=True, pause_reason="Doors open soon", accept_ms=LONG_ACCEPT_MS
    )


@pytest.fixture
def theatre(server):
    """A theatre's event id; everybody goes straight to its seats."""
    return server.another(THEATRE)


@pytest.fixture
def stadium(server):
    """The event id of a stadium that is on sale, with a queue."""
    return server.another(STADIUM)


@pytest.fixture
def early(server):
    """The event id of a stadium whose lobby opens when the test says so."""
    event_id = server.another(STADIUM, opens_in_s=HOURS_S)
    opens_at = server.room(event_id)["opensAt"]
    server.change(event_id, lobbyOpensAt=opens_at - 1_000)
    return event_id


@pytest.fixture
def desk(context_of, server, stadium, console_cookies):
    """Opens the console of the stadium; the page has no script error when the test is done."""
    errors = []

    def open_console(cookies=console_cookies, event_id=stadium, **options):
        context = context_of(server, **options)
        context.add_cookies(cookies)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"/console?event={event_id}")
        expect(page.locator("#binds strong")).not_to_have_text("–")
        expect(page.locator("#maxActive")).to_have_value(re.compile(r"\d"))
        return page

    yield open_console
    assert errors == []
