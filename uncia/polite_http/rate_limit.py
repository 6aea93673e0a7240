"""How often each host gets a request. One limiter serves all threads of a process."""

import threading
import time
from collections.abc import Callable, Mapping

__all__ = ["DEFAULT_INTERVAL_S", "FetchStopped", "HostLimiter"]

DEFAULT_INTERVAL_S = 1.0
"""Between two requests to one host that has no rule of its own."""


class FetchStopped(Exception):
    """The run was interrupted, or this process may no longer ask hosts."""


class HostLimiter:
    """Permits requests to a host at least an interval apart, counted from when they start. Safe from any thread.

    Of several threads that wait for one host, one is permitted at a time; the others wait again.
    """

    def __init__(
        self,
        intervals: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        requested_before: bool = False,
        may_start: Callable[[], bool] = lambda: True,
    ) -> None:
        """`intervals`: seconds between two requests, by host.

        `requested_before`: another process may have sent any host requests until now, so that the first request to each
        waits for its interval, too. `may_start`: whether this process may start a request at this moment.
        """
        self._intervals = dict(intervals or {})
        self._clock = clock
        self._created = clock() if requested_before else float("-inf")
        self._may_start = may_start
        self._started: dict[str, float] = {}
        self._paused: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait_s(self, host: str) -> float:
        """Seconds until the next request to the host may start."""
        with self._lock:
            return self._wait_s(host)

    def take(self, host: str) -> float:
        """Start a request to the host now, if that is permitted: 0. Otherwise the seconds after which to try again.

        Raises `FetchStopped` where this process may start none.
        """
        with self._lock:
            if (wait := self._wait_s(host)) > 0:
                return wait
            if not self._may_start():
                raise FetchStopped
            self._started[host] = self._clock()
            return 0.0

    def pause(self, host: str, seconds: float) -> None:
        """Leave the host alone for so long, as a server requires with `Retry-After`."""
        with self._lock:
            self._paused[host] = max(self._paused.get(host, 0.0), self._clock() + seconds)

    def lengthen(self, host: str, interval_s: float) -> None:
        """Ask the host no more often than once in `interval_s` seconds; a longer interval stays."""
        with self._lock:
            self._intervals[host] = max(self._intervals.get(host, DEFAULT_INTERVAL_S), interval_s)

    def _wait_s(self, host: str) -> float:
        interval = self._intervals.get(host, DEFAULT_INTERVAL_S)
        earliest = max(self._started.get(host, self._created) + interval, self._paused.get(host, float("-inf")))
        return max(0.0, earliest - self._clock())
