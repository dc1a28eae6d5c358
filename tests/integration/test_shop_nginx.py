"""The example for a shop behind nginx with auth_request, run, and read as an attacker would."""

import asyncio
import re
import socket
import subprocess
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.shops import code_for, sale_for
from tests.waiting import LIMIT_S

KEPT = "__Host-onsale_pass"
CONFIG = Path(__file__).parents[2] / "config" / "nginx-shop.conf"
MAIN = """daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  include {folder}/shop.conf;
}}"""


@pytest.fixture
def sale(make_sale, db):
    return partial(sale_for, make_sale, db)


TOLD = {"Host", "X-Onsale-Subject", "X-Onsale-Ends-At", "X-Onsale-Binding", "X_Onsale_Admission"}


class Goods(BaseHTTPRequestHandler):
    """What the shop sells, to which admission, and what else it is told."""

    def do_GET(self):
        told = [f"{name}={value}" for name, value in self.headers.items() if name in TOLD]
        body = f"goods for {self.headers['X-Onsale-Admission']} {sorted(told)}".encode()
        self.send_response(500 if self.path == "/broken" else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.do_GET
        raise AttributeError(name)

    def log_message(self, *args):
        pass


@pytest.fixture
def shop_behind():
    with ThreadingHTTPServer(("127.0.0.1", 0), Goods) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def start_nginx(nginx_program, shop_behind, tmp_path):
    """Starts nginx with the shipped configuration for this room and event; its address."""
    running = []

    def start(room, event_id):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        text = CONFIG.read_text().replace("ev_arena", event_id)
        text = text.replace("127.0.0.1:8000", urlsplit(room).netloc)
        text = text.replace("127.0.0.1:9000", f"127.0.0.1:{shop_behind}")
        text = text.replace("listen 8080", f"listen 127.0.0.1:{port}")
        text = text.replace("HttpOnly; Secure;", "HttpOnly;")  # no https here
        (tmp_path / "shop.conf").write_text(text)
        (tmp_path / "nginx.conf").write_text(MAIN.format(folder=tmp_path))
        command = [nginx_program, "-p", tmp_path, "-c", tmp_path / "nginx.conf", "-e", "stderr"]
        running.append(subprocess.Popen(command))
        return f"http://127.0.0.1:{port}"

    yield start
    for process in running:
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.nginx
async def test_nginx_lets_in_who_brings_a_code_and_nobody_else(sale, served, start_nginx, node):
    event_id = await sale("https://shop.example/enter")
    url = start_nginx(served, event_id)
    transport = httpx.AsyncHTTPTransport(retries=20)
    async with httpx.AsyncClient(transport=transport) as fan, httpx.AsyncClient() as stranger:
        turned_away = await fan.get(url)
        assert turned_away.status_code == 303
        assert turned_away.headers["location"].startswith(f"https://tickets.example/e/{event_id}")
        code = await code_for(fan, served, event_id, "https://shop.example/enter")
        let_in = await fan.get(f"{url}/enter?onsale_code={code}")
        assert (let_in.status_code, let_in.headers["location"]) == (303, "/")
        assert "HttpOnly" in let_in.headers["set-cookie"]
        assert (await fan.get(url)).text.startswith("goods for ad_")
        assert (await fan.get(f"{url}/broken")).status_code == 500  # the shop's own stays
        for attempt in (f"{url}/enter?onsale_code={code}", f"{url}/enter", url):
            again = await stranger.get(attempt, headers={"sec-fetch-site": "cross-site"})
            assert again.status_code == 303
            assert "set-cookie" not in again.headers
            assert again.headers["location"].startswith("https://tickets.example/")
        bare = {"cookie": f"onsale_pass={fan.cookies[KEPT]}"}
        assert (await stranger.get(url, headers=bare)).status_code == 303  # any host could set it
        await fan.post(f"{served}/events/{event_id}/queue/leave", json={})
        assert (await fan.get(url)).status_code == 303


@pytest.mark.nginx
async def test_nginx_says_503_when_the_room_cannot_say(sale, served, start_nginx, redis):
    event_id = await sale("https://shop.example/enter")
    url = start_nginx(served, event_id)
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=20)) as fan:
        code = await code_for(fan, served, event_id, "https://shop.example/enter")
        await fan.get(f"{url}/enter?onsale_code={code}")
        await redis.client_pause(2_500)
        unsure = await fan.get(url)
        assert (unsure.status_code, unsure.headers["retry-after"]) == (503, "2")


