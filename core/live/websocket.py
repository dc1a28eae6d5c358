"""WebSocket frames as a server sends them (RFC 6455, 5.2): not masked, so one for all. Bytes only.

Compression is never negotiated: a frame is the same bytes for every client, made once.
"""

from __future__ import annotations

from websockets.utils import apply_mask

MAX_CONTROL_BYTES = 125  # RFC 6455, 5.5
BEAT = b"\x8a\x00"  # a pong without a payload, to which nobody answers (RFC 6455, 5.5.3)
PING = b"\x89\x00"  # one to which every client does

# Close codes, as in docs/protocol.md: 4000 to 4499 come back with backoff, 4500 to 4999 don't.
COME_BACK, TOO_SLOW = 4000, 4001
NOT_UNDERSTOOD, TOO_MANY_FRAMES = 4503, 4505
INVALID_DATA = 1007  # RFC 6455, 7.4.1: text that is not UTF-8

_FIN_TEXT, _FIN_CLOSE, _FIN_PONG = 0x81, 0x88, 0x8A
_MASKED = 0x80


def text(payload: bytes) -> bytes:
    """One whole text frame. `payload` is UTF-8."""
    size = len(payload)
    if size < 126:
        head = bytes((_FIN_TEXT, size))
    elif size < 1 << 16:
        head = bytes((_FIN_TEXT, 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((_FIN_TEXT, 127)) + size.to_bytes(8, "big")
    return head + payload


def close(code: int, reason: str = "") -> bytes:
    """One close frame. `reason` is cut to what a control frame holds."""
    payload = code.to_bytes(2, "big") + reason.encode()[: MAX_CONTROL_BYTES - 2]
    return bytes((_FIN_CLOSE, len(payload))) + payload


def short_text(data: bytes) -> str | None:
    """What a client says, if its bytes are one whole short text message and nothing more.

    Pages say such a thing each 25 s, and little else: it needs no parser. None for all that is not
    plainly right (RFC 6455, 5.2 and 5.3: final, no reserved bit, masked, UTF-8): parse that.
    """
    if not _is_plain(data) or data[0] != _FIN_TEXT:
        return None
    try:
        return apply_mask(data[6:], data[2:6]).decode()
    except UnicodeDecodeError:
        return None


def is_pong(data: bytes) -> bool:
    """Whether a client's bytes are one good pong and nothing more: it needs no parser either."""
    return _is_plain(data) and data[0] == _FIN_PONG


def is_one_whole_frame(data: bytes) -> bool:
    """Whether a client's bytes are one short final frame and nothing more.

    After such a frame a parser stands where a new one would: it need not be kept.
    """
    if len(data) < 6 or not data[0] & 0x80 or data[1] & 0x7F > 125:
        return False
    return len(data) == 6 + (data[1] & 0x7F)  # two bytes of head, four of mask


def _is_plain(data: bytes) -> bool:
    return is_one_whole_frame(data) and data[1] >= _MASKED
