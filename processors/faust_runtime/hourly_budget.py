"""A limit on what a worker requests by itself."""

from collections import deque
from collections.abc import Callable

_HOUR_S = 3600.0


class HourlyBudget:
    """Allows so many requests in any hour of the clock that is passed in. Empty after a restart, hence full again."""

    def __init__(self, per_hour: int, clock: Callable[[], float]) -> None:
        self._per_hour = per_hour
        self._clock = clock
        self._taken: deque[float] = deque()

    def take(self) -> bool:
        """Whether one more request is allowed now; it then counts."""
        now = self._clock()
        while self._taken and now - self._taken[0] >= _HOUR_S:
            self._taken.popleft()
        if len(self._taken) >= self._per_hour:
            return False
        self._taken.append(now)
        return True
