"""A node that buys two seats and dies by SIGKILL at a named point. Run by test_checkout_kill.py.

    python crashing_node.py POINT EVENT DATABASE_URL REDIS_URL GATEWAY_SOCKET

The point is a real method of the product; the node is killed just before or just after it runs.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx

from app.checkout.bookings.store import BookingStore
from app.main import Addresses, Node
from app.payments.gateway import SandboxGateway
from config.settings import load

PATIENCE_S = 30

POINTS = {
    "pinned": (BookingStore, "claim", "before"),
    "claimed": (BookingStore, "claim", "after"),
    "payment stored": (BookingStore, "payment", "after"),
    "authorised": (SandboxGateway, "confirm", "after"),
    "committed": (BookingStore, "commit", "after"),
    "captured at the gateway": (SandboxGateway, "capture", "after"),
    "captured": (BookingStore, "captured", "after"),
}


def arm(point):
    owner, name, when = POINTS[point]
    real = getattr(owner, name)

    async def dies(*args):
        if when == "after":
            await real(*args)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, dies)


async def main(point, event_id, database_url, redis_url, gateway_socket):
    addresses = Addresses(
        redis_url=redis_url, database_url=database_url, gateway_socket=Path(gateway_socket)
    )
    node = await Node.open(load(), addresses, secret="s" * 32, admin_token="t" * 32)
    # Started by hand, without relay and recovery: another node shall find what this one left.
    await node.services.seat_map.start()
    transport = httpx.ASGITransport(app=node.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://onsale.test") as fan:
        await insist(fan, f"/events/{event_id}/queue", json={})
        arm(point)
        await insist(
            fan,
            f"/bookings/{event_id}",
            headers={"idempotency-key": "k"},
            json={
                "ticketIds": [f"{event_id}-3", f"{event_id}-4"],
                "email": "fan@example.org",
                "paymentDetails": {"token": "tok_approve"},
            },
        )


async def insist(fan, path, **what):
    """As a page does: while another node repairs the event's state, the answer is 503."""
    async with asyncio.timeout(PATIENCE_S):
        reply = await fan.post(path, **what)
        while reply.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            await asyncio.sleep(0.05)
            reply = await fan.post(path, **what)


asyncio.run(main(*sys.argv[1:]))
