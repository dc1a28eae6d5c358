"""A node that is asked to stop tells its clients to come back, ends what it has begun, and ends."""

import asyncio
import contextlib
import signal

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.running import LIMIT_S, Stream, client_of, close_code, cookies_of, settled
from tests.waiting import until

STREAMS, SOCKETS = 12, 6
COME_BACK = 4000
LONG_DRAIN_S = 50
MIN_SPREAD_S = 0.3
BODY = b'{"slip":null}'


@contextlib.asynccontextmanager
async def live_clients(url, streamed, queued):
    """Open streams and sockets, each of another fan; gives the streams and the sockets."""
    async with contextlib.AsyncExitStack() as stack:

        async def fan():
            return await stack.enter_async_context(client_of(url))

        streams = [Stream(await fan(), streamed) for _ in range(STREAMS)]
        sockets = []
        for _ in range(SOCKETS):
            client = await fan()
            await client.post(f"/events/{queued}/queue", json={})
            address = url.replace("http", "ws") + f"/events/{queued}/queue/socket"
            socket = connect(address, additional_headers=cookies_of(client), compression=None)
            sockets.append(await stack.enter_async_context(socket))
            await client.aclose()
        for stream in streams:
            await stream.hears()
        yield streams, sockets


@pytest.mark.parametrize("workers", [1, 2])
async def test_every_client_is_told_to_come_back_at_a_time_of_its_own(workers, onsale, make_sale):
    streamed, queued = await make_sale(), await make_sale(mode="on", max_active=0)
    server = onsale(workers=workers)
    await settled(server.url, streamed, queued)
    async with live_clients(server.url, streamed, queued) as (streams, sockets):
        server.send(signal.SIGTERM)
        async with asyncio.timeout(LIMIT_S):
            await asyncio.gather(*(stream.task for stream in streams))
            codes = await asyncio.gather(*map(close_code, sockets))
        assert await server.ends() == 0
    assert codes == [COME_BACK] * SOCKETS
    times_s = [stream.back_at_s for stream in streams]
    assert None not in times_s
    assert max(times_s) - min(times_s) > MIN_SPREAD_S


async def test_after_a_restart_a_stream_goes_on_where_it_was(onsale, make_sale, fan_of):
    event_id = await make_sale()
    server = onsale(workers=2)
    await settled(server.url, event_id)
    first = Stream(await fan_of(server.url), event_id)
    await first.hears()
    server.send(signal.SIGHUP)
    await asyncio.wait_for(first.task, LIMIT_S)
    assert first.back_at_s is not None
    await until(lambda: "all workers restarted" in server.said())
    second = Stream(await fan_of(server.url), event_id, after=first.position)
    fan = await fan_of(server.url)
    await fan.post(f"/events/{event_id}/queue", json={})
    held = await fan.post(f"/events/{event_id}/holds", json={"ticketIds": [f"{event_id}-3"]})
    assert held.status_code == 201
    await second.hears()
    epoch, version = first.position.split(":")
    assert second.position == f"{epoch}:{int(version) + 1}"  # the next change, no snapshot before
    await second.end()


async def test_while_it_drains_an_open_connection_hears_503_and_that_it_was_the_last(
    onsale, fan_of
):
    server = onsale(drain_s=LONG_DRAIN_S)
    client, other = await fan_of(server.url), await fan_of(server.url)
    assert (await client.get("/health/ready")).status_code == 200
    assert (await other.get("/health/live")).status_code == 200
    server.send(signal.SIGTERM)
    reply = await until_draining(client)
    assert (reply.status_code, reply.json()) == (503, {"status": "draining"})
    assert reply.headers["connection"] == "close"
    reply = await other.get("/health/live")  # nobody cut it off while it was idle
    assert (reply.status_code, reply.headers["connection"]) == (200, "close")
    assert await server.ends() == 0  # well before the drain's end, since everybody has left


async def test_a_request_under_way_is_finished(onsale, make_sale, fan_of):
    event_id = await make_sale()
    server = onsale(drain_s=0.1)
    asking = await fan_of(server.url)
    await asking.get("/")
    drained = asyncio.Event()

    async def body():
        yield BODY[:1]
        await drained.wait()
        yield BODY[1:]

    headers = {"content-length": str(len(BODY)), "content-type": "application/json"}
    path = f"/events/{event_id}/queue"
    reply = asyncio.create_task(asking.post(path, content=body(), headers=headers))
    await refused(server, first_after=lambda: server.send(signal.SIGTERM))
    drained.set()
    assert (await asyncio.wait_for(reply, LIMIT_S)).status_code == 200
    assert await server.ends() == 0


async def test_who_never_ends_a_request_does_not_keep_a_node_from_ending(onsale, fan_of):
    server = onsale(drain_s=0.1)
    client = await fan_of(server.url)
    await client.get("/health/live")  # on this connection, which is kept, comes the request
    begun = asyncio.Event()

    async def body():
        yield BODY[:1]
        begun.set()
        await asyncio.Event().wait()

    headers = {"content-length": str(len(BODY)), "content-type": "application/json"}
    hanging = asyncio.create_task(
        client.post("/events/ev_any/queue", content=body(), headers=headers)
    )
    await begun.wait()
    server.send(signal.SIGTERM)
    assert await server.ends() == 0
    assert "timeout graceful shutdown exceeded" in server.said()  # uvicorn's words for the goodbye
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)


async def test_sighup_ends_a_single_process_as_sigterm_does(onsale):
    server = onsale(workers=1)
    server.send(signal.SIGHUP)
    assert await server.ends() == 0


async def until_draining(client: httpx.AsyncClient) -> httpx.Response:
    """The reply that says so. Each one before it leaves the connection open."""
    async with asyncio.timeout(LIMIT_S):
        while (reply := await client.get("/health/ready")).status_code == 200:
            assert reply.headers.get("connection") != "close"
    return reply


async def refused(server, *, first_after) -> None:
    """Wait until the server does not accept any more."""
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.close()
    await writer.wait_closed()
    first_after()
    async with asyncio.timeout(LIMIT_S):
        with contextlib.suppress(ConnectionRefusedError, ConnectionResetError):  # or in between
            while True:
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()
