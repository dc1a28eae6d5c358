#!/usr/bin/env python3
"""Check a draw without trusting who ran it. Needs nothing but Python 3.10 or newer.

    python verify_draw.py https://tickets.example/events/ev_final/queue/draw my-receipt.txt
    python verify_draw.py draw.json entries.txt places.txt proof.json receipt.txt jwks.json

Give it the draw's address, which it reads with all that belongs to it, or files saved from there,
packed with gzip or not, in any order: each is known by what is in it. The rules are those of
docs/draw.md, written a second time on purpose: this program shares no code with the server.

Exit code 0: all that was given fits together. 1: something is wrong. 2: it could not be checked.
"""

from __future__ import annotations

import base64
import bisect
import gzip
import hashlib
import itertools
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

FITS, WRONG, CANNOT = 0, 1, 2
ALGORITHM = "onsale-draw-1"
TIMEOUT_S = 60
MAX_BYTES = 2_000_000_000
Json = dict[str, Any]
Point = tuple[int, int, int, int]

RECEIPT = re.compile(rb"[\w-]+\.[\w-]+\.[\w-]+")


class CannotCheck(Exception):
    """The message says what is missing or unreadable."""


class Report:
    """What was found, a line each."""

    def __init__(self) -> None:
        self.wrong = 0

    def check(self, right: bool, yes: str, no: str) -> bool:
        self.wrong += not right
        sys.stdout.write(f"ok     {yes}\n" if right else f"WRONG  {no}\n")
        return right

    def note(self, text: str) -> None:
        sys.stdout.write(f"note   {text}\n")


class Given:
    """What the caller gave, by kind."""

    def __init__(self) -> None:
        self.draw: Json | None = None
        self.entries: list[bytes] | None = None  # sorted, as published
        self.places: list[int] | None = None  # of each entry
        self.proofs: list[Json] = []
        self.receipts: list[str] = []
        self.keys: dict[str, str] = {}  # kid to public key

    def add(self, name: str, data: bytes) -> None:
        data = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).strip()
        if data[:1] == b"{":
            self._add_json(name, json.loads(data))
        elif RECEIPT.fullmatch(data):
            self.receipts.append(data.decode())
        elif data[:1].isdigit():
            self.places = [int(line) for line in data.split()]
        elif data[:3] == b"en_" or not data:
            self.entries = data.split()
        else:
            raise CannotCheck(f"{name}: neither draw, list, places, proof, receipt nor keys")

    def _add_json(self, name: str, value: Json) -> None:
        if "commitment" in value:
            self.draw = value
        elif "path" in value:
            self.proofs.append(value)
        elif "keys" in value:
            self.keys = {key["kid"]: key["x"] for key in value["keys"] if key.get("kid")}
        elif "receipt" in value:
            self.receipts.append(value["receipt"])
        else:
            raise CannotCheck(f"{name}: JSON, but neither draw, proof, receipt nor keys")


