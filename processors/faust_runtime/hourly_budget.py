"""A limit on what a worker requests by itself."""

from collections import deque
from collections.abc import Callable, Collection

_HOUR_S = 3600.0


class HourlyBudget:
    """Allows so many requests in any hour of the clock that is passed in. Empty after a restart, hence full again.

    The requests of an hour are divided among the partitions, and a process may use those of all its partitions:
    together, the processes make no more than one would.
    """

    def __init__(self, per_hour: int, partitions: int, clock: Callable[[], float]) -> None:
        self._per_hour = per_hour
        self._partitions = partitions
        self._clock = clock
        self._taken: deque[float] = deque()

    def take(self, assigned: Collection[int]) -> bool:
        """Whether the process with these partitions may make one more request now; it then counts."""
        now = self._clock()
        while self._taken and now - self._taken[0] >= _HOUR_S:
            self._taken.popleft()
        share, rest = divmod(self._per_hour, self._partitions)
        if len(self._taken) >= sum(share + (number < rest) for number in assigned):
            return False
        self._taken.append(now)
        return True
