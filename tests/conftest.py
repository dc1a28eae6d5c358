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

# No deadline: two workers and their servers share two cores. `make soak` uses the other profile.
hypothesis.settings.register_profile("quick", deadline=None, max_examples=50)
hypothesis.settings.register_profile(
    "soak",
    deadline=None,
    max_examples=3000,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("quick")
