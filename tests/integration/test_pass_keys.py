"""A rotation under live passes: every node follows within seconds, and nobody is dropped."""

import argparse
import asyncio

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet

from app import keys as keys_command
from tests.waiting import until
from waiting_room.passes.keyring import PassKeyStore


def client_of(node):
    transport = httpx.ASGITransport(app=node.app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://onsale.test")


async def published(client):
    return KeySet.import_key_set((await client.get("/.well-known/jwks.json")).json())


def header_kid(text, keys):
    return jwt.decode(text, keys, algorithms=["Ed25519"]).header["kid"]


async def test_a_rotation_reaches_all_nodes_and_passes_signed_before_stay_good(
    node, other_node, make_sale_on_both, db
):
    event_id = await make_sale_on_both(mode="auto")
    async with client_of(node) as fan, client_of(other_node) as elsewhere:
        old = (await fan.post(f"/events/{event_id}/queue", json={})).json()["pass"]
        before = await published(elsewhere)
        assert await PassKeyStore(db).rotate(1, ahead_ms=0) == 2

        async def signs_anew():
            renewed = (await fan.get(f"/events/{event_id}/queue")).json()["pass"]
            return header_kid(renewed, await published(fan)) != header_kid(old, before)

        await until(signs_anew)
        # The other node may not have read the rotation yet: it takes both passes all the same.
        new = (await fan.get(f"/events/{event_id}/queue")).json()["pass"]
        elsewhere.cookies.set("onsale_visitor", fan.cookies["onsale_visitor"])
        for text in (old, new):
            headers = {"authorization": f"Bearer {text}"}
            reply = await elsewhere.get(f"/events/{event_id}/holds/mine", headers=headers)
            assert reply.json()["code"] == "no_hold"  # and not pass_invalid

        async def both_are_published_elsewhere():
            return len((await published(elsewhere)).keys) == len(before.keys) + 1

        await until(both_are_published_elsewhere)
        after = await published(elsewhere)
        assert jwt.decode(old, after, algorithms=["Ed25519"]).claims["aud"] == event_id
        assert jwt.decode(new, after, algorithms=["Ed25519"]).claims["aud"] == event_id


async def test_two_who_rotate_at_once_rotate_once(db):
    store = PassKeyStore(db)
    made = await asyncio.gather(*(store.rotate(1, ahead_ms=0) for _ in range(5)))
    assert sorted(made, key=str) == [2, None, None, None, None]


async def test_a_key_that_does_not_sign_yet_is_not_followed_by_another(db):
    store = PassKeyStore(db)
    assert await store.rotate(1) == 2
    assert await store.rotate(2) is None


async def test_the_command_publishes_the_next_key_and_says_from_when_it_signs(
    db, database_url, capsys
):
    for _ in range(2):
        await keys_command.run(argparse.Namespace(verb="rotate"), database_url)
    said = capsys.readouterr().out
    assert "key 2 signs from" in said
    assert "key 2 is published already" in said
    assert [key.number for key in await PassKeyStore(db).all()] == [1, 2]
