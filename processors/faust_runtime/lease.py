"""A lease on the partitions: a worker that slept through its session writes nothing when it wakes up.

A process that is stopped for longer than its session (a frozen machine, SIGSTOP, a long swap) does not know it. Its
partitions were given to another worker; when it wakes up, what was in its hands would go out as if nothing had
happened, and overwrite in a compacted topic what the new owner wrote meanwhile. Kafka's own fence, transactions, is
not to be had with Faust. So, as a lease: the coordinator keeps a member for `session_s` after each heartbeat that it
answers; therefore nobody else owns the partitions before `session_s` have passed since the last such heartbeat was
*sent*. Later than that nothing leaves the producer until a heartbeat is answered again:

- the coordinator still knows the member: nobody came in between, what waited goes out;
- it does not: the process ends on the spot, as by `kill -9`, with all that waits in its producer. It is made to be
  killed at any point, and its supervisor starts it again with the state that the log has.

What remains is the moment between the look at the clock and the socket.
"""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any, NoReturn

import structlog

from uncia.processors.faust_runtime.app import WorkerApp

EVICTED = 75
"""Exit status (EX_TEMPFAIL)."""

log = structlog.get_logger("uncia")


def _now() -> float:
    """Seconds; goes on while the machine sleeps, which `time.monotonic` does not."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _end() -> NoReturn:
    log.critical("slept through its session and was replaced: ending, to start anew from the log")
    os._exit(EVICTED)


class Lease:
    """Whether this member may still believe that its partitions are its own. Used by two threads."""

    def __init__(
        self, session_s: float, *, clock: Callable[[], float] = _now, end: Callable[[], object] = _end
    ) -> None:
        self._session_s = session_s
        self._clock = clock
        self._end = end
        self._until = float("-inf")

    @property
    def holds(self) -> bool:
        """Nobody else can own the partitions yet."""
        return self._clock() < self._until

    def renew(self, asked_at: float) -> None:
        """The coordinator has answered what was asked at that moment."""
        self._until = max(self._until, asked_at + self._session_s)

    def refused(self) -> None:
        """The coordinator does not know this member (any more). Harmless while the lease holds: it joins again."""
        if not self.holds:
            self._end()

    async def held(self) -> None:
        """Returns while the lease holds; waits else."""
        while not self.holds:  # noqa: ASYNC110 - the lease runs out by itself, and another thread renews it
            await asyncio.sleep(0.02)

    def guard(self, app: WorkerApp) -> None:
        """Let the lease follow the app's heartbeats, and the app's producer ask the lease."""

        async def assigned(*_: Any, **__: Any) -> None:
            self.renew(self._clock())
            # Neither Faust nor aiokafka offers these places to others.
            self._follow(app.consumer._thread._ensure_consumer()._coordinator)
            self._fence(app.producer._ensure_producer().client)

        app.on_partitions_assigned.connect(assigned, weak=False)

    def _follow(self, coordinator: Any) -> None:
        plain = coordinator._do_heartbeat
        if getattr(plain, "leased", False):
            return

        async def heartbeat() -> bool:
            asked_at = self._clock()
            answered = bool(await plain())
            if answered:
                self.renew(asked_at)
            elif not coordinator.member_id:
                self.refused()
            return answered

        heartbeat.leased = True  # type: ignore[attr-defined]
        coordinator._do_heartbeat = heartbeat

    def _fence(self, client: Any) -> None:
        plain = client.send
        if getattr(plain, "leased", False):
            return

        async def send(node_id: Any, request: Any, **options: Any) -> Any:
            if type(request).__name__.startswith("ProduceRequest"):
                await self.held()
            return await plain(node_id, request, **options)

        send.leased = True  # type: ignore[attr-defined]
        client.send = send
