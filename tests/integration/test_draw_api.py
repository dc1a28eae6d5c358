"""What is published of a draw, and what the verifier says of it: the whole way over HTTP."""

import asyncio
import gzip
import sys
from hashlib import sha256

import orjson
import pytest

from tests.operators import BEARER
from tests.waiting import until
from waiting_room.draw import verify_draw

FANS = 9  # so that two draws hardly ever give one order


async def get(client, path):
    return (await client.get(path)).json()


@pytest.fixture
async def sale(make_sale, fan):
    """(event id, the receipts of those in its lobby): it opens when `open_now` says so."""
    event_id = await make_sale(mode="on", max_active=0, opens_in_s=3600)
    joined = [(await fan().post(f"/events/{event_id}/queue", json={})).json() for _ in range(FANS)]
    return event_id, [(said["entryId"], said["receipt"]) for said in joined]


async def open_now(client, event_id):
    path = f"/admin/events/{event_id}/admission"
    room = await client.get(path, headers=BEARER)
    headers = {**BEARER, "if-match": room.headers["etag"]}
    assert (await client.patch(path, json={"opensAt": 1}, headers=headers)).status_code == 200


async def drawn(client, event_id):
    path = f"/events/{event_id}/queue/draw"
    return await until(lambda: get(client, path), lambda said: said["state"] == "drawn")


@pytest.fixture
async def published(sale, fan, tmp_path):
    """The draw's documents as files, after it was drawn."""
    event_id, receipts = sale
    client = fan()
    await open_now(client, event_id)
    path = f"/events/{event_id}/queue/draw"
    await drawn(client, event_id)
    entry_id, receipt = receipts[0]
    saved = {
        "draw.json": (await client.get(path)).content,
        "entries.txt": (await client.get(f"{path}/entries")).content,
        "places.txt": (await client.get(f"{path}/places")).content,
        "proof.json": (await client.get(f"{path}/proof", params={"entry": entry_id})).content,
        "jwks.json": (await client.get("/.well-known/jwks.json")).content,
        "receipt.txt": receipt.encode(),
    }
    for name, content in saved.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def verdict(folder, capsys, *names):
    files = names or ("draw.json", "entries.txt", "places.txt", "proof.json", "receipt.txt")
    if not names:
        files += ("jwks.json",)
    code = verify_draw.main([str(folder / name) for name in files])
    return code, capsys.readouterr().out


def changed(folder, name, change):
    path = folder / name
    path.write_bytes(change(path.read_bytes()))


def json_with(**values):
    return lambda data: orjson.dumps(orjson.loads(data) | values)


async def test_commitment_first_then_list_then_seed(sale, fan):
    event_id, receipts = sale
    client, path = fan(), f"/events/{event_id}/queue/draw"
    before = await get(client, path)
    assert (before["state"], before["root"], before["seed"]) == ("open", None, None)
    for part in ("/entries", "/places", f"/proof?entry={receipts[0][0]}"):
        refused = await client.get(f"{path}{part}")
        assert (refused.status_code, refused.json()["code"]) == (409, "not_drawn")
    await open_now(client, event_id)
    after = await drawn(client, event_id)
    assert after["commitment"] == before["commitment"]
    assert sha256(bytes.fromhex(after["seed"])).hexdigest() == before["commitment"]
    assert (after["entries"], after["firstPlace"]) == (FANS, 1)
    listed = (await client.get(f"{path}/entries")).text.split()
    assert listed == sorted(entry_id for entry_id, _ in receipts)


