"""Pages as a browser without scripts gets them: languages, the queue by forms, static files."""

from __future__ import annotations

import gzip
import html
import re

import pytest

from app.pages.assets import assets
from tests.operators import BEARER
from tests.waiting import until

FIRST_LOAD_BYTES = 14 * 1024
HTML = {"accept": "text/html"}
GERMAN = HTML | {"accept-language": "de-DE,de;q=0.9,en;q=0.5"}


def shown(reply) -> str:
    """What a page shows: its text without what is hidden and without its scripts."""
    text = re.sub(r"<head>.*?</head>|<script.*?</script>", "", reply.text, flags=re.DOTALL)
    text = re.sub(r'<section class="state"[^>]*hidden>.*?</section>', "", text, flags=re.DOTALL)
    text = re.sub(r"<(p|button|details)[^>]* hidden>.*?</\1>", "", text, flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


async def test_a_page_speaks_the_browsers_language_and_says_so_to_caches(fan, make_sale):
    event_id = await make_sale(mode="on")
    reply = await fan().get(f"/e/{event_id}", headers=GERMAN)
    assert '<html lang="de" dir="ltr">' in reply.text
    assert "10 €" in shown(reply).replace("\xa0", " ")
    assert reply.headers["content-language"] == "de"
    assert {"Accept-Language", "Cookie"} <= set(reply.headers["vary"].split(", "))
    assert "no-store" in reply.headers["cache-control"]


async def test_a_language_chosen_by_hand_stays_and_leads_back_to_the_page(fan, make_sale):
    event_id, client = await make_sale(mode="on"), fan()
    asked = {"to": "en", "back": f"/e/{event_id}?from=poster"}
    reply = await client.post("/language", data=asked, headers=GERMAN)
    assert (reply.status_code, reply.headers["location"]) == (303, f"/e/{event_id}?from=poster")
    reply = await client.get(f"/e/{event_id}", headers=GERMAN)
    assert '<html lang="en-GB" dir="ltr">' in reply.text
    assert 'lang="de">Deutsch</button>' in reply.text


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example", "", "/a\r\nx: y", "e/x"]
)
async def test_the_form_of_languages_leads_nowhere_else(fan, back):
    reply = await fan().post("/language", data={"to": "xx", "back": back})
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    assert "set-cookie" not in reply.headers


async def test_from_right_to_left(fan):
    reply = await fan().get("/", headers=HTML | {"accept-language": "ar-XB"})
    assert '<html lang="ar-XB" dir="rtl">' in reply.text


async def test_the_console_speaks_the_operators_language(fan, make_sale):
    event_id, client = await make_sale(mode="on"), fan()
    page = await client.get("/console", headers=GERMAN | BEARER)
    assert page.status_code == 200
    assert '<html lang="de" dir="ltr">' in page.text
    assert "Tempo setzen" in page.text
    here = f"/console?event={event_id}"
    switched = await client.post("/language", data={"to": "en", "back": here})
    assert switched.headers["location"] == here
    page = await client.get(here, headers=GERMAN | BEARER)
    assert (page.headers["content-language"], "Set the pace" in page.text) == ("en-GB", True)


async def test_an_error_is_told_in_the_callers_language(fan, make_sale):
    event_id = await make_sale(mode="on", opens_in_s=600, draw=False)
    api = {"accept-language": "de"}
    reply = await fan().post(f"/events/{event_id}/queue", json={}, headers=api)
    problem = reply.json()
    assert (reply.status_code, problem["code"]) == (409, "not_open")
    assert problem["title"].startswith("Der Verkauf hat noch nicht begonnen.")
    assert problem["opensAt"] > problem.get("now", 0)
    assert reply.headers["content-language"] == "de"
    page = await fan().get("/e/ev_nothing", headers=GERMAN)
    assert (page.status_code, "Hier ist nichts" in page.text) == (404, True)


async def test_a_refusal_of_a_form_is_a_page_with_its_reason(fan, make_sale):
    event_id = await make_sale(mode="on")
    reply = await fan().post(f"/e/{event_id}/queue", content=b"x" * 5000, headers=HTML)
    assert reply.status_code == 413
    assert "The request body is longer than this address takes." in shown(reply)


async def test_without_scripts_a_fan_joins_waits_and_leaves_by_forms(fan, make_sale):
    event_id = await make_sale(mode="on", max_active=0)
    queue, ahead, client = f"/e/{event_id}/queue", fan(), fan()
    await ahead.post(f"/events/{event_id}/queue", json={})
    assert "Join the queue" in shown(await client.get(queue))
    reply = await client.post(queue, data={"do": "join"})
    assert (reply.status_code, reply.headers["location"]) == (303, queue)
    page = await client.get(queue)
    assert "Your place in the queue 2nd" in shown(page)
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page.text
    assert "Yes, leave" in shown(page)
    await client.post(queue, data={"do": "leave"})
    assert "Join the queue" in shown(await client.get(queue))


