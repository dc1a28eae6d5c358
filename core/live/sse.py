"""Server-sent events as they go over the wire (WHATWG HTML, 9.2.5 and 9.2.6). Bytes only."""

from __future__ import annotations

MEDIA_TYPE = "text/event-stream"
# No store keeps a stream, nginx hands each piece on at once, and nothing comes after it.
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no", "connection": "close"}
BEAT = b":\n\n"  # a comment: browsers ignore it, proxies see that the stream lives


def frame(event: str, data: bytes, event_id: str | None = None) -> bytes:
    """One event. `data` holds no line break; JSON as orjson writes it has none."""
    assert b"\n" not in data
    assert b"\r" not in data
    head = f"id: {event_id}\nevent: {event}\ndata: " if event_id else f"event: {event}\ndata: "
    return head.encode() + data + b"\n\n"


def bye(retry_ms: int) -> bytes:
    """The last event of a stream: the page comes back after `retry_ms`, here or elsewhere."""
    return come_back("bye", retry_ms)


def come_back(event: str, retry_ms: int) -> bytes:
    """The last event of a stream; `retry:` says its time to a client that knows nothing of it."""
    return b"retry: %d\n" % retry_ms + frame(event, b'{"retryMs":%d}' % retry_ms)
