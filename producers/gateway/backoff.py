"""How long to wait before the next attempt."""

import random

STORE_UNAVAILABLE = (1.0, 60.0)
"""First and longest wait in seconds while the store, or the network to it, is unavailable."""

ACCESS_REFUSED = (15.0, 300.0)
"""The same while the store refuses access: only a person can correct that."""

ONE_FILE = (5.0, 600.0)
"""The same for a single file that cannot be read or stored."""


def wait_s(attempts: int, limits: tuple[float, float], rng: random.Random) -> float:
    """Seconds to wait after `attempts` failures (1 or more): doubles up to the limit, with jitter.

    The jitter takes away up to half, so that many gateways do not return at the same moment after an outage.
    """
    first, longest = limits
    doubled = min(longest, first * 2.0 ** min(attempts - 1, 30))
    return doubled * rng.uniform(0.5, 1)