FORGED = "eyJhbGciOiJub25lIn0.e30."
REQUESTS = (  # of somebody without a pass, as they go over the wire
    *(f"{m} / HTTP/1.1\r\nhost: shop.example" for m in ("GET", "POST", "HEAD", "PUT", "DELETE")),
    *(f"{m} / HTTP/1.1\r\nhost: shop.example" for m in ("OPTIONS", "PATCH", "PURGE")),
    *(
        f"GET {path} HTTP/1.1\r\nhost: shop.example"
        for path in (
            *(
                "//",
                "/./",
                "/x/..",
                "/%2e/",
                "/enter/",
                "/ENTER",
                "//enter",
                "/enter%2f",
                "/enter;x",
            ),
            *("/enter/..", "/%65nter", "/_onsale/check", "/_onsale/../", "/%5fonsale/check"),
            *(
                "/_onsale/exchange",
                "/_ONSALE/check",
                "/@entered",
                "/@queue",
                "/_none",
                "/?onsale_code=",
            ),
            *("/enter?onsale_code=", "/enter?onsale_code=x", "/enter?onsale_code=xc_" + "a" * 26),
            *('/enter?onsale_code=x","binding":"y', "/enter?ONSALE_CODE=xc_" + "a" * 26),
            *(
                "/enter?onsale_code=x&onsale_code=y",
                "/enter?onsale_code=%00",
                "http://evil.example/",
            ),
            "https://evil.example/enter",
        )
    ),
    "GET / HTTP/1.0",
    "GET / HTTP/1.0\r\nhost: evil.example",
    "GET / HTTP/1.1",
    "GET / HTTP/1.1\r\nhost: evil.example",
    "GET / HTTP/1.1\r\nhost: shop.example\r\nhost: evil.example",
    "GET /\r\n",
    *(
        f"GET / HTTP/1.1\r\nhost: shop.example\r\n{header}"
        for header in (
            *("x-onsale-admission: ad_x", "x_onsale_admission: ad_x", "X-Original-URL: /enter"),
            *("x-accel-redirect: /", "x-rewrite-url: /", "x-forwarded-for: 127.0.0.1"),
            *("authorization: Bearer x", f"authorization: Bearer {FORGED}", "x-http-method: GET"),
            *(f"cookie: {KEPT}={FORGED}", f"cookie: {KEPT}=", f"cookie: {KEPT}=a b"),
            *(f"cookie: {KEPT}=x; {KEPT}=y", f"cookie: {KEPT}=x\r\ncookie: {KEPT}=y"),
            *(f"cookie: {KEPT}=\x00", f"cookie: {KEPT}=\xff\xfe", f"cookie: a{KEPT}={FORGED}"),
            *("cookie: onsale_pass=x", "connection: authorization"),
            *("cookie: " + f"{KEPT}=x;" * 300, "upgrade: websocket\r\nconnection: upgrade"),
            *("content-length: 0\r\ntransfer-encoding: chunked", "transfer-encoding: xchunked"),
        )
    ),
)


def raw(url, request):
    """What nginx says to these very bytes."""
    with socket.create_connection(urlsplit(url).netloc.split(":"), timeout=LIMIT_S) as line:
        line.sendall(request.encode("latin-1") + b"\r\nconnection: close\r\n\r\n")
        return b"".join(iter(lambda: line.recv(65_536), b"")).decode("latin-1")


@pytest.mark.nginx
async def test_no_spelling_of_a_request_gets_past_nginx_or_leads_elsewhere(
    sale, served, start_nginx
):
    url = start_nginx(served, await sale("https://shop.example/enter"))
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=20)) as stranger:
        assert (await stranger.get(url)).status_code == 303  # it is up
    for request in REQUESTS:
        said = await asyncio.to_thread(raw, url, request)
        assert "goods" not in said, request
        assert "set-cookie" not in said.lower(), request
        leads_to = re.findall(r"(?im)^location: (.*)\r$", said)
        assert all(there.startswith("https://tickets.example/e/") for there in leads_to), request
        status = re.match(r"HTTP/1\.1 (\d+) ", said)  # HTTP/0.9 has none
        assert status is None or int(status[1]) in {303, *range(400, 500), 501, 503}, said


@pytest.mark.nginx
async def test_what_a_caller_writes_into_headers_does_not_reach_the_shop(sale, served, start_nginx):
    event_id = await sale("https://shop.example/enter")
    url = start_nginx(served, event_id)
    forged = {
        **{f"x-onsale-{name}": "forged" for name in ("admission", "subject", "ends-at", "binding")},
        "x_onsale_admission": "forged",
        "host": "evil.example",
    }
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=20)) as fan:
        code = await code_for(fan, served, event_id, "https://shop.example/enter")
        await fan.get(f"{url}/enter?onsale_code={code}", headers={"host": "evil.example"})
        jar = {"cookie": f"{KEPT}={fan.cookies[KEPT]}"}
        for method in ("GET", "POST", "PUT", "DELETE"):
            seen = (await fan.request(method, url, headers=forged | jar)).text
            assert re.fullmatch(r"goods for ad_\w+ \['Host=shop\.example'\]", seen), (method, seen)


@pytest.mark.nginx
async def test_nginx_takes_no_code_and_no_pass_of_another_event(sale, served, start_nginx):
    here, there = [await sale("https://shop.example/enter") for _ in range(2)]
    url = start_nginx(served, here)
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=20)) as fan:
        code = await code_for(fan, served, there, "https://shop.example/enter")
        turned_away = await fan.get(f"{url}/enter?onsale_code={code}")
        assert turned_away.headers["location"].startswith("https://tickets.example/")
        exchanged = await fan.post(f"{served}/admissions/exchange", json={"code": code})
        jar = {"cookie": f"{KEPT}={exchanged.json()['pass']}"}  # it was not used up
        assert (await fan.get(url, headers=jar)).status_code == 303
