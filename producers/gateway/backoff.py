"""How long to wait before the next try."""

import random

STORE_DOWN = (1.0, 60.0)
"""Seconds before the second try and at most, when the store or the way to it is down."""
REFUSED = (15.0, 300.0)
"""The same when the store refuses us: only a person can cure that."""
ONE_FILE = (5.0, 600.0)
"""The same when it is this one file that cannot be read or stored."""


def wait_s(attempts: int, limits: tuple[float, float], rng: random.Random) -> float:
    """Seconds to wait after so many failed attempts (1 or more): doubling up to the limit, with jitter.

    The jitter takes away up to half, so that many gateways do not come back in step after an outage.
    """
    first, most = limits
    doubled = min(most, first * 2.0 ** min(attempts - 1, 30))
    return doubled * rng.uniform(0.5, 1)
