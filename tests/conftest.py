"""What all tests share."""

from hypothesis import settings

# No test fails because a machine is slow.
settings.register_profile("uncia", deadline=None)
settings.load_profile("uncia")
