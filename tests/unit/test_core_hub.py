"""The hub: its pace, what it counts, whom it sends away."""

import asyncio
import itertools
import sys
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from starlette.types import Message
from starlette.websockets import WebSocket
from websockets.frames import Opcode

from core.live import asgi, websocket
from core.live.asgi import PulledTransport
from core.live.channel import Channel
from core.live.connection import (
    MAX_FRAMES_A_WINDOW,
    MAX_MESSAGE_BYTES,
    MAX_SILENT_BEATS,
    WINDOW_S,
    EventStream,
    Socket,
)
from core.live.hub import BEAT_EVERY_S, MAX_FULL_S, MAX_TICK_S, TICK_S, Hub, stretched
from tests.live_clients import Pulled, client_frame
from tests.waiting import until


@pytest.fixture
def hub():
    """One whose ticks are the test's own: `flush`."""
    return Hub()


@given(st.floats(0, 100))
def test_writing_takes_at_most_half_of_the_time_unless_fans_would_wait_too_long(wrote_s):
    tick_s = stretched(wrote_s)
    assert TICK_S <= tick_s <= MAX_TICK_S
    assert wrote_s <= tick_s / 2 or tick_s == MAX_TICK_S
    assert tick_s == TICK_S or tick_s <= 2 * wrote_s, "and is no slower than it must be"


async def test_the_time_that_writing_took_is_what_stretches_the_tick(hub, monkeypatch):
    channel = Channel(4)
    for _ in range(3):
        Pulled.reader(hub, channel, 0)
    await hub.flush()
    clock = iter(range(100))
    monkeypatch.setattr("core.live.hub.time.perf_counter", lambda: float(next(clock)))
    channel.publish(1, b"a")
    assert await hub.flush() == 1.0


