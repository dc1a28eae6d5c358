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

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]  # one for each entry

ALGORITHM = "onsale-draw-1"
CHUNK = 2048  # entries of a stored chunk: a power of two, so that each is a whole subtree
LAY_CHUNK = 500  # places that one script lays: it must stay below 20 ms on a busy machine

EMPTY_ROOT = sha256(b"").digest()
WORDS_OF_KEY = 4  # of 64 bits: SHA-256


def commitment(seed: bytes) -> bytes:
    return sha256(seed).digest()


def leaf_hash(entry_id: bytes) -> bytes:
    return sha256(b"\0" + entry_id).digest()


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


def merkle_root(entry_ids: Iterable[bytes]) -> bytes:
    return root_of([sha256(b"\0" + entry_id).digest() for entry_id in entry_ids])


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


def order(seed: bytes, beacon: bytes, root: bytes, entry_ids: Iterable[bytes]) -> Numbers:
    """Indexes into the list, the first drawn first."""
    prefix = sha256(seed + beacon + root)
    keys = []
    for entry_id in entry_ids:
        key = prefix.copy()
        key.update(entry_id)
        keys.append(key.digest())
    words = np.frombuffer(b"".join(keys), ">u8").astype(np.uint64).reshape(-1, WORDS_OF_KEY)
    return np.lexsort(words.T[::-1])  # by the first word, then the second, and so on


def places_of(drawn: Numbers) -> Numbers:
    """For each index of the list, its place in the order, from 1."""
    places = np.empty_like(drawn)
    places[drawn] = np.arange(1, len(drawn) + 1)
    return places


def drawn_from(places: Numbers) -> Numbers:
    """What `places_of` was made of."""
    drawn = np.empty_like(places)
    drawn[places - 1] = np.arange(len(places))
    return drawn


def sorted_once(texts: Iterable[bytes], *, at: int) -> list[bytes]:
    """Each text once, sorted; for texts that are alike before `at` and random after it.

    It sorts parts of a thousandth, by the two bytes there: the interpreter lets nobody else run
    during one sort, and that of a million would stop a node's fans for a second.
    """
    parts: dict[bytes, list[bytes]] = {}
    for text in texts:
        parts.setdefault(text[at : at + 2], []).append(text)
    found: list[bytes] = []
    for first in sorted(parts):
        found += sorted(set(parts[first]))
    return found


def _level_above(nodes: Sequence[bytes]) -> list[bytes]:
    pairs = zip(nodes[::2], nodes[1::2], strict=False)
    above = [sha256(b"\1" + left + right).digest() for left, right in pairs]
    if len(nodes) % 2:
        above.append(nodes[-1])
    return above
