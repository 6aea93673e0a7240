"""Configuration of all tests."""

import os

from hypothesis import HealthCheck, settings

# No test fails because the machine is slow: no limit on the time of one example, nor on the time to generate them.
settings.register_profile(
    "uncia",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    # Of properties that state no number themselves. `make test` takes fewer, `make check` Hypothesis's own number.
    max_examples=int(os.environ.get("UNCIA_TEST_MAX_EXAMPLES", "100")),
)
settings.load_profile("uncia")
