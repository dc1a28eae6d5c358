"""A script's header is its contract: what it names is what the body uses."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(
    p for pkg in ("waiting_room", "seatmap") for p in (ROOT / pkg / "lua").glob("*.lua")
)
SHARED = sorted(
    p for pkg in ("waiting_room", "seatmap") for p in (ROOT / pkg / "lua/shared").glob("*.lua")
)
SLOT = re.compile(r"(?:KEYS|ARGV)\[\d+(?:\.\.)?\]")
assert SCRIPTS, "no scripts found: wrong folder?"


def numbers(text: str) -> set[str]:
    return {slot.replace("..", "") for slot in SLOT.findall(text)}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: f"{p.parts[-3]}/{p.name}")
def test_header_names_exactly_what_the_body_uses(path):
    lines = path.read_text("utf-8").splitlines()
    header = [m for line in lines if line.startswith("-- ") for m in SLOT.findall(line)[:1]]
    body = "\n".join(line for line in lines if not line.startswith("--"))
    used = numbers(body)
    lists = {slot.replace("..", "") for slot in header if ".." in slot}
    assert {slot.replace("..", "") for slot in header} - lists == used - lists
    for slot in lists:  # a list is walked by index: KEYS[i], or unpacked from its first number
        kind, first = slot[:4], slot[5:-1]
        assert re.search(rf"{kind}\[\w+\]|#{kind}|unpack\({kind}", body), (
            f"{kind}[{first}..] unused"
        )
    assert any(line.startswith("-- Returns:") for line in lines)


@pytest.mark.parametrize("path", SHARED, ids=lambda p: f"{p.parts[-4]}/{p.name}")
def test_what_scripts_share_names_no_key_and_no_argument(path):
    body = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("--")]
    assert not re.search(r"\b(KEYS|ARGV)\b", "\n".join(body))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: f"{p.parts[-3]}/{p.name}")
def test_what_answers_stale_takes_the_callers_epoch_first(path):
    text = path.read_text("utf-8")
    if "STALE" in text or "-- @include guard" in text:
        assert re.search(r"^-- ARGV\[1\]\s+(epoch|epoch_text)\b", text, re.MULTILINE)