async def test_the_long_lists_are_cacheable_for_ever_and_packed_for_who_takes_it(sale, fan):
    event_id, _ = sale
    client, path = fan(), f"/events/{event_id}/queue/draw/entries"
    await open_now(client, event_id)
    await drawn(client, event_id)
    plain = await client.get(path, headers={"accept-encoding": "identity"})
    packed = await client.get(path, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert "immutable" in plain.headers["cache-control"]
    again = await client.get(path, headers={"if-none-match": plain.headers["etag"]})
    assert again.status_code == 304


async def test_no_event_no_draw_and_no_entry_no_proof(sale, fan):
    event_id, _ = sale
    client = fan()
    for part in ("", "/entries", "/places", "/proof?entry=en_" + "a" * 26):
        assert (await client.get(f"/events/ev_nothing/queue/draw{part}")).status_code == 404
    await open_now(client, event_id)
    await drawn(client, event_id)
    path = f"/events/{event_id}/queue/draw/proof"
    assert (await client.get(path, params={"entry": "en_" + "a" * 26})).status_code == 404
    assert (await client.get(path, params={"entry": "x"})).status_code == 422


async def test_an_operator_names_the_beacon_and_gives_it_in_its_time(sale, fan):
    event_id, _ = sale
    client, path = fan(), f"/admin/events/{event_id}/draw/beacon"

    async def post(body, headers=BEARER):
        reply = await client.post(path, json=body, headers=headers)
        return reply.status_code, reply.json()

    assert (await post({"name": "round 7"}, headers={}))[0] == 401
    assert (await post({}))[0] == 422
    assert (await post({"name": "round 7", "value": "00" * 8}))[0] == 422
    assert (await post({"value": "xyz"}))[0] == 422
    status, refused = await post({"value": "ab" * 32})
    assert (status, refused["code"]) == (409, "beacon_refused")
    status, said = await post({"name": "round 7"})
    assert said["beacon"] == {"name": "round 7", "value": None, "givenUp": False}
    await open_now(client, event_id)
    draw = f"/events/{event_id}/queue/draw"
    await until(lambda: get(client, draw), lambda said: said["state"] == "fixed")
    assert (await post({"name": "another"}))[1]["code"] == "beacon_refused"
    assert (await post({"value": "AB" * 32}))[0] == 200
    assert (await drawn(client, event_id))["beacon"]["value"] == "ab" * 32
    audit = (await client.get(f"/admin/events/{event_id}/audit", headers=BEARER)).json()
    assert [row["after"] for row in audit if row["action"] == "beacon changed"] == [
        {"value": "AB" * 32},
        {"name": "round 7"},
    ]


async def test_the_verifier_agrees_with_an_honest_draw(published, capsys):
    code, said = verdict(published, capsys)
    assert (code, "WRONG" in said) == (0, False), said
    assert "signed by the operator's key" in said
    assert "could have steered the outcome" in said


async def test_the_program_is_served_and_runs_alone(published, fan, tmp_path):
    program = tmp_path / "alone" / "verify_draw.py"
    program.parent.mkdir()
    program.write_bytes((await fan().get("/verify_draw.py")).content)
    sources = [str(published / name) for name in ("draw.json", "entries.txt", "receipt.txt")]
    ran = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(program), *sources),
        cwd=program.parent,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await ran.communicate()
    assert (ran.returncode, b"fits together" in said) == (0, True), said


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("draw.json", json_with(seed="00" * 32), "not the one that was committed to"),
        ("entries.txt", lambda text: text + b"en_zzzzzzzz\n", "1 entries more"),
        ("entries.txt", lambda text: text.split(b"\n", 1)[1], "1 entries fewer"),
        ("entries.txt", lambda text: text.replace(b"en_", b"en_a", 1), "one was added, left out"),
        ("entries.txt", lambda text: b"\n".join(text.split()[::-1]), "not sorted"),
        ("places.txt", lambda text: b"\n".join(text.split()[::-1]), "not those that were drawn"),
        ("proof.json", json_with(leaf="00" * 32), "proof does not show"),
        ("proof.json", json_with(path=[]), "proof does not show"),
        ("proof.json", json_with(place=FANS + 1), f"the proof says {FANS + 1}"),
        ("receipt.txt", lambda text: text[:-20] + b"A" * 20, "not signed by the operator's key"),
        ("draw.json", json_with(eventId="ev_other"), "of another sale"),
    ],
)
async def test_whatever_was_changed_is_found(published, capsys, name, change, says):
    changed(published, name, change)
    code, said = verdict(published, capsys)
    assert code == 1
    assert says in said, said


async def test_a_signed_receipt_that_was_left_out_convicts(published, capsys):
    """The list, its root and its order are consistent: only the receipt tells."""
    entry_id = orjson.loads((published / "proof.json").read_bytes())["entryId"]
    kept = [e for e in (published / "entries.txt").read_bytes().split() if e != entry_id.encode()]
    (published / "entries.txt").write_bytes(b"\n".join(kept))
    root = verify_draw.merkle_root(kept).hex()
    changed(published, "draw.json", json_with(root=root, entries=len(kept)))
    code, said = verdict(published, capsys, "draw.json", "entries.txt", "receipt.txt", "jwks.json")
    assert code == 1
    assert "The operator signed for it and left it out" in said


async def test_files_may_be_packed_and_what_is_missing_is_said(published, capsys):
    changed(published, "entries.txt", gzip.compress)
    code, said = verdict(published, capsys, "draw.json", "entries.txt")
    assert code == 0
    assert "computed, not compared" in said
    code, said = verdict(published, capsys, "entries.txt")
    assert (code, "draw itself is missing" in said) == (2, True)
    code, said = verdict(published, capsys, "nothing.txt")
    assert code == 2
    changed(published, "draw.json", json_with(root=None, seed=None))
    assert verdict(published, capsys, "draw.json")[0] == 2


async def test_a_beacon_is_named_for_comparison_and_one_given_up_is_held_against(published, capsys):
    beacon = {"name": "round 7", "value": None, "givenUp": True}
    changed(published, "draw.json", json_with(beacon=beacon))
    code, said = verdict(published, capsys)
    assert code == 0
    assert "named and then given up" in said
    changed(published, "draw.json", json_with(beacon=beacon | {"value": "aa", "givenUp": False}))
    code, said = verdict(published, capsys)
    assert code == 1  # the order is another then
