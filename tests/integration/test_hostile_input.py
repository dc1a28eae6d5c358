"""What no client sends by accident breaks no route, and what is for one fan stays in no cache.

The walk takes the routes from the application itself, so a new route is tried too.
"""

import pytest
from starlette.routing import Mount, Route, WebSocketRoute

ENDLESS = "/admin/events/{event_id}/numbers/stream"  # who may see it sees no end of it
NASTY = {
    "digits": "9" * 5_000,
    "negative": "-1",
    "nul": "%00",
    "newline": "x%0d%0aset-cookie:%20a=b",
    "not utf-8": "%ff%fe%c0%af",
    "lone surrogate": "%ed%a0%80",
    "dots": "%2e%2e",
    "arabic digits": "%d9%a4%d9%a1",
    "braces": "ev_%7bx%7d",
    "empty id": "ev_",
    "long id": "ev_" + "a" * 300,
}
HEADERS = (
    {"cookie": b"onsale_visitor=\xff\xfe.\x80; onsale_language=\xc3"},
    {"cookie": b"onsale_visitor=vs_aaaaaaaaaaaaaaaaaaaaaaaaaa.\xe4\xb8\x80; onsale_pass_ev_x=\x00"},
    {"cookie": b"onsale_visitor=" + b"1" * 4_000},
    {"cookie": b"=;;;=x; onsale_visitor; onsale_visitor=; onsale_visitor=.;\x01"},
    {"cookie": b'onsale_visitor="\\377\\000"; onsale_console="\\054"'},
    {"authorization": b"Bearer \xff\xfe"},
    {"authorization": b"Bearer " + b"9" * 4_000},
    {"authorization": b"bearer"},
    {"authorization": b"Basic \xff"},
    {"if-match": b'"' + b"9" * 5_000 + b'"', "authorization": b"Bearer admin-token-of-the-tests"},
    {"if-match": b"\xff", "authorization": b"Bearer admin-token-of-the-tests"},
    {"if-none-match": b"\xff\x00", "range": b"bytes=0-,0-,0-", "last-event-id": b"9" * 5_000},
    {"last-event-id": b"\xff:\xff"},
    {"accept-language": b"\xff,de;q=" + b"9" * 500, "accept": b"text/html"},
    {"idempotency-key": b"\xff" * 300, "content-type": b"\xff"},
)
BODIES = (
    b"\x00",
    b"\xff\xfe",
    b"[" * 8_000,
    b'{"slip":' + b"9" * 5_000 + b"}",
    b'{"slip":"' + b"9" * 120 + b'"}',
    b'{"slip":"1.1.ev_x.vs_x.\\u0000","receipt":"\\ud800"}',
    b'{"slip":"\\ud800"}',
    b'{"code":"xc_\\u0000","binding":"\\u0000"}',
    b'{"holdId":"hd_' + b"9" * 900 + b'"}',
    b"do=join&do=%ff&x=%00",
    b"do=" + b"join" * 900,
)


def every_call(app):
    for route in app.routes:
        if isinstance(route, Route):
            for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
                if route.path != ENDLESS:
                    yield method, route.path
        assert isinstance(route, Route | Mount | WebSocketRoute)


def filled(path, value, event_id):
    """The path with `value` for its last parameter, and what fits for those before."""
    parts = path.split("{")
    head, tail = "{".join(parts[:-1]), parts[-1].partition("}")[2]
    return head.replace("{event_id}", event_id) + value + tail if len(parts) > 1 else path


def plain(path, event_id):
    for name in ("hold_id", "booking_id", "admission_id", "token", "path:path"):
        path = path.replace(f"{{{name}}}", "hd_" + "a" * 26)
    return path.replace("{event_id}", event_id)


@pytest.mark.parametrize("value", NASTY.values(), ids=NASTY)
async def test_no_id_and_no_query_breaks_a_route(node, fan, make_sale, value):
    event_id = await make_sale(mode="on")
    for method, path in every_call(node.app):
        for address in (filled(path, value, event_id), f"{plain(path, event_id)}?event={value}"):
            reply = await fan().request(method, address)
            assert reply.status_code < 500, (method, address)


@pytest.mark.parametrize("number", range(len(HEADERS)))
async def test_no_header_and_no_cookie_breaks_a_route(node, fan, make_sale, number):
    event_id = await make_sale(mode="on")
    for method, path in every_call(node.app):
        reply = await fan().request(method, plain(path, event_id), headers=HEADERS[number])
        assert reply.status_code < 500, (method, path)


@pytest.mark.parametrize("number", range(len(BODIES)))
async def test_no_body_breaks_a_route(node, fan, make_sale, number):
    event_id = await make_sale(mode="on")
    for method, path in every_call(node.app):
        if method != "GET":
            reply = await fan().request(
                method,
                plain(path, event_id),
                content=BODIES[number],
                headers={"idempotency-key": "k"},
            )
            assert reply.status_code < 500, (method, path)


PUBLIC_FOR_ALL = ("public", "no-cache")  # what may be kept is the same for everybody


async def test_nothing_that_is_for_one_fan_or_sets_a_cookie_may_be_kept_by_a_cache(
    node, fan, make_sale
):
    event_id = await make_sale(mode="auto", per_minute=60_000)
    client, operator = fan(), fan()
    await client.post(f"/events/{event_id}/queue", json={})
    operator.headers["authorization"] = "Bearer admin-token-of-the-tests"
    for method, path in every_call(node.app):
        if method != "GET" or path.endswith("/stream"):
            continue
        for who in (client, operator, fan()):
            reply = await who.get(plain(path, event_id), headers={"accept-language": "de"})
            kept = reply.headers.get("cache-control", "")
            if "set-cookie" in reply.headers or not kept.startswith(PUBLIC_FOR_ALL):
                assert kept in {"no-store", "no-cache"}, (path, reply.status_code, kept)
