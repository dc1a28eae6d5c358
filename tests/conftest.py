"""What all tests share, by noun: see the modules named here for their fixtures."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

pytest_plugins = [
    "tests.fixtures.stores",
    "tests.fixtures.sales",
    "tests.fixtures.nodes",
    "tests.fixtures.leaks",
    "tests.fixtures.logs",
    "tests.fixtures.programs",
]

# No deadline: all workers and their servers share two cores. "quick" has the same examples on every
# run of the same test, so that `make test` judges the commit and not a lucky draw; `make soak`
# explores, with other seeds each time. Both say so, since Hypothesis has another default in CI.
hypothesis.settings.register_profile("quick", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.register_profile(
    "soak",
    derandomize=False,
    deadline=None,
    max_examples=3000,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("quick")

LONG_FILES_FIRST = ("faults", "browser", "property", "race", "integration", "architecture", "unit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the order in which workers take files: at the end none waits for another's long one."""
    items.sort(key=lambda item: LONG_FILES_FIRST.index(_folder(item.path)))


def _folder(path: Path) -> str:
    return path.relative_to(Path(__file__).parent).parts[0]
