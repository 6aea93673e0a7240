"""Exponential backoff with jitter and a cap: how long to wait before the next attempt. Pure; the caller sleeps."""

import random
from dataclasses import dataclass

_MAX_DOUBLINGS = 30
"""Beyond these every delay has reached its cap; larger powers of two would overflow a float."""


@dataclass(frozen=True)
class Backoff:
    """Delays that double from `first_s` up to `max_s` seconds.

    The jitter shortens each delay by up to a half, so that many clients of a recovered service do not retry at the
    same moment.
    """

    first_s: float
    max_s: float

    def delay_s(self, failures: int, rng: random.Random | None = None) -> float:
        """Seconds to wait after this many consecutive failures, 1 or more. `rng` makes the jitter reproducible."""
        delay = min(self.max_s, self.first_s * 2.0 ** min(failures - 1, _MAX_DOUBLINGS))
        return delay * (rng.uniform(0.5, 1) if rng else random.uniform(0.5, 1))
