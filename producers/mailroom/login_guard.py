"""Refuses sign-ins for a time after wrong passwords."""

import threading
import time
from collections.abc import Callable

from uncia.producers.mailroom.sign_in_log import SignInLog

_FREE_FAILURES = 5
"""Wrong passwords of one address for one user name before the first refusal."""

_FIRST_LOCK_S, _MAX_LOCK_S = 30.0, 3600.0
_FORGET_AFTER_S = 2 * _MAX_LOCK_S
_MAX_ENTRIES = 10_000
"""More than this many pairs of address and name are not remembered: the oldest are dropped."""


class LoginGuard:
    """Counts wrong passwords by network address and user name, and locks the pair for a doubling time.

    Not by address alone: the cameras of one mobile operator share a few public addresses, and one camera with a wrong
    password must not lock out the others. Safe for several threads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, log: SignInLog | None = None) -> None:
        """`log` records the outcome of each sign-in that was not refused for its earlier ones."""
        self._clock = clock
        self._log = log
        self._guard = threading.Lock()
        self._failures: dict[tuple[str, str], tuple[int, float]] = {}

    def seconds_locked(self, address: str, user: str) -> float:
        """Seconds for which sign-ins of this user name from this address are still refused; 0 when they are not."""
        with self._guard:
            count, at = self._failures.get((address, user), (0, 0.0))
            if count < _FREE_FAILURES:
                return 0
            lock_s = min(_MAX_LOCK_S, _FIRST_LOCK_S * 2.0 ** min(count - _FREE_FAILURES, 20))
            return max(0.0, at + lock_s - self._clock())

    def failed(self, address: str, user: str) -> None:
        """A password was wrong."""
        with self._guard:
            now = self._clock()
            count, at = self._failures.pop((address, user), (0, now))
            self._failures[address, user] = (1 if now - at > _FORGET_AFTER_S else count + 1, now)
            while len(self._failures) > _MAX_ENTRIES:
                del self._failures[next(iter(self._failures))]
        if self._log is not None:
            self._log.refused(address, user)

    def succeeded(self, address: str, user: str) -> None:
        """A password was correct: earlier failures are forgotten."""
        with self._guard:
            self._failures.pop((address, user), None)
        if self._log is not None:
            self._log.signed_in(address, user)

    def unknown_recipient(self, address: str) -> None:
        """A mail was for no camera."""
        if self._log is not None:
            self._log.refused_recipient(address)
