"""G1: every route behind the gate refuses without a live admission. G2: unsure is a 503.

The walk takes the routes from the application itself: a new route that is on no list fails.
"""

import pytest
from starlette.routing import Mount, Route, WebSocketRoute

from app.routes import BY_PASS, GATED, OWN

STALL_MS = 2_500  # longer than a node waits for an answer
PUBLIC = {
    *("/health/live", "/health/ready", "/health/dependencies", "/metrics"),
    *("/events/search", "/events/{event_id}", "/.well-known/jwks.json", "/openapi.json"),
    *("/events/{event_id}/queue", "/events/{event_id}/queue/accept"),
    "/events/{event_id}/queue/status.json",
    *("/events/{event_id}/queue/leave", "/events/{event_id}/queue/socket"),
    *(f"/events/{{event_id}}/queue/draw{part}" for part in ("", "/entries", "/places", "/proof")),
    "/verify_draw.py",
    *("/events/{event_id}/queue/return", "/admissions/exchange"),
    *("/events/{event_id}/plan", "/events/{event_id}/seats"),
    *(
        "/",
        "/e/{event_id}",
        "/e/{event_id}/queue",
        "/e/{event_id}/queue/return",
        "/e/{event_id}/seats",
        "/e/{event_id}/draw",
    ),
    *("/console/enter/{token}", "/console/leave", "/language", "/static/{path:path}"),
}
OWN_PAGES = {
    *("/orders/{booking_id}", "/orders/{booking_id}/calendar.ics"),
    "/e/{event_id}/draw/receipt.txt",
}
OPERATORS = {"/console"}


def every_call(node):
    for route in node.app.routes:
        if isinstance(route, Mount | WebSocketRoute):
            yield "GET", route.path
            continue
        assert isinstance(route, Route)
        for method in (route.methods or {"GET"}) - {"HEAD"}:
            yield method, route.path


async def test_every_route_is_on_exactly_one_list(node):
    calls = set(every_call(node))
    assert calls >= GATED | OWN | BY_PASS
    for method, path in calls - GATED - OWN - BY_PASS:
        operators = path in OPERATORS or path.startswith("/admin/")
        assert (path in PUBLIC) + (path in OWN_PAGES) + operators == 1, (method, path)


def address(path, event_id):
    filled = path.replace("{hold_id}", "hd_" + "a" * 26).replace("{booking_id}", "bk_" + "a" * 26)
    return filled.replace("{event_id}", event_id)


@pytest.mark.parametrize(("method", "path"), sorted(GATED))
async def test_without_an_admission_the_gate_is_closed(method, path, fan, make_sale):
    event_id = await make_sale(mode="on", max_active=0)
    client = fan()
    await client.post(f"/events/{event_id}/queue", json={})
    reply = await client.request(method, address(path, event_id))
    assert (reply.status_code, reply.json()["code"]) == (403, "not_admitted")


@pytest.mark.parametrize(("method", "path"), sorted(GATED))
async def test_a_good_pass_of_an_admission_that_ended_opens_nothing(method, path, fan, make_sale):
    event_id = await make_sale(mode="auto")
    client = fan()
    mine = (await client.post(f"/events/{event_id}/queue", json={})).json()["pass"]
    await client.post(f"/events/{event_id}/queue/leave", json={})
    headers = {"authorization": f"Bearer {mine}"}
    reply = await client.request(method, address(path, event_id), headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (403, "pass_used")


@pytest.mark.parametrize(("method", "path"), sorted(GATED))
async def test_when_the_check_cannot_be_made_the_answer_is_503(method, path, fan, make_sale, redis):
    event_id = await make_sale(mode="auto")
    client = fan()
    joined = await client.post(f"/events/{event_id}/queue", json={})
    assert joined.json()["state"] == "admitted"
    await redis.client_pause(STALL_MS)
    reply = await client.request(method, address(path, event_id))
    assert reply.status_code == 503
    assert int(reply.headers["retry-after"]) > 0


@pytest.mark.parametrize("path", ["/admin/events/{event_id}/admission", "/console"])
async def test_operators_pages_refuse_everybody_else(path, fan, make_sale):
    event_id = await make_sale()
    for headers in ({}, {"authorization": "Bearer guess"}):
        reply = await fan().get(address(path, event_id), headers=headers)
        assert reply.status_code == 401


@pytest.mark.parametrize(("method", "path"), sorted(GATED | {("POST", "/events/{event_id}/queue")}))
async def test_an_event_that_does_not_exist_is_not_found_or_not_admitted(method, path, fan):
    for made_up in ("ev_nothing", "nothing"):
        reply = await fan().request(method, address(path, made_up))
        assert reply.status_code in {403, 404}
