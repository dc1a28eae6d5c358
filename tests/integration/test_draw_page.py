"""The page of the draw: receipt and proof without a terminal, and what they show, in words."""

import re

import pytest

from tests.integration.test_draw import until
from tests.integration.test_draw_api import drawn, get, open_now
from tests.integration.test_pages_web import HTML, shown
from tests.operators import BEARER
from waiting_room.draw import verify_draw


@pytest.fixture
async def lobby(make_sale):
    return await make_sale(mode="on", max_active=0, opens_in_s=3600)


async def joined_by_form(client, event_id):
    """As a fan without scripts: by the form, and then the page."""
    await client.post(f"/e/{event_id}/queue", data={"do": "join"})
    await client.get(f"/e/{event_id}/queue")
    return (await get(client, f"/events/{event_id}/queue"))["entryId"]


async def read(client, event_id, query="", language="en"):
    path = f"/e/{event_id}/draw{query}"
    return await client.get(path, headers=HTML | {"accept-language": language})


async def test_a_fan_without_scripts_saves_all_files_from_the_page_and_they_fit_together(
    fan, lobby, tmp_path, capsys
):
    client = fan()
    entry = await joined_by_form(client, lobby)
    for _ in range(3):
        await joined_by_form(fan(), lobby)
    before = await read(client, lobby)
    assert entry in shown(before)
    assert "The proof is here once the list is fixed" in shown(before)
    await open_now(client, lobby)
    await drawn(client, lobby)
    page = await read(client, lobby)
    place = (await get(client, f"/events/{lobby}/queue"))["place"]
    assert f"It drew place {place}. There were 4 entries." in shown(page)
    links = re.findall(r'<a [^>]*href="([^"]+)" download="([^"]+)"', page.text)
    assert len(links) == 7  # the seven files that the command on the page names, with the program
    for address, name in links:
        reply = await client.get(address)
        assert reply.status_code == 200
        (tmp_path / name).write_bytes(reply.content)
    _, program, *names = re.search(r"python verify_draw\.py[^<]*", page.text)[0].split()
    assert {program, *names} == {name for _, name in links}
    assert verify_draw.main([str(tmp_path / name) for name in names]) == 0
    assert "signed by the operator's key" in capsys.readouterr().out


async def test_a_fan_with_scripts_has_the_receipt_there_too(fan, lobby):
    client = fan()
    said = await client.post(f"/events/{lobby}/queue", json={})
    kept = said.headers.get_list("set-cookie")
    [receipt] = [cookie for cookie in kept if cookie.startswith(f"onsale_receipt_{lobby}=")]
    assert "HttpOnly" in receipt
    assert len(receipt) < 200, "every call carries it"
    assert said.json()["entryId"] in shown(await read(client, lobby))
    saved = await client.get(f"/e/{lobby}/draw/receipt.txt")
    assert saved.text == said.json()["receipt"]
    assert "attachment" in saved.headers["content-disposition"]


async def test_the_receipt_of_another_fan_is_nobodys_and_a_typed_entry_is_looked_up(fan, lobby):
    mine, other = fan(), fan()
    entry, thirds = await joined_by_form(mine, lobby), await joined_by_form(fan(), lobby)
    await other.get(f"/e/{lobby}/queue")  # a visitor, who has joined nothing
    name = f"onsale_receipt_{lobby}"
    other.cookies.set(name, mine.cookies[name])
    assert "This browser has no entry" in shown(await read(other, lobby))
    assert (await other.get(f"/e/{lobby}/draw/receipt.txt")).status_code == 404
    await open_now(mine, lobby)
    await drawn(mine, lobby)
    page = await read(other, lobby, f"?entry={entry}")
    assert re.search(r"It drew place [12]\.", shown(page))
    assert "Save the proof" in shown(page)
    assert "Save the receipt" not in shown(page)
    assert "Save the receipt" in shown(await read(mine, lobby))
    assert "Save the receipt" not in shown(await read(mine, lobby, f"?entry={thirds}"))
    for made_up in ("en_" + "a" * 26, "en_1", "<script>"):
        page = await read(other, lobby, f"?entry={made_up}")
        assert "This entry is not in the list" in shown(page)
        assert "<script>" not in page.text


async def test_what_it_does_not_show_depends_on_a_public_number_and_is_said_in_three_sentences(
    fan, lobby
):
    client, beacon = fan(), f"/admin/events/{lobby}/draw/beacon"
    await joined_by_form(client, lobby)
    steered = "could have added entries until the outcome pleased"
    assert steered in shown(await read(client, lobby))
    assert "hätte Lose hinzufügen können" in shown(await read(client, lobby, language="de"))
    await client.post(beacon, json={"name": "round 7"}, headers=BEARER)
    page = shown(await read(client, lobby))
    assert "so nobody can steer it" in page
    assert steered not in page
    await open_now(client, lobby)
    path = f"/events/{lobby}/queue/draw"
    await until(lambda: get(client, path), lambda said: said["state"] == "fixed")
    assert "waits for the public number round 7" in shown(await read(client, lobby))
    await client.post(beacon, json={"giveUp": True}, headers=BEARER)
    await drawn(client, lobby)
    page = shown(await read(client, lobby))
    assert "round 7 was named and then given up" in page
    assert steered in page


async def test_a_sale_without_a_lobby_says_that_places_come_in_order_of_arrival(fan, make_sale):
    client, event_id = fan(), await make_sale(mode="on", max_active=0)
    await client.post(f"/e/{event_id}/queue", data={"do": "join"})
    assert "/draw" not in (await client.get(f"/e/{event_id}/queue")).text
    page = shown(await read(client, event_id))
    assert "places come in the order of arrival" in page
    assert "How to check it yourself" not in page
    assert (await read(client, "ev_nothing")).status_code == 404
