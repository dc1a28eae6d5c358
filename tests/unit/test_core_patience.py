"""Deadlines of requests: what has one, and above all what has none. The clock is the test's."""

import asyncio

import pytest
import uvicorn
from uvicorn.server import ServerState

from core.live.under_uvicorn import HubHttpProtocol, HubSocketProtocol
from core.refusals import Refusals
from tests.waiting import LIMIT_S

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Line(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self):
        super().__init__({"peername": ("203.0.113.7", 1), "sockname": ("127.0.0.1", 80)})
        self.written, self.closed, self.protocol = b"", False, None

    def write(self, data):
        self.written += data

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed

    def set_protocol(self, protocol):
        self.protocol = protocol

    def get_protocol(self):
        return self.protocol

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass


class Clock:
    """A loop whose later never comes by itself."""

    def __init__(self):
        self._loop, self.timers = asyncio.get_running_loop(), []

    def call_later(self, delay_s, callback, *args):
        timer = asyncio.TimerHandle(0, callback, args, self._loop)
        self.timers.append(timer)
        return timer

    def create_task(self, work, **more):
        return self._loop.create_task(work, **more)

    def run_out(self, looks=2):
        """All deadlines that stand now, and then the second look."""
        for _ in range(looks):
            timers, self.timers = self.timers, []
            for timer in timers:
                if not timer.cancelled():
                    timer._callback(*timer._args)


class Call:
    """One client against an application that answers when it is told to."""

    def __init__(self):
        self.line, self.clock, self.refused = Line(), Clock(), Refusals()
        self.may_answer, self.asked = asyncio.Event(), asyncio.Event()
        config = uvicorn.Config(
            self._app,
            interface="asgi3",
            http=HubHttpProtocol,
            ws=HubSocketProtocol,
            lifespan="off",
            access_log=False,
        )
        config.load()
        more = {"refused": self.refused, "_loop": self.clock}
        self.protocol = HubHttpProtocol(config, ServerState(), {}, **more)
        self.line.protocol = self.protocol
        self.protocol.connection_made(self.line)

    async def _app(self, scope, receive, send):
        self.asked.set()
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    def says(self, data):
        self.line.protocol.data_received(data)

    async def answered(self):
        self.may_answer.set()
        async with asyncio.timeout(LIMIT_S):
            while b" 204 " not in self.line.written:  # noqa: ASYNC110 (no event for it)
                await asyncio.sleep(0)


@pytest.fixture
async def call():
    made = Call()
    yield made
    made.may_answer.set()


async def test_who_says_nothing_is_refused_and_counted(call):
    call.clock.run_out()
    assert call.line.written.startswith(b"HTTP/1.1 408 ")
    assert (call.line.closed, call.refused.by_code["too_slow"]) == (True, 1)


@pytest.mark.parametrize("begun", [b"G", GET[:-1], POST, POST + b"x"])
async def test_what_is_not_whole_in_time_is_refused(call, begun):
    call.says(begun)
    call.clock.run_out()
    assert call.line.written.startswith(b"HTTP/1.1 408 ")


async def test_it_is_not_the_clients_fault_when_we_come_late_to_read_what_it_sent_in_time(call):
    call.clock.run_out(looks=1)
    call.says(GET)
    call.clock.run_out()
    assert not call.line.closed
    await call.answered()


async def test_to_drip_puts_the_deadline_off_by_nothing(call):
    (timer,) = call.clock.timers
    for n in range(len(GET) - 1):
        call.says(GET[n : n + 1])
    assert call.clock.timers == [timer]
    assert not timer.cancelled()


@pytest.mark.parametrize("request_", [GET, POST + b"{}"])
async def test_a_whole_request_may_take_as_long_to_answer_as_it_takes(call, request_):
    call.says(request_)
    call.clock.run_out()
    assert not call.line.closed
    await call.answered()


async def test_a_pipelined_head_that_is_not_whole_does_not_cut_the_reply_before_it(call):
    call.says(GET + GET[:9])
    call.clock.run_out()
    assert not call.line.closed
    await call.answered()
    call.clock.run_out()
    assert call.line.closed


async def test_a_connection_between_two_requests_has_the_keep_alive_time_and_no_refusal(call):
    call.says(GET)
    await call.answered()
    call.clock.run_out()
    assert (call.line.closed, call.refused.by_code["too_slow"]) == (True, 0)


async def test_a_websocket_has_no_deadline_after_its_handshake(call):
    call.says(UPGRADE)
    assert call.line.protocol is not call.protocol
    call.clock.run_out()
    assert (call.line.closed, call.refused.by_code["too_slow"]) == (False, 0)


async def test_a_reply_that_came_before_the_body_is_not_mixed_with_a_refusal(call):
    call.says(POST)
    await call.answered()
    call.clock.run_out()
    assert call.line.closed
    assert call.line.written.count(b"HTTP/1.1") == 1
