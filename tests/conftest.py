"""What all tests share, by noun: see the modules named here for their fixtures."""

from __future__ import annotations

import hypothesis

pytest_plugins = [
    "tests.fixtures.stores",
    "tests.fixtures.sales",
    "tests.fixtures.nodes",
    "tests.fixtures.leaks",
    "tests.fixtures.logs",
    "tests.fixtures.programs",
]

# No deadline: two workers and their servers share two cores. "quick" has the same examples on every
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
