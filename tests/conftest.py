"""Configuration of all tests."""

from hypothesis import HealthCheck, settings

# No test fails because the machine is slow: no limit on the time of one example, nor on the time to generate them.
settings.register_profile("uncia", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("uncia")
