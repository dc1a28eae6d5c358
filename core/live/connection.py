"""One client of the hub: a slotted protocol with no task, no queue and no timer of its own.

The hub writes; a connection only knows where its bytes go and what it is owed:

    wire      what takes its bytes, from the first to the last
    out       the same while it has room; None while the socket is full, and at the end
    frame     the one message for this client alone that has not been written yet
    channel   where it is a member, with `position` while it is late

What the kernel does not take is kept by the transport, whose limit is zero: the moment the kernel's
buffer (wire.SEND_BUFFER_BYTES) is full and the rest of one write is left over, it says so and
nothing more is written. That is the bound on what a slow client costs: the kernel's buffer and one
write.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, cast

from websockets.frames import Frame, Opcode
from websockets.protocol import SERVER, Protocol, State

from core.live import sse, websocket
from core.live.wire import Wire, wire_of

if TYPE_CHECKING:
    from core.live.channel import Channel
    from core.live.hub import Hub

MAX_IGNORED_BYTES = 16 * 1024  # a reader of a stream has nothing to say
MAX_MESSAGE_BYTES = 256  # of a client of a socket
MAX_FRAMES_A_WINDOW = 40
WINDOW_S = 10
MAX_READ_BYTES = MAX_FRAMES_A_WINDOW * (MAX_MESSAGE_BYTES + 8)  # nobody fair sends more at once
MAX_SILENT_BEATS = 3  # of a client of a socket, which is asked meanwhile
COME_BACK_SPREAD_MS = 1_000  # on top of the drain's own spread

# Why a client is ended, as `onsale_refused_total` says it, and with which close code.
CLOSE_CODES = {
    "slow_reader": websocket.TOO_SLOW,
    "silent": websocket.COME_BACK,
    "not_understood": websocket.NOT_UNDERSTOOD,
    "too_many_frames": websocket.TOO_MANY_FRAMES,
}
# Also: a reader of a stream who talks, and frames whose close code RFC 6455 says.
REFUSALS = (*CLOSE_CODES, "too_many_bytes", "bad_frame")

OnClosed = Callable[["Connection"], None]
OnText = Callable[[str], bool]


class _Hot(asyncio.Protocol):
    """What each delivery looks at, side by side in memory: the slots of a base come first.

    With thousands of clients none is still in the processor's cache from the last tick: to fetch
    one more line of each takes more time than all of Python's own work.
    """

    __slots__ = ("frame", "out")

    frame: bytes | None
    out: Wire | None


class Connection(_Hot):
    """Base of both kinds. Made by the hub's `adopt`, which gives it its transport."""

    __slots__ = (
        *("bucket", "channel", "hub", "leaving", "on_closed"),
        *("position", "transport", "wire"),
    )
    kind: ClassVar[str]
    BEAT: ClassVar[bytes]

    def __init__(self, hub: Hub, on_closed: OnClosed | None = None) -> None:
        """`on_closed` is called once, when the client is gone, however that came about."""
        self.hub, self.on_closed = hub, on_closed
        self.transport: asyncio.Transport | None = None
        self.wire: Wire | None = None
        self.out: Wire | None = None
        self.channel: Channel | None = None
        self.position: int | None = None
        self.frame: bytes | None = None
        self.leaving = False  # said goodbye
        self.bucket: set[Connection] | None = None  # of the hub's wheel

    def send(self, frame: bytes) -> None:
        """For this client alone, with the next tick. Replaces one that is not written yet:

        each must say a whole state, so a slow client skips states and is never wrong.
        """
        if self.leaving:
            return
        if self.frame is None:
            self.hub.owes(self)
        self.frame = frame

    def write(self, data: bytes) -> None:
        """At once, to a client that has room: whoever calls has looked at `out`.

        What the socket does not take goes to the transport, which then says that it is full, or
        finds out that the other end is gone.
        """
        assert self.out is not None
        try:
            sent = self.out.send(data)
        except OSError:
            sent = 0
        if sent < len(data):
            assert self.transport is not None
            self.transport.write(data[sent:])

    def beat(self, *, quiet: bool) -> None:
        """Once a turn of the hub's wheel. `quiet`: nothing was written to its channel meanwhile."""
        if quiet and self.out is not None:
            self.write(self.BEAT)

    def take_frame(self) -> bytes:
        frame, self.frame = self.frame or b"", None
        return frame

    def farewell(self, code: int) -> bytes:
        """What is said before the end."""
        raise NotImplementedError

    def close(self, code: int) -> None:
        """Say goodbye, after the frame that is still owed, and end. Safe to repeat.

        The hub cuts off who has not taken the goodbye in time.
        """
        if self.leaving or self.transport is None:
            return
        goodbye = (self.take_frame() if self.out else b"") + self.farewell(code)
        self.leave()
        self.transport.write(goodbye)
        self.hang_up()

    def refuse(self, why: str) -> None:
        """Close it for what the client does, and count that. `why`: one of CLOSE_CODES."""
        if not self.leaving:
            self.close(CLOSE_CODES[why])
            if self.leaving:
                self.hub.refused.count(why)

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def leave(self) -> None:
        """From now on nothing is owed: the goodbye is the last of it."""
        self.leaving, self.out, self.frame = True, None, None
        if self.channel is not None:
            self.channel.leave(self)
        self.hub.leaves(self)

    def hang_up(self) -> None:
        """Nothing more is written: the client reads to the end, and closes.

        Only half of the connection is closed here. Closed as a whole, with bytes of the client
        still on their way, the kernel would answer those with a reset that eats the goodbye.
        """
        assert self.transport is not None
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    # -- what the transport calls -------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Also called by hand: the handshake's protocol had the transport before."""
        self.transport = cast("asyncio.Transport", transport)
        self.wire = self.out = wire_of(self.transport)
        self.transport.set_write_buffer_limits(high=0)
        if self.transport.get_write_buffer_size():  # of an earlier reply: they go first
            self.pause_writing()  # a transport says so only once, and may have told the one before

    def pause_writing(self) -> None:
        self.out = None
        self.hub.is_full(self)

    def resume_writing(self) -> None:
        if not self.leaving:
            self.out = self.wire
            self.hub.has_room(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self.wire is not None:
            self.wire.detach()
        self.transport = self.wire = self.out = None
        self.leaving = True
        if self.channel is not None:
            self.channel.leave(self)
        self.hub.is_gone(self)
        on_closed, self.on_closed = self.on_closed, None
        if on_closed is not None:
            on_closed(self)


class EventStream(Connection):
    """A reader of server-sent events. What it sends is not listened to."""

    __slots__ = ("_ignored",)
    kind = "sse"
    BEAT = sse.BEAT

    def __init__(self, hub: Hub, on_closed: OnClosed | None = None) -> None:
        super().__init__(hub, on_closed)
        self._ignored = 0

    def farewell(self, code: int) -> bytes:
        del code  # a stream has no codes: whoever reads it comes back
        return sse.bye(random.randint(0, COME_BACK_SPREAD_MS))  # noqa: S311 (no secret)

    def data_received(self, data: bytes) -> None:
        self._ignored += len(data)
        if self._ignored > MAX_IGNORED_BYTES:
            self.hub.refused.count("too_many_bytes")
            self.abort()


class Socket(Connection):
    """A client of a WebSocket, after the handshake.

    Frames are parsed by `websockets`' sans-I/O protocol, which is made when a client says
    something, and let go again when nothing of it is left to wait for.
    """

    __slots__ = (
        *("_count", "_deaf", "_fragments", "_is_text", "_on_text", "_parser"),
        *("_silent_beats", "_window"),
    )
    kind = "websocket"
    BEAT = websocket.BEAT

    def __init__(self, hub: Hub, on_text: OnText, on_closed: OnClosed | None = None) -> None:
        """`on_text` gets each text message and says whether it was understood."""
        super().__init__(hub, on_closed)
        self._on_text = on_text
        self._parser: Protocol | None = None
        self._fragments: bytes | None = None  # of a message whose end has not come
        self._is_text = True
        self._deaf = False  # whoever says too much is not listened to any more
        self._window = self._count = self._silent_beats = 0

    def send_text(self, payload: bytes) -> None:
        """`send` of one whole text message."""
        self.send(websocket.text(payload))

    def go_on(self, parser: Protocol, fragments: list[bytes], *, is_text: bool) -> None:
        """Go on where the handshake's protocol stood: it may have read half a message."""
        parser.max_message_size = MAX_MESSAGE_BYTES
        self._parser, self._is_text = parser, is_text
        self._fragments = b"".join(fragments) if fragments else None

    def beat(self, *, quiet: bool) -> None:
        """Who says nothing is asked, and ended when that is in vain.

        TCP finds who vanished. Behind a proxy it does not: there the proxy acknowledges.
        """
        if self._silent_beats >= MAX_SILENT_BEATS:
            self.refuse("silent")
        elif self._silent_beats and self.out is not None:
            self.write(websocket.PING)
        else:
            super().beat(quiet=quiet)
        self._silent_beats += 1

    def heard(self) -> None:
        """The client is there."""
        self._silent_beats = 0

    def message(self, text: str | None) -> bool:
        """A message that needs no parser here; None for one that is not text.

        False when it is one too many.
        """
        self.heard()
        fair = self._fair(1)
        if fair and (text is None or len(text) > MAX_MESSAGE_BYTES or not self._on_text(text)):
            self.refuse("not_understood")
        return fair

    def close(self, code: int) -> None:
        if self._parser is None or self._parser.state is State.OPEN:
            super().close(code)

    def farewell(self, code: int) -> bytes:
        self._parser = self._parser or _parser()  # waits for the client's own close frame
        self._parser.send_close(code)
        return b"".join(self._parser.data_to_send())

    def hang_up(self) -> None:
        """Not yet: the client answers our close frame with its own (RFC 6455, 7.1.1)."""

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self.heard()
        if self._parser is None and websocket.is_pong(data):
            fair = self._fair(1)
        elif self._parser is None and (text := websocket.short_text(data)) is not None:
            fair = self.message(text)
        else:
            fair = self._parse(data)
        if not fair:
            self._deaf = True
            if self.transport is not None:
                super().hang_up()  # what it has said meanwhile has no end that could be waited for

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._parser is not None:
            let_go(self._parser)
            self._parser = None

    def _parse(self, data: bytes) -> bool:
        """Take what a client says, and answer it. False when that is too much at once."""
        parser = self._parser = self._parser or _parser()
        parser.receive_data(data[:MAX_READ_BYTES])
        frames = cast("list[Frame]", parser.events_received())
        fair = self._fair(max(1, len(frames)), few_bytes=len(data) <= MAX_READ_BYTES)
        for frame in frames if fair else ():
            self._take(frame, parser)
        self._answer(parser)
        if self._fragments is None and websocket.is_one_whole_frame(data) and not self.leaving:
            self._parser = None
            let_go(parser)
        return fair

    def _take(self, frame: Frame, parser: Protocol) -> None:
        if self.leaving or frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if frame.opcode is not Opcode.CONT:
            self._fragments, self._is_text = b"", frame.opcode is Opcode.TEXT
        assert self._fragments is not None
        self._fragments += bytes(frame.data)  # at most MAX_MESSAGE_BYTES, which the parser sees to
        if not frame.fin:
            return
        message, self._fragments = self._fragments, None
        try:
            understood = self._is_text and self._on_text(message.decode())
        except UnicodeDecodeError:
            parser.fail(websocket.INVALID_DATA)
            return
        if not understood:
            self.refuse("not_understood")

    def _answer(self, parser: Protocol) -> None:
        """Pongs, the echo of a close, the close of a client that broke the protocol."""
        answer = b"".join(parser.data_to_send())
        if self.transport is None:
            return
        if answer:
            self.transport.write(answer)
        if not parser.close_expected():
            return
        if parser.close_rcvd is not None:  # both have said it
            self.leave()
            self.transport.close()
        elif not self.leaving:
            self.hub.refused.count("bad_frame")
            self.leave()
            super().hang_up()

    def _fair(self, frames: int, *, few_bytes: bool = True) -> bool:
        """Count so many more frames of this client. When that is too much: False, and refused."""
        window = int(self.hub.now_s()) // WINDOW_S
        if window != self._window:
            self._window, self._count = window, 0
        self._count += frames
        fair = few_bytes and self._count <= MAX_FRAMES_A_WINDOW
        if not fair:
            self.refuse("too_many_frames")
        return fair


def let_go(parser: Protocol) -> None:
    """Nothing more is parsed. It and its generator hold each other, and would wait for the
    collector: some 10 kB after a handshake.
    """
    parser.parser.close()


def _parser() -> Protocol:
    return Protocol(SERVER, max_size=MAX_MESSAGE_BYTES)
