"""What one assignment of partitions permits: which hosts may get requests, when, and with which clients.

`uncia.harvest_requests` has the invariants. An assignment is replaced at every rebalance, never changed.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping

from uncia import __version__
from uncia.harvest_requests import AGENT
from uncia.polite_http.client import PoliteClient
from uncia.polite_http.rate_limit import HostLimiter
from uncia.polite_http.robots import Robots

__all__ = ["Assignment", "SharedLimiter"]

_MOST_CONTACTS = 64
"""Clients that are kept, one for each person who harvests."""


class SharedLimiter(HostLimiter):
    """A limiter whose pauses are published, so that they hold for other workers, too."""

    def __init__(
        self, may_start: Callable[[], bool], publish: Callable[[str, float], None], clock: Callable[[], float]
    ) -> None:
        """`publish`: called with host and seconds, from the thread that sent the host a request."""
        super().__init__(clock=clock, requested_before=True, may_start=may_start)
        self._publish = publish

    def pause(self, host: str, seconds: float) -> None:
        """Leave the host alone, and publish that."""
        super().pause(host, seconds)
        self._publish(host, seconds)

    def adopt_pause(self, host: str, seconds: float) -> None:
        """Leave the host alone, as a worker has published."""
        super().pause(host, seconds)


class Assignment:
    """The partitions that this process has since a rebalance. Safe from any thread."""

    def __init__(
        self,
        partitions: Collection[int],
        holds: Callable[[], bool],
        publish_pause: Callable[[str, float], None],
        trusted: Collection[tuple[str, int]],
        pauses: Mapping[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`holds`: whether no other worker can have the partitions yet; `trusted`: origins that may be in a private
        network; `pauses`: seconds, by host."""
        self.partitions = frozenset(partitions)
        self.stop = threading.Event()
        self.limiter = SharedLimiter(lambda: not self.stop.is_set() and holds(), publish_pause, clock)
        for host, seconds in pauses.items():
            self.limiter.adopt_pause(host, seconds)
        self._trusted = trusted
        self._clients: dict[str, tuple[PoliteClient, Robots]] = {}
        self._lock = threading.Lock()

    def client(self, contact: str) -> tuple[PoliteClient, Robots]:
        """The client that names this contact, and the rules of `robots.txt`."""
        with self._lock:
            if contact not in self._clients:
                if len(self._clients) >= _MOST_CONTACTS:
                    self._clients.pop(next(iter(self._clients)))
                agent = f"{AGENT}/{__version__} (training data for camera traps; {contact})"
                client = PoliteClient(self.limiter, agent, self.stop, trusted=self._trusted)
                # Another worker may be the one that sends requests to the other host.
                self._clients[contact] = client, Robots(client, AGENT, across_hosts=False)
            return self._clients[contact]
