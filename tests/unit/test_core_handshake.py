"""A handshake is read from what uvicorn has parsed as `websockets` would read it from the bytes."""

from hypothesis import example, given
from hypothesis import strategies as st
from websockets.server import ServerProtocol

from core.live.under_uvicorn import handshake_of

KEY = (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")
PLAIN = [(b"upgrade", b"websocket"), (b"connection", b"keep-alive, Upgrade"), KEY]
names = st.sampled_from(
    [*(name for name, _ in PLAIN), b"x", b"origin", b"content-length", b"transfer-encoding"]
)
characters = st.sampled_from([b"0", b"5", b"a", b" ", b"\t", b",", b";", b'"', b"\x80", b"\xff"])
headers = st.lists(st.tuples(names, st.lists(characters, max_size=4).map(b"".join)), max_size=6)
targets = st.text("/a?&=%\xff", max_size=8).map(lambda text: b"/" + text.encode("latin-1"))


@given(st.sampled_from(["GET", "POST"]), targets, headers)
@example("GET", b"/events/ev_1/queue/socket", PLAIN)
@example("GET", b"/", [*PLAIN, KEY])
@example("GET", b"/", [(b"x", b"")] * 128)
@example("GET", b"/", [(b"x", b"")] * 129)
@example("GET", b"/", [(b"x", b"y" * 8_187)])
@example("GET", b"/", [(b"x", b"y" * 8_188)])
@example("GET", b"/" * 8_177, [])
@example("GET", b"/" * 8_178, [])
@example("GET", b"/", [(b"content-length", b"0"), (b"content-length", b"0")])
@example("GET", b"/", [(b"content-length", b"0"), (b"content-length", b"1")])
def test_it_is_what_a_parser_makes_of_the_same_bytes(method, target, headers):
    lines = [b" ".join((method.encode(), target, b"HTTP/1.1"))]
    lines += [name + b": " + value for name, value in headers]
    conn = ServerProtocol()
    conn.receive_data(b"\r\n".join([*lines, b"", b""]))
    [parsed] = conn.events_received() or [None]
    assert facts(handshake_of(method, target, headers)) == facts(parsed)


def facts(request):
    if request is None:
        return None
    return request.method, request.path, request.protocol, [*request.headers.raw_items()]
