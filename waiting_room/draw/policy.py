"""The draw's rules: pure. docs/draw.md explains them to fans, verify_draw.py checks them alone.

The list is every entry id of the lobby, as ASCII, sorted. Its *root* is the Merkle tree hash of
RFC 6962, section 2.1: a leaf is hashed behind a byte 0 and two nodes behind a byte 1, so that no
node can pass for a leaf, and a list of n entries splits at the largest power of two below n.
The order sorts the entries by SHA-256(seed ‖ beacon ‖ root ‖ entry id). Seed, root and entry id
have fixed lengths, so no two quadruples give the same bytes.

Why this is fair: the seed is committed to before anybody joins and the root is published before
the beacon exists, so neither can be chosen to fit the other. Without a beacon the operator, who
knows the seed, could add entries until the order pleases; nothing here can show that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

ALGORITHM = "onsale-draw-1"
CHUNK = 2048  # entries of a stored chunk: a power of two, so that each is a whole subtree
LAY_CHUNK = 2000  # places that one script lays

EMPTY_ROOT = sha256(b"").digest()


def commitment(seed: bytes) -> bytes:
    return sha256(seed).digest()


def leaf_hash(entry_id: str) -> bytes:
    return sha256(b"\0" + entry_id.encode("ascii")).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def root_of(nodes: Sequence[bytes]) -> bytes:
    """The root above nodes of one level, all but the last of which are whole subtrees.

    Level by level from below, an odd last node moving up as it is: the same tree as RFC 6962's
    recursion from above.
    """
    if not nodes:
        return EMPTY_ROOT
    while len(nodes) > 1:
        nodes = _level_above(nodes)
    return nodes[0]


def merkle_root(entry_ids: Iterable[str]) -> bytes:
    return root_of([leaf_hash(entry_id) for entry_id in entry_ids])


def path_of(nodes: Sequence[bytes], index: int) -> list[bytes]:
    """The siblings from `nodes[index]` up to the root: an inclusion proof of RFC 6962."""
    path = []
    while len(nodes) > 1:
        sibling = index ^ 1
        if sibling < len(nodes):
            path.append(nodes[sibling])
        nodes, index = _level_above(nodes), index // 2
    return path


def proof(leaves: Sequence[bytes], chunk_roots: Sequence[bytes], index: int) -> list[bytes]:
    """The path of entry `index`, from the leaves of its own chunk and the roots of all."""
    return path_of(leaves, index % CHUNK) + path_of(chunk_roots, index // CHUNK)


def root_by_path(leaf: bytes, index: int, entries: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a proof leads to; None when it can't belong to a list of that length."""
    if not 0 <= index < entries:
        return None
    node, last, rest = leaf, entries - 1, list(path)
    while last:
        if index % 2 or index < last:  # else this node has no sibling and moves up as it is
            if not rest:
                return None
            sibling = rest.pop(0)
            node = node_hash(sibling, node) if index % 2 else node_hash(node, sibling)
        index, last = index // 2, last // 2
    return None if rest else node


def order(seed: bytes, beacon: bytes, root: bytes, entry_ids: Sequence[str]) -> list[int]:
    """Indexes into the list, the first drawn first."""
    prefix = sha256(seed + beacon + root)
    keys = []
    for entry_id in entry_ids:
        key = prefix.copy()
        key.update(entry_id.encode("ascii"))
        keys.append(key.digest())
    return sorted(range(len(keys)), key=keys.__getitem__)


def places_of(drawn: Sequence[int]) -> list[int]:
    """For each index of the list, its place in the order, from 1."""
    places = [0] * len(drawn)
    for place, index in enumerate(drawn, 1):
        places[index] = place
    return places


def _level_above(nodes: Sequence[bytes]) -> list[bytes]:
    pairs = zip(nodes[::2], nodes[1::2], strict=False)
    above = [node_hash(left, right) for left, right in pairs]
    if len(nodes) % 2:
        above.append(nodes[-1])
    return above
