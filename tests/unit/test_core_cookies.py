"""What cookies are called, and that one place alone knows."""

import re
from pathlib import Path

from core.cookies import cookie_name

ROOT = Path(__file__).parents[2]
BY_HAND = re.compile(
    r"""\.set_cookie\(|cookies(?:\.get\(|\[)"""
    r"""|["'](?:__Host-)?onsale_(?:visitor|language|console|pass|receipt|return)"""
)
NOT_OURS = {"app/rehearsal/browser.py", "app/rehearsal/attack.py"}  # they read a client's jar


def test_on_https_a_name_has_the_prefix_that_keeps_other_hosts_out():
    assert cookie_name("visitor", secure=True) == "__Host-onsale_visitor"
    assert cookie_name("pass", "ev_a", secure=True) == "__Host-onsale_pass_ev_a"
    assert cookie_name("visitor", secure=False) == "onsale_visitor"


def test_nobody_else_names_reads_or_sets_a_cookie():
    found = set()
    for package in ("app", "core", "seatmap", "waiting_room", "config"):
        for path in (ROOT / package).rglob("*.py"):
            if BY_HAND.search(path.read_text()):
                found.add(path.relative_to(ROOT).as_posix())
    assert found - NOT_OURS == {"core/cookies.py"}