# -- the rules ------------------------------------------------------------------------------------


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def merkle_root(entries: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, computed from below."""
    sha256 = hashlib.sha256
    level = [sha256(b"\0" + entry).digest() for entry in entries]
    if not level:
        return sha256(b"").digest()
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [sha256(b"\1" + left + right).digest() for left, right in pairs] + odd
    return level[0]


def root_of_proof(leaf: bytes, index: int, entries: int, path: list[bytes]) -> bytes | None:
    """RFC 9162, section 2.1.3.2. None when the proof can't belong to a list of that length."""
    if not 0 <= index < entries:
        return None
    node, last = leaf, entries - 1
    for sibling in path:
        if last == 0:
            return None
        if index & 1 or index == last:
            while not index & 1:  # the last node of an odd level has moved up as it was
                index, last = index >> 1, last >> 1
            node = hashlib.sha256(b"\1" + sibling + node).digest()
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        index, last = index >> 1, last >> 1
    return node if last == 0 else None


def drawn_order(seed: bytes, beacon: bytes, root: bytes, entries: list[bytes]) -> list[int]:
    """Indexes into the list, the first drawn first."""
    start, keys = hashlib.sha256(seed + beacon + root), []
    for entry in entries:
        key = start.copy()
        key.update(entry)
        keys.append(key.digest())
    return sorted(range(len(keys)), key=keys.__getitem__)


# -- Ed25519, RFC 8032 section 6, as far as checking needs it --------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_M1 = pow(2, (P - 1) // 4, P)


def _recover_x(y: int, sign: int) -> int | None:
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_M1 % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


def _point(raw: bytes) -> Point | None:
    number = int.from_bytes(raw, "little")
    y, sign = number & ((1 << 255) - 1), number >> 255
    x = _recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def _add(a: Point, b: Point) -> Point:
    m, n = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return (e * f, g * h, f * g, e * h)


def _times(number: int, point: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = _add(total, point)
        point, number = _add(point, point), number >> 1
    return total


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = _recover_x(BASE_Y, 0) or 0
BASE: Point = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def signature_ok(public: bytes, message: bytes, signature: bytes) -> bool:
    if len(public) != 32 or len(signature) != 64:
        return False
    key, r = _point(public), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if key is None or r is None or s >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    left = _times(s, BASE)
    right = _add(r, _times(int.from_bytes(digest, "little") % ORDER, key))
    same_x = (left[0] * right[2] - right[0] * left[2]) % P == 0
    return same_x and (left[1] * right[2] - right[1] * left[2]) % P == 0


# -- the checks -----------------------------------------------------------------------------------


def verify(given: Given, report: Report) -> None:
    draw, entries = given.draw, given.entries
    if draw is None:
        raise CannotCheck("the draw itself is missing: give its address, or the file draw.json")
    if draw.get("algorithm") != ALGORITHM:
        raise CannotCheck(f"drawn by {draw.get('algorithm')!r}, and this checks {ALGORITHM}")
    root, seed = _bytes(draw.get("root")), _bytes(draw.get("seed"))
    beacon = draw.get("beacon") or {}
    if root is None:
        raise CannotCheck("the list is not fixed yet: the lobby is open until the sale opens")
    _check_seed(draw, seed, report)
    if entries is None:
        report.note("Without the list of entries, root and order could not be checked.")
    elif _check_list(draw, entries, root, report) and seed is not None:
        value = b"" if beacon.get("givenUp") else _bytes(beacon.get("value")) or b""
        order = drawn_order(seed, value, root, entries)
        first, places = draw["firstPlace"], [0] * len(order)
        for at, index in enumerate(order):
            places[index] = first + at
        _check_places(given, places, report)
        given.places = places
    for proof in given.proofs:
        _check_proof(proof, draw, root, given, report)
    for receipt in given.receipts:
        _check_receipt(receipt, draw, given, report)
    if seed is not None:
        _say_beacon(beacon, report)


def _check_seed(draw: Json, seed: bytes | None, report: Report) -> None:
    if seed is None:
        report.note("The draw is not done: its seed is not published yet.")
        return
    report.check(
        hashlib.sha256(seed).hexdigest() == draw["commitment"],
        "The seed is the one that was committed to.",
        "The seed is not the one that was committed to: its SHA-256 is another.",
    )


def _check_list(draw: Json, entries: list[bytes], root: bytes, report: Report) -> bool:
    fixed, found = draw["entries"], len(entries)
    what = "more" if found > fixed else "fewer"
    count = report.check(
        found == fixed,
        f"The list has the {fixed:,} entries that were fixed.",
        f"The list has {abs(found - fixed):,} entries {what} than the {fixed:,} that were fixed.",
    )
    ordered = report.check(
        all(a < b for a, b in itertools.pairwise(entries)),
        "Every entry is in it once, in order.",
        "The list is not sorted, or has an entry twice.",
    )
    same = report.check(
        merkle_root(entries) == root,
        "The list is the one whose root was published.",
        "The list is not the one whose root was published: one was added, left out or changed.",
    )
    return count and ordered and same


def _check_places(given: Given, places: list[int], report: Report) -> None:
    if given.places is None:
        report.note("The published places were not given: the order was computed, not compared.")
        return
    bad = [i for i, (a, b) in enumerate(zip(given.places, places, strict=False)) if a != b]
    example = ""
    if bad:
        at = bad[0]
        entry = (given.entries or [])[at].decode()
        example = f" {entry} was given place {given.places[at]:,} and drew {places[at]:,}."
    report.check(
        not bad and len(given.places) == len(places),
        "Every published place is the one that was drawn.",
        f"{max(len(bad), 1):,} published places are not those that were drawn.{example}",
    )


def _check_proof(proof: Json, draw: Json, root: bytes, given: Given, report: Report) -> None:
    entry, leaf = proof["entryId"].encode(), _bytes(proof["leaf"])
    path = [bytes.fromhex(node) for node in proof["path"]]
    led = root_of_proof(leaf_hash(entry), proof["index"], draw["entries"], path)
    report.check(
        leaf == leaf_hash(entry) and led == root,
        f"The proof shows that {proof['entryId']} is in the list.",
        f"The proof does not show that {proof['entryId']} is in the list.",
    )
    place, drawn = proof.get("place"), _place_of(entry, given)
    if place is not None and drawn is not None:
        report.check(
            place == drawn,
            f"It drew place {drawn:,}, as the proof says.",
            f"It drew place {drawn:,}, and the proof says {place:,}.",
        )


def _check_receipt(text: str, draw: Json, given: Given, report: Report) -> None:
    try:
        head, body, signature = text.strip().split(".")
        header, claims = json.loads(_unbase64(head)), json.loads(_unbase64(body))
        event_id, entry_id = claims["aud"], claims["entry"]
    except (ValueError, KeyError, TypeError) as exc:
        raise CannotCheck("a receipt is not readable") from exc
    report.check(
        event_id == draw["eventId"],
        "The receipt is of this sale.",
        f"The receipt is of another sale, {event_id}.",
    )
    public = given.keys.get(header.get("kid"))
    signed = None
    if public is None:
        report.note("The receipt's signature was not checked: its key is not among those given.")
    else:
        message = f"{head}.{body}".encode()
        signed = report.check(
            signature_ok(_unbase64(public), message, _unbase64(signature)),
            "The receipt is signed by the operator's key.",
            "The receipt is not signed by the operator's key.",
        )
    if given.entries is None:
        report.note("Without the list, the receipt's entry could not be looked for.")
        return
    at = bisect.bisect_left(given.entries, entry_id.encode())
    there = at < len(given.entries) and given.entries[at] == entry_id.encode()
    drawn = _place_of(entry_id.encode(), given) if there else None
    place = "" if drawn is None else f", and drew place {drawn:,}"
    why = " The operator signed for it and left it out." if signed else ""
    report.check(
        there,
        f"The receipt's entry {entry_id} is in the list{place}.",
        f"The receipt's entry {entry_id} is not in the list.{why}",
    )


def _place_of(entry: bytes, given: Given) -> int | None:
    if given.entries is None or given.places is None:
        return None
    at = bisect.bisect_left(given.entries, entry)
    found = at < min(len(given.entries), len(given.places)) and given.entries[at] == entry
    return given.places[at] if found else None


def _say_beacon(beacon: Json, report: Report) -> None:
    could = (
        "order and list were fixed, but the operator, who knew the seed, could have steered the"
        " outcome, for example by entries of their own."
    )
    if beacon.get("givenUp"):
        report.note(f"The beacon {beacon['name']!r} was named and then given up: {could}")
    elif beacon.get("value"):
        report.note(
            f"The beacon went into the order. See for yourself that {beacon['name']!r} was"
            f" published with the value {beacon['value']} after the list was fixed."
        )
    else:
        report.note(f"No beacon was used: {could}")
    report.note("That every entry is another person is nothing that this can show.")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# -- where it comes from --------------------------------------------------------------------------


def load(sources: list[str]) -> Given:
    given = Given()
    for source in sources:
        try:
            if source.startswith(("http://", "https://")):
                _load_address(source, given)
            else:
                with open(source, "rb") as file:
                    given.add(source, file.read(MAX_BYTES))
        except (OSError, ValueError, KeyError, EOFError) as exc:
            raise CannotCheck(f"{source}: {exc}") from exc
    return given


def _load_address(address: str, given: Given) -> None:
    given.add(address, _get(address))
    if not urllib.parse.urlsplit(address).path.endswith("/queue/draw") or given.draw is None:
        return
    wanted = ["entries"] if given.draw.get("root") else []
    wanted += ["places"] if given.draw.get("seed") else []
    for name in wanted:
        data = _get(f"{address}/{name}")
        given.add(name, data)
    given.add("keys", _get(urllib.parse.urljoin(address, "/.well-known/jwks.json")))


def _get(address: str) -> bytes:
    # The caller chose the address, and `load` lets only http and https come here.
    request = urllib.request.Request(address, headers={"accept-encoding": "gzip"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:  # noqa: S310
            data: bytes = reply.read(MAX_BYTES)
            return data
    except urllib.error.HTTPError as exc:
        raise CannotCheck(f"{address}: the server answered {exc.code}") from exc


def main(sources: list[str]) -> int:
    if not sources or sources[0] in {"-h", "--help"}:
        sys.stdout.write(__doc__ or "")
        return FITS if sources else CANNOT
    report = Report()
    try:
        verify(load(sources), report)
    except CannotCheck as exc:
        sys.stdout.write(f"This could not be checked: {exc}\n")
        return WRONG if report.wrong else CANNOT
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        sys.stdout.write(f"This could not be checked: a document is not as it should be ({exc})\n")
        return WRONG if report.wrong else CANNOT
    sys.stdout.write("\nAll of it fits together.\n" if not report.wrong else "\nIt does not fit.\n")
    return WRONG if report.wrong else FITS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
