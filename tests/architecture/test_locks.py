"""The lock files: what `make run` installs is what was tested, from wherever the user gets it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUNTIME = (ROOT / "requirements.lock").read_text()
EVERYTHING = (ROOT / "requirements-dev.lock").read_text()


def pins(lock: str) -> set[str]:
    return set(re.findall(r"^[\w.-]+==[^ ]+", lock, re.MULTILINE))


def test_a_sale_runs_on_the_versions_that_were_tested():
    assert pins(RUNTIME)
    assert pins(RUNTIME) <= pins(EVERYTHING)


def test_locks_hold_hashes_and_no_addresses():
    for lock in (RUNTIME, EVERYTHING):
        assert "://" not in lock
        for entry in re.split(r"\n(?=\w)", lock):
            assert "--hash=sha256:" in entry, entry