async def test_what_comes_while_a_tick_lasts_waits_for_its_end(monkeypatch):
    """An hour, since writing took half of one: of a clock that nobody waits for."""
    clock = itertools.count(0, 1_800)
    monkeypatch.setattr("core.live.hub.time.perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr("core.live.hub.MAX_TICK_S", 7_200.0)
    hub, channel = Hub(), Channel(4)
    reader = Pulled.reader(hub, channel, 0)
    await hub.flush()
    await hub.start()
    channel.publish(1, b"at once")
    assert await reader.next() == b"at once"
    await until(lambda: hub.tick_s == 3_600)
    reader.connection.resume_writing()
    channel.publish(2, b"later")
    for _ in range(100):
        await asyncio.sleep(0)
    assert reader.connection.out is not None, "nothing was written to it"
    await hub.flush()
    assert channel.tick_s == 3_600, "who publishes knows"
    await hub.stop()


async def test_a_running_hub_looks_after_the_quiet_and_the_hopeless(monkeypatch):
    monkeypatch.setattr("core.live.hub.MAX_FULL_S", 0.0)
    hub = Hub(beat_every_s=1)
    quiet, full = Pulled.socket(hub), Pulled.socket(hub)
    full.connection.pause_writing()
    await hub.start()
    assert await quiet.next() == websocket.BEAT
    await until(lambda: hub.metrics.evicted)
    assert await full.next() == websocket.close(websocket.TOO_SLOW)
    await hub.stop()


async def test_clients_are_told_to_come_back_in_an_order_of_chance(monkeypatch):
    monkeypatch.setattr("core.live.hub.random.shuffle", list.reverse)
    hub, told = Hub(drain_s=0.2), []
    for number in range(3):
        connection = EventStream(hub, lambda _, number=number: told.append(number))
        transport = PulledTransport(connection)
        hub.adopt(connection, transport)
        monkeypatch.setattr(transport, "close", partial(connection.connection_lost, None))
    hub.shutdown()
    await hub.drained()
    assert told == [2, 1, 0]
    await hub.stop()


async def test_who_never_takes_the_goodbye_is_cut_off_at_the_end_of_the_drain():
    hub = Hub(drain_s=0.1)
    client = Pulled.socket(hub)
    hub.shutdown()
    await until(client.transport.is_closing)
    assert hub.draining
    await hub.stop()


async def test_clients_that_take_nothing_are_told_to_come_back_and_then_cut_off(hub):
    full, fine = Pulled.socket(hub), Pulled.socket(hub)
    for client in (full, fine):
        client.connection.send(b"x")
    await hub.flush()
    await fine.next()
    fine.connection.resume_writing()
    hub.sweep(hub.now_s() + MAX_FULL_S - 1)
    assert hub.metrics.evicted == 0
    hub.sweep(hub.now_s() + MAX_FULL_S + 1)
    assert hub.metrics.evicted == 1
    assert hub.refused.by_code == {"slow_reader": 1}
    assert await full.next() == b"x" + websocket.close(websocket.TOO_SLOW)
    hub.sweep(hub.now_s() + MAX_FULL_S)
    assert full.transport.is_closing()
    assert not fine.transport.is_closing()


async def test_nothing_more_is_written_to_a_client_that_was_said_goodbye(hub):
    channel = Channel(4)
    client = Pulled.socket(hub)
    hub.join(client.connection, channel, 0)
    client.connection.close(websocket.COME_BACK)
    client.connection.send(b"late")
    channel.publish(1, b"later")
    await hub.flush()
    for bucket in hub._wheel:
        await hub._beat(bucket)
    assert await client.next() == websocket.close(websocket.COME_BACK)
    assert channel.members == 0


async def test_only_those_who_heard_nothing_are_sent_a_sign_of_life(hub):
    busy = Channel(4)
    heard, quiet = Pulled.reader(hub, busy, 0), Pulled.socket(hub)
    await hub.flush()
    busy.publish(1, b"news")
    await hub.flush()
    assert await heard.next() == b"news"
    heard.connection.resume_writing()
    for bucket in hub._wheel:
        await hub._beat(bucket)
    assert await quiet.next() == websocket.BEAT
    assert heard.connection.out is not None, "nothing was written to it"


@pytest.mark.parametrize("sign", [Opcode.PONG, Opcode.TEXT])
async def test_who_says_nothing_is_asked_and_ended_when_that_is_in_vain(hub, sign):
    there, vanished = Pulled.socket(hub), Pulled.socket(hub)
    told = []
    for _ in range(MAX_SILENT_BEATS + 1):
        for bucket in hub._wheel:
            await hub._beat(bucket)
        told.append(await vanished.next())
        if await there.next() == websocket.PING:
            there.connection.data_received(client_frame(b"here", op=sign))
        for client in (there, vanished):
            client.connection.resume_writing()
    asked = [websocket.PING] * (MAX_SILENT_BEATS - 1)
    assert told == [websocket.BEAT, *asked, websocket.close(websocket.COME_BACK)]
    assert hub.refused.by_code == {"silent": 1}
    assert not there.connection.leaving


async def test_who_takes_nothing_either_is_ended_too(hub):
    full = Pulled.socket(hub)
    full.connection.pause_writing()
    for _ in range(MAX_SILENT_BEATS + 1):
        full.connection.beat(quiet=True)
    assert await full.next() == websocket.close(websocket.COME_BACK)


@pytest.mark.parametrize("op", [Opcode.TEXT, Opcode.PONG])
async def test_what_clients_say_most_needs_no_parser_and_is_counted(hub, monkeypatch, op):
    client, text = Pulled.socket(hub), client_frame(b"here", op=op)
    with monkeypatch.context() as patched:
        patched.setattr("core.live.connection._parser", None)
        for _ in range(MAX_FRAMES_A_WINDOW):
            client.connection.data_received(text)
    client.connection.data_received(text)
    assert await client.next() == websocket.close(websocket.TOO_MANY_FRAMES)


async def test_more_bytes_at_once_than_fair_frames_have_are_too_much(hub):
    client = Pulled.socket(hub)
    longest = client_frame(b"x" * MAX_MESSAGE_BYTES)
    client.connection.data_received(longest * MAX_FRAMES_A_WINDOW + longest[:1])
    assert await client.next() == websocket.close(websocket.TOO_MANY_FRAMES)


async def test_a_message_that_never_ends_is_not_kept_piece_by_piece(hub, monkeypatch):
    client, now_s = Pulled.socket(hub), itertools.count(0, WINDOW_S)
    monkeypatch.setattr(hub, "now_s", lambda: float(next(now_s)))
    client.connection.data_received(client_frame(b"x", fin=False))
    before = sys.getsizeof(client.connection._fragments)
    for _ in range(1_000):
        client.connection.data_received(client_frame(b"", op=Opcode.CONT, fin=False))
    assert not client.connection.leaving
    assert sys.getsizeof(client.connection._fragments) == before


async def test_a_channel_whose_frames_cannot_be_made_keeps_nothing_from_the_others(caplog):
    hub = Hub()
    await hub.start()
    broken, fine = Channel(1, snapshot=lambda: b"" + None), Channel(1)
    Pulled.reader(hub, broken, None)
    reader = Pulled.reader(hub, fine, 0)
    for number, news in enumerate((b"one", b"two"), 1):
        broken.publish(number, b"x")
        fine.publish(number, news)
        assert await reader.next() == news
        reader.connection.resume_writing()
    assert "a channel was not written" in caplog.text
    await hub.stop()


async def test_clients_are_spread_over_the_wheel(hub):
    for _ in range(3 * BEAT_EVERY_S):
        Pulled.socket(hub)
    assert {len(bucket) for bucket in hub._wheel} == {3}


async def test_metrics_say_who_is_there_and_what_went_out(hub):
    channel = Channel(4)
    Pulled.socket(hub)
    reader, gone = Pulled.reader(hub, channel, 0), Pulled.reader(hub, channel, 0)
    gone.connection.connection_lost(None)
    await hub.flush()
    channel.publish(1, b"four")
    await hub.flush()
    assert await reader.next() == b"four"
    registry = CollectorRegistry()
    registry.register(hub.metrics)
    said = generate_latest(registry).decode().splitlines()
    for line in (
        'onsale_live_connections{kind="sse"} 1.0',
        'onsale_live_connections{kind="websocket"} 1.0',
        'onsale_live_connections_opened_total{kind="sse"} 2.0',
        "onsale_live_messages_total 1.0",
        "onsale_live_bytes_total 4.0",
        "onsale_live_skipped_total 0.0",
        "onsale_live_evicted_total 0.0",
        'onsale_live_recoveries_total{source="snapshot"} 0.0',
        "onsale_live_tick_seconds_count 2.0",
        "onsale_live_lag_seconds_count 1.0",
    ):
        assert line in said


async def test_in_the_asgi_way_the_server_asks_and_nobody_is_ended_for_silence(hub):
    connection, sent = Socket(hub, lambda _: True), []

    async def send(message):
        sent.append(message)

    scope = {"type": "websocket", "path": "/", "headers": []}
    client = WebSocket(scope, receive=asyncio.Queue[Message]().get, send=send)
    hub.adopt(connection, PulledTransport(connection))
    serving = asyncio.create_task(asgi.socket(hub, connection, client))
    await until(lambda: hub.in_asgi_calls)
    for _ in range(2 * MAX_SILENT_BEATS):
        await until(lambda: connection.out is not None)
        connection.beat(quiet=True)
    await until(lambda: connection.out is not None)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert (sent, hub.refused.by_code) == ([], {})
