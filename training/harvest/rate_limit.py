"""How often each host is asked. One limiter serves all threads of a harvest."""

import threading
import time
from collections.abc import Callable, Mapping

__all__ = ["DEFAULT_INTERVAL_S", "HostLimiter"]

DEFAULT_INTERVAL_S = 1.0
"""Between two requests to one host that has no rule of its own."""


class HostLimiter:
    """A token bucket of one token per host: requests to a host are at least an interval apart. Safe from any thread."""

    def __init__(
        self, intervals: Mapping[str, float] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`intervals`: seconds between two requests, by host."""
        self._intervals = dict(intervals or {})
        self._clock = clock
        self._next: dict[str, float] = {}
        self._paused: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait_s(self, host: str) -> float:
        """Seconds until the next request to the host may start; nothing is reserved."""
        with self._lock:
            return max(0.0, self._next.get(host, 0.0) - self._clock())

    def reserve(self, host: str) -> float:
        """Reserve the next request to the host, and return the seconds to wait before it."""
        with self._lock:
            now = self._clock()
            start = max(now, self._next.get(host, now))
            self._next[host] = start + self._intervals.get(host, DEFAULT_INTERVAL_S)
            return start - now

    def pause(self, host: str, seconds: float) -> None:
        """Leave the host alone for so long, as a server asked for with `Retry-After`."""
        with self._lock:
            until = self._clock() + seconds
            self._paused[host] = max(self._paused.get(host, 0.0), until)
            self._next[host] = max(self._next.get(host, 0.0), until)

    def is_paused(self, host: str) -> bool:
        """Whether a pause began after a request was reserved, and has not ended."""
        with self._lock:
            return self._paused.get(host, 0.0) > self._clock()
