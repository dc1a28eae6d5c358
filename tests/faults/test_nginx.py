"""config/nginx.conf in front of two nodes: what a fan sees, also when a node drains or dies."""

import asyncio
import datetime
import ipaddress
import os
import re
import signal
import ssl
import subprocess

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect

from tests.operators import ADMIN_TOKEN, BEARER
from tests.running import (
    LIMIT_S,
    ROOT,
    STEADY_CLIENTS,
    Steady,
    Stream,
    client_of,
    close_code,
    cookies_of,
    free_port,
    settled,
)
from tests.waiting import until

pytestmark = pytest.mark.nginx

CONFIG = ROOT / "config" / "nginx.conf"
COME_BACK, NOT_UNDERSTOOD = 4000, 4503
SECRET = "the-same-on-every-node-" * 2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A folder with a certificate for 127.0.0.1 that its own key has signed."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "onsale.test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "fullchain.pem").write_bytes(made.public_bytes(pem))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder


class House:
    """nginx with the shipped configuration, and two nodes behind it."""

    def __init__(self, onsale, nginx_program, certificate, folder) -> None:
        self.port, self.plain_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.tls = ssl.create_default_context(cafile=certificate / "fullchain.pem")
        self.nodes = [
            onsale(port=free_port(), public_url=self.url, secret=SECRET, admin_token=ADMIN_TOKEN)
            for _ in range(2)
        ]
        text = self._here(CONFIG.read_text(), certificate, folder)
        (folder / "nginx.conf").write_text(text)
        command = [nginx_program, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
        self.process = subprocess.Popen(command)

    def _here(self, text, certificate, folder) -> str:
        """The shipped text with this machine's places in place of the example's."""
        first, second = (f"127.0.0.1:{node.port}" for node in self.nodes)
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;" if os.geteuid() == 0 else ""  # the test's folders are its own
        places = {
            "worker_processes auto;": f"worker_processes 2; daemon off; pid {folder}/pid; {user}",
            "worker_rlimit_nofile 131072;": "",
            "worker_connections 65536;": "worker_connections 512;",
            "http {": f"http {{ {temporary}",
            "/var/log/nginx": str(folder),
            "10.0.0.11:8000": first,
            "10.0.0.12:8000": second,
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            "listen 443": f"listen 127.0.0.1:{self.port}",
            "/etc/nginx/tls": str(certificate),
            "https://tickets.example$": f"{self.url}$",
        }
        for there, here in places.items():
            assert there in text, there
            text = text.replace(there, here)
        return text

    def fan(self):
        return client_of(self.url, verify=self.tls)

    def socket(self, event_id, client):
        address = f"{self.url.replace('https', 'wss')}/events/{event_id}/queue/socket"
        return connect(
            address, ssl=self.tls, additional_headers=cookies_of(client), origin=self.url
        )


@pytest.fixture
async def house(onsale, nginx_program, certificate, tmp_path):
    built = House(onsale, nginx_program, certificate, tmp_path)
    try:
        async with built.fan() as client:
            await until_served(client)
        yield built
    finally:
        built.process.terminate()
        assert await asyncio.to_thread(built.process.wait, LIMIT_S) == 0


async def test_pages_come_over_tls_and_packed_and_inner_addresses_stay_inside(house):
    async with house.fan() as fan, client_of(f"http://127.0.0.1:{house.plain_port}") as plain:
        page = await fan.get("/", headers={"accept": "text/html"})
        assert page.status_code == 200
        assert page.headers["content-encoding"] == "gzip"
        assert "max-age" in page.headers["strict-transport-security"]
        moved = await plain.get("/e/ev_x?a=b")
        assert (moved.status_code, moved.headers["location"]) == (301, f"{house.url}/e/ev_x?a=b")
        for inner in ("/metrics", "/health/ready", "/health/dependencies"):
            assert (await fan.get(inner)).status_code == 404


async def test_only_pages_of_the_public_address_may_act_and_cookies_are_secure(house, make_sale):
    event_id = await make_sale(mode="on", max_active=0)
    await settled(house.url, event_id, verify=house.tls)
    path = f"/events/{event_id}/queue"
    async with house.fan() as fan:
        own = await fan.post(path, json={}, headers={"origin": house.url})
        assert own.json()["state"] == "waiting"
        assert own.headers["set-cookie"].startswith("__Host-onsale_visitor=")
        assert "Secure" in own.headers["set-cookie"]
        for origin in (house.nodes[0].url, f"http://127.0.0.1:{house.port}", "https://evil.test"):
            other = await fan.post(path, json={}, headers={"origin": origin})
            assert (other.status_code, other.json()["code"]) == (403, "bad_origin")


async def test_a_room_that_came_packed_is_changed_by_the_etag_it_came_with(house, make_sale):
    event_id = await make_sale(mode="on")
    await settled(house.url, event_id, verify=house.tls)
    path = f"/admin/events/{event_id}/admission"
    async with house.fan() as operator:
        operator.headers.update(BEARER)
        before = await operator.get(path)
        assert before.headers["etag"].startswith('"')
        long = {"message": "🎫" * 280}  # more than gzip_min_length, by itself
        told = await operator.patch(path, json=long, headers={"if-match": before.headers["etag"]})
        assert told.headers["content-encoding"] == "gzip"
        etag = told.headers["etag"]
        assert etag.startswith('W/"')
        taken = await operator.patch(path, json={"message": ""}, headers={"if-match": etag})
        assert (taken.status_code, taken.json()["message"]) == (200, "")


async def test_frames_go_both_ways_through_nginx_and_close_codes_arrive(house, make_sale):
    event_id = await make_sale(mode="on", max_active=0)
    await settled(house.url, event_id, verify=house.tls)
    async with house.fan() as fan:
        await fan.post(f"/events/{event_id}/queue", json={})
        async with asyncio.timeout(LIMIT_S), house.socket(event_id, fan) as socket:
            assert '"waiting"' in await socket.recv()
            await (await socket.ping())
            await socket.send('{"type":"ping"}')
            await socket.send("not understood")
            assert await close_code(socket) == NOT_UNDERSTOOD


async def test_events_arrive_one_by_one_and_a_draining_node_sends_its_clients_to_the_other(
    house, make_sale
):
    event_id = await make_sale()
    await settled(house.url, event_id, verify=house.tls)
    async with house.fan() as fan, house.fan() as buyer:
        await buyer.post(f"/events/{event_id}/queue", json={})
        stream = Stream(fan, event_id)
        await stream.hears()
        for seat in (3, 4):  # nothing is held back until more has come
            await hold(buyer, event_id, seat)
            await stream.hears()
        seats = Steady(house.url, f"/events/{event_id}/seats", house.tls)
        joins = Steady(house.url, f"/events/{event_id}/queue", house.tls, body={})
        async with seats, joins:
            await until(lambda: joins.statuses[200] > 20)  # nginx keeps connections to both nodes
            house.nodes[0].send(signal.SIGTERM)
            assert await house.nodes[0].ends() == 0
            seen = joins.statuses[200]
            await until(lambda: joins.statuses[200] > seen + 50)
        for steady in (seats, joins):
            assert (steady.failures, set(steady.statuses)) == ([], {200})
        if stream.task.done():
            assert stream.seen[-1] == "bye"
            stream = Stream(fan, event_id, after=stream.position)
        before = stream.position
        await hold(buyer, event_id, 5)
        await until_newer(stream, before)
        assert stream.seen[-1] == "seats"
        await stream.end()


async def test_after_kill_9_of_a_node_fans_are_back_on_the_other_where_they_were(house, make_sale):
    event_id = await make_sale()
    await settled(house.url, event_id, verify=house.tls)
    async with house.fan() as fan, house.fan() as buyer:
        await buyer.post(f"/events/{event_id}/queue", json={})
        streams = [Stream(fan, event_id) for _ in range(6)]  # some on either node
        for stream in streams:
            await stream.hears()
        async with Steady(house.url, f"/events/{event_id}/seats", house.tls) as steady:
            await until(lambda: steady.statuses[200] > 20)
            house.nodes[0].send(signal.SIGKILL)
            house.nodes[0].process.wait(LIMIT_S)
            await hold(buyer, event_id, 3)
            cut_off = [stream for stream in streams if not await stream.hears_or_ends()]
            seen = steady.statuses[200]
            await until(lambda: steady.statuses[200] > seen + 50)
        assert 0 < len(cut_off) < len(streams)
        back = [Stream(fan, event_id, after=stream.position) for stream in cut_off]
        for stream in back:
            await stream.hears()
            assert stream.seen == ["seats"]  # the next change and no snapshot
        for stream in (*streams, *back):
            await stream.end()
    # A GET that the dead node had is asked again of the other; nothing is shown for it.
    assert set(steady.statuses) == {200}
    assert len(steady.failures) <= STEADY_CLIENTS


async def test_with_no_node_left_a_page_says_that_it_comes_back_and_programs_when(house):
    for node in house.nodes:
        node.send(signal.SIGKILL)
        node.process.wait(LIMIT_S)
    async with house.fan() as fan:
        away = await fan.get("/")
        assert (away.status_code, away.headers["retry-after"]) == (503, "2")
        assert re.search("http-equiv=.?refresh", away.text)


async def hold(client, event_id, seat) -> None:
    reply = await client.post(
        f"/events/{event_id}/holds", json={"ticketIds": [f"{event_id}-{seat}"]}
    )
    assert reply.status_code == 201


async def until_newer(stream, before) -> None:
    async with asyncio.timeout(LIMIT_S):
        while stream.position == before:
            await stream.hears()


async def until_served(client) -> None:
    await until(
        lambda: client.get("/"),
        lambda reply: reply.status_code == 200,
        despite=httpx.ConnectError,
    )
