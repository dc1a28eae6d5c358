"""What is left out of scripts on their way to a browser."""

from __future__ import annotations

import pytest

from app.pages.assets import JS_UNREAD, STATIC

OURS = sorted(path for path in (STATIC / "js").rglob("*.js") if "vendor" not in path.parts)


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(STATIC)))
def test_only_comments_and_indentation_go_and_never_a_part_of_a_text(path):
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        for gone in JS_UNREAD.finditer(line):
            left = line[: gone.start()]
            assert all(left.count(quote) % 2 == 0 for quote in b"\"'`"), f"line {number}: {line!r}"
            assert gone[0].lstrip()[:2] in (b"", b"//"), f"line {number}"
