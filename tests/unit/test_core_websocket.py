"""What is read past the parser is what a parser would have read."""

from hypothesis import example, given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import SERVER, Protocol

from core.live import websocket
from tests.live_clients import client_frame

frames = st.builds(
    client_frame,
    st.one_of(st.text(max_size=130).map(str.encode), st.binary(max_size=130)),
    op=st.sampled_from([*Opcode, 3]),
    fin=st.booleans(),
    masked=st.booleans(),
    rsv=st.sampled_from([0, 0, 4]),
)


@given(st.one_of(st.lists(frames, max_size=2).map(b"".join), st.binary(max_size=140)))
@example(client_frame(b'{"type":"ping"}'))
@example(client_frame(b""))
@example(client_frame(b"\xff"))
@example(client_frame("é".encode() * 62 + b"!"))
@example(client_frame(b"x" * 126))
@example(client_frame(b"whole")[:-1])
@example(client_frame(b"x", masked=False) + client_frame(b"ab", masked=False))
@example(client_frame(b"whole") + client_frame(b"", op=Opcode.PING))
def test_a_short_text_is_what_a_parser_reads_and_answers_nothing_to(data):
    parser = Protocol(SERVER, max_size=256)
    parser.receive_data(data)
    match parser.events_received(), parser.data_to_send():
        case [Frame(opcode=Opcode.TEXT, fin=True) as frame], []:
            whole = len(data) == 6 + len(frame.data) and len(frame.data) < 126
            expected = text_of(bytes(frame.data)) if whole else None
        case _:
            expected = None
    assert websocket.short_text(data) == expected


@given(st.one_of(frames, st.binary(max_size=140)))
@example(client_frame(b"", op=Opcode.PONG))
@example(client_frame(b"x", op=Opcode.PONG, masked=False) + b"abcd")
def test_a_pong_is_what_a_parser_reads_as_one_and_answers_nothing_to(data):
    parser = Protocol(SERVER, max_size=256)
    parser.receive_data(data)
    match parser.events_received(), parser.data_to_send():
        case [Frame(opcode=Opcode.PONG) as frame], []:
            assert websocket.is_pong(data) == (len(data) == 6 + len(frame.data))
        case _:
            assert not websocket.is_pong(data)


def text_of(payload):
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None
