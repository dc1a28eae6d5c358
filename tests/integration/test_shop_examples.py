"""The examples for shops elsewhere, run: nginx with auth_request, and the ASGI middleware."""

import importlib.util
import re
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.responses import PlainTextResponse

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config" / "nginx-shop.conf"
MAIN = """daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  include {folder}/shop.conf;
}}"""


@pytest.fixture
async def sale(make_sale, db):
    """Makes an event whose fans may be sent back to a shop."""

    async def make(return_url):
        event_id = await make_sale(mode="auto", per_minute=60_000)
        await db.execute("insert into shop values ($1, $2)", event_id, [return_url])
        return event_id

    return make


async def code_for(fan, room, event_id, return_url):
    """The code that a fan brings along, at their turn."""
    await fan.post(f"{room}/events/{event_id}/queue", json={})
    body = {"return": return_url}
    reply = await fan.post(f"{room}/events/{event_id}/queue/return", json=body)
    return reply.json()["location"].partition("onsale_code=")[2]


# -- nginx ------------------------------------------------------------------------------------


class Goods(BaseHTTPRequestHandler):
    """What the shop sells, and to which admission."""

    def do_GET(self):
        body = f"goods for {self.headers['X-Onsale-Admission']}".encode()
        self.send_response(500 if self.path == "/broken" else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

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


# -- the middleware ---------------------------------------------------------------------------


async def goods(scope, receive, send):
    await PlainTextResponse("goods")(scope, receive, send)


@pytest.fixture
def middleware():
    """The class of docs/examples/shop.py."""
    spec = importlib.util.spec_from_file_location("shop", ROOT / "docs/examples/shop.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.WaitingRoom


def customer(app):
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url="https://shop.example")


async def test_the_middleware_lets_in_who_brings_a_code_and_only_that_browser(
    sale, fan, middleware
):
    here = "https://shop.example/"
    event_id = await sale(here)
    client, room = fan(), fan()
    shop = middleware(goods, room="https://t.example", event_id=event_id, here=here, http=room)
    async with customer(shop) as mine, customer(shop) as stranger:
        turned_away = await mine.get("/")
        assert (
            turned_away.headers["location"] == f"https://t.example/e/{event_id}/queue?return={here}"
        )
        code = await code_for(client, "", event_id, here)
        let_in = await mine.get(f"/?onsale_code={code}")
        assert (let_in.status_code, let_in.headers["location"]) == (303, here)
        assert (await mine.get("/")).text == "goods"
        again = await stranger.get(f"/?onsale_code={code}")
        assert again.headers["location"].startswith("https://t.example/")
        stranger.cookies.set("shop_pass", mine.cookies["shop_pass"])  # the pass alone, copied
        assert (await stranger.get("/")).status_code == 303
        own = (await client.get(f"/events/{event_id}/queue")).json()["pass"]  # not bound to it
        stranger.cookies.set("shop_pass", own)
        assert (await stranger.get("/")).status_code == 303


async def test_a_socket_without_a_pass_is_closed_before_it_opens(fan, middleware, node):
    here = "https://shop.example/"
    shop = middleware(goods, room="https://t.example", event_id="ev_x", here=here, http=fan())
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "websocket", "headers": [], "path": "/", "query_string": b""}
    await shop(scope, None, send)
    assert sent == [{"type": "websocket.close"}]


def test_the_middleware_is_some_thirty_lines_and_the_documents_name_both_examples():
    code = (ROOT / "docs/examples/shop.py").read_text().partition("class ")[2]
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 45
    protocol = (ROOT / "docs/protocol.md").read_text()
    for named in re.findall(r"`((?:config|docs)/\S+)`", protocol):
        assert (ROOT / named).exists()
