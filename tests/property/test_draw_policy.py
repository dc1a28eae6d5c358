"""Laws of the draw, and that the verifier, written apart from it, finds the same."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from core.ids import new_id
from waiting_room.draw import verify_draw
from waiting_room.draw.model import entry_ids, parts_of, root_of_part
from waiting_room.draw.policy import (
    CHUNK,
    drawn_from,
    leaf_hash,
    merkle_root,
    order,
    path_of,
    places_of,
    proof,
    root_of,
    sorted_once,
)
from waiting_room.draw.verify_draw import root_of_proof

BYTES32 = st.binary(min_size=32, max_size=32)
ENTRIES = st.integers(0, 70).map(lambda n: sorted(new_id("en").encode() for _ in range(n)))
SOME = ENTRIES.filter(len)


def root_from_above(leaves):
    """RFC 6962, section 2.1, to the letter: what `root_of` computes from below."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    left, right = root_from_above(leaves[:split]), root_from_above(leaves[split:])
    return sha256(b"\1" + left + right).digest()


@given(ENTRIES)
def test_the_root_is_that_of_rfc_6962_and_of_the_verifier(entries):
    leaves = [leaf_hash(entry) for entry in entries]
    assert merkle_root(entries) == root_from_above(leaves) == verify_draw.merkle_root(entries)


@given(SOME, st.data())
def test_every_proof_leads_to_the_root_and_no_altered_one_does(entries, data):
    leaves, root = [leaf_hash(entry) for entry in entries], merkle_root(entries)
    index = data.draw(st.integers(0, len(entries) - 1))
    path, length = path_of(leaves, index), len(entries)
    assert root_of_proof(leaves[index], index, length, path) == root
    other = data.draw(BYTES32)
    assert root_of_proof(other, index, length, path) != root
    for at in range(len(path)):
        assert root_of_proof(leaves[index], index, length, path[:at] + path[at + 1 :]) != root
        altered = [*path[:at], other, *path[at + 1 :]]
        assert root_of_proof(leaves[index], index, length, altered) != root
    assert root_of_proof(leaves[index], index, length, [*path, other]) != root
    for elsewhere in {-1, length} | set(range(length)) - {index}:
        assert root_of_proof(leaves[index], elsewhere, length, path) != root


def test_a_proof_across_chunks_is_that_of_the_whole_list():
    lines = [b"en_%026d:1 vs_%d" % (n, n) for n in range(2 * CHUNK + 5)]
    entries, roots = entry_ids(lines), [root_of_part(part) for part in parts_of(lines)]
    leaves = [leaf_hash(entry) for entry in entries]
    assert root_of(roots) == merkle_root(entries)
    for index in (0, 1, CHUNK - 1, CHUNK, 2 * CHUNK, 2 * CHUNK + 4):
        part = leaves[index // CHUNK * CHUNK : (index // CHUNK + 1) * CHUNK]
        assert proof(part, roots, index) == path_of(leaves, index)


@given(ENTRIES, BYTES32, st.binary(max_size=64), BYTES32)
def test_the_order_is_a_permutation_and_the_verifiers(entries, seed, beacon, root):
    order_of_all = order(seed, beacon, root, entries)
    drawn = order_of_all.tolist()
    assert sorted(drawn) == list(range(len(entries)))
    assert drawn == verify_draw.drawn_order(seed, beacon, root, entries)
    keys = [sha256(seed + beacon + root + entries[index]).digest() for index in drawn]
    assert keys == sorted(keys)
    places = places_of(order_of_all)
    assert [drawn[place - 1] for place in places] == list(range(len(entries)))
    assert drawn_from(places).tolist() == drawn


@given(st.sampled_from(["seed", "beacon", "root"]), BYTES32, BYTES32)
def test_the_order_depends_on_each_input(which, one, other):
    entries = sorted(new_id("en").encode() for _ in range(64))
    given_all = {"seed": one, "beacon": one, "root": one}
    drawn = order(*given_all.values(), entries).tolist()
    changed = order(*(given_all | {which: other}).values(), entries).tolist()
    assert (drawn == changed) == (one == other)  # 64! orders: by chance alike never


@given(st.lists(st.binary(min_size=1, max_size=4)))
def test_sorting_in_parts_is_sorting_and_what_was_read_twice_is_listed_once(texts):
    alike = [b"en_" + text for text in texts]
    assert sorted_once(alike, at=3) == sorted(set(alike))