async def test_without_scripts_a_called_fan_accepts_by_a_form(fan, make_sale):
    event_id = await make_sale(mode="on")
    queue, client = f"/e/{event_id}/queue", fan()
    await client.post(queue, data={"do": "join"})
    page = await until(lambda: client.get(queue), lambda page: "Your turn" in shown(page))
    assert "Accept and choose seats" in shown(page)
    reply = await client.post(queue, data={"do": "accept"})
    assert reply.headers["location"] == f"/e/{event_id}/seats"
    reply = await client.get(queue)
    assert (reply.status_code, reply.headers["location"]) == (303, f"/e/{event_id}/seats")


async def test_a_form_that_comes_too_early_or_too_late_shows_how_things_stand(fan, make_sale):
    event_id, early = (
        await make_sale(mode="on"),
        await make_sale(mode="on", opens_in_s=650, draw=False),
    )
    for event, do in ((event_id, "accept"), (early, "join")):
        reply = await fan().post(f"/e/{event}/queue", data={"do": do})
        assert (reply.status_code, reply.headers["location"]) == (303, f"/e/{event}/queue")
    assert "Opens in 10:" in shown(await fan().get(f"/e/{early}/queue"))


async def test_without_scripts_a_fan_takes_part_in_the_draw(fan, make_sale):
    event_id, client = await make_sale(mode="on", opens_in_s=600), fan()
    queue = f"/e/{event_id}/queue"
    assert "Go into the lobby" in shown(await client.get(queue))
    await client.post(queue, data={"do": "join"})
    page = await client.get(queue)
    assert re.search(r"The draw is in \d\d:\d\d ", shown(page))
    assert f'href="/e/{event_id}/draw"' in page.text
    page = await client.get(f"/e/{event_id}/draw")
    entry = (await client.get(f"/events/{event_id}/queue")).json()["entryId"]
    for words in (entry, "Your entry", "anybody can compute the order again"):
        assert words in shown(page)


async def test_a_form_on_another_site_can_not_act_for_a_fan(fan, make_sale):
    event_id = await make_sale(mode="on")
    elsewhere = {"origin": "https://evil.example"}
    reply = await fan().post(f"/e/{event_id}/queue", data={"do": "join"}, headers=elsewhere)
    assert (reply.status_code, reply.json()["code"]) == (403, "bad_origin")


async def test_the_page_comes_while_the_room_does_not_answer_and_asks_again(fan, make_sale, redis):
    event_id, client = await make_sale(mode="on"), fan()
    await client.post(f"/e/{event_id}/queue", data={"do": "join"})
    await redis.client_pause(2_500)
    page = await client.get(f"/e/{event_id}/queue")
    assert page.status_code == 200
    assert "Finding your place" in shown(page)
    assert 'content="3"' in page.text


async def test_a_page_holds_no_secret_since_it_is_compressed(fan, make_sale):
    event_id, client = await make_sale(mode="on", max_active=0), fan()
    slip = (await client.post(f"/events/{event_id}/queue", json={})).json()["slip"]
    page = await client.get(f"/e/{event_id}/queue")
    assert page.headers["content-encoding"] == "gzip"
    assert '"state":"waiting"' in page.text.replace(" ", "")
    assert slip not in page.text


async def test_static_files_are_compressed_and_kept_for_ever_under_their_version(fan):
    client, files = fan(), assets()
    versioned = await client.get(f"{files.url}/js/queue.js")
    assert versioned.headers["content-encoding"] == "gzip"
    assert versioned.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert versioned.headers["content-type"].startswith("text/javascript")
    plain = await client.get("/static/js/queue.js", headers={"accept-encoding": "identity"})
    assert plain.text == versioned.text
    assert "content-encoding" not in plain.headers
    assert plain.headers["cache-control"] == "no-cache"
    known = {"if-none-match": plain.headers["etag"]}
    assert (await client.get("/static/js/queue.js", headers=known)).status_code == 304
    for nothing in ("js/nothing.js", "../app/cli.py", "%2e%2e/app/cli.py", "old/js/queue.js"):
        assert (await client.get(f"/static/{nothing}")).status_code == 404


@pytest.mark.parametrize("opens_in_s", [-60, 600], ids=["waiting", "lobby"])
@pytest.mark.parametrize("language", ["en", "de"])
async def test_the_first_load_of_the_queue_page_fits_into_14_kilobytes(
    fan, make_sale, language, opens_in_s
):
    """HTML, CSS and JavaScript together, as they go over the wire: ten packets of a new line."""
    event_id = await make_sale(mode="on", max_active=0, opens_in_s=opens_in_s)
    client = fan()
    await client.post(f"/e/{event_id}/queue", data={"do": "join"})
    headers = HTML | {"accept-language": language, "accept-encoding": "gzip"}
    async with client.stream("GET", f"/e/{event_id}/queue", headers=headers) as reply:
        page = b"".join([chunk async for chunk in reply.aiter_raw()])
    text = gzip.decompress(page).decode()
    files = set(re.findall(r'(?:href|src)="(/static/[^"]+\.(?:css|js))"', text))
    modules = assets().modules_of("js/queue.js")
    assert {f"{assets().url}/{name}" for name in modules} <= files, "a script is found late"
    sizes = {"page": len(page)}
    for file in sorted(files):
        async with client.stream("GET", file, headers=headers) as reply:
            sizes[file] = sum([len(chunk) async for chunk in reply.aiter_raw()])
    assert sum(sizes.values()) <= FIRST_LOAD_BYTES, sizes
