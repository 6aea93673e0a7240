"""A lease on the partitions: a worker that was suspended beyond its session writes nothing when it resumes.

A process that is stopped for longer than its session (a frozen machine, SIGSTOP, long swapping) does not notice. Its
partitions were assigned to another worker; when it resumes, its pending messages would be sent as if nothing had
happened, and overwrite in a compacted topic what the new owner has written since. Kafka's own fence, transactions, is
not available with Faust. So, as a lease: the coordinator keeps a member for `session_s` after each heartbeat that it
answers; therefore no other worker owns the partitions before `session_s` have passed since the last such heartbeat was
*sent*. After that nothing leaves the producer until a heartbeat is answered again:

- the coordinator still knows the member: no other worker owned the partitions, and pending messages are sent;
- it does not: the process ends at once, as by `kill -9`, with everything that is pending in its producer. It is built
  to be killed at any point, and its supervisor starts it again with the state that is in the log.

What remains unprotected is the moment between the check of the clock and the socket.

Written for faust-streaming 0.15.3 and aiokafka 0.14.0: both classes are reached through private attributes, since
neither library has a hook for heartbeats or for requests of the producer.
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
    """Seconds of a clock that also runs while the machine is suspended, which `time.monotonic` does not."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _exit_evicted() -> NoReturn:
    log.critical("evicted", reason="suspended beyond its session; the process ends and restarts from the log")
    os._exit(EVICTED)


class Lease:
    """Whether this member still owns its partitions for certain. Used by two threads."""

    def __init__(
        self, session_s: float, *, clock: Callable[[], float] = _now, end: Callable[[], object] = _exit_evicted
    ) -> None:
        self._session_s = session_s
        self._clock = clock
        self._end = end
        self._until = float("-inf")

    @property
    def holds(self) -> bool:
        """Whether no other member can own the partitions yet."""
        return self._clock() < self._until

    def renew(self, sent_at: float) -> None:
        """Extend the lease: the coordinator has answered a heartbeat that was sent at this time."""
        self._until = max(self._until, sent_at + self._session_s)

    def refused(self) -> None:
        """Handle that the coordinator does not know this member. Harmless while the lease holds: it joins again."""
        if not self.holds:
            self._end()

    async def wait_until_held(self) -> None:
        """Return at once while the lease holds; otherwise wait until it is renewed."""
        while not self.holds:  # noqa: ASYNC110 - the lease runs out by itself, and another thread renews it
            await asyncio.sleep(0.02)

    def guard(self, app: WorkerApp) -> None:
        """Renew the lease by the app's heartbeats, and make the app's producer wait for the lease."""

        async def assigned(*_: Any, **__: Any) -> None:
            self.renew(self._clock())
            self._follow_heartbeats(app.consumer._thread._ensure_consumer()._coordinator)
            self._fence_producer(app.producer._ensure_producer().client)

        app.on_partitions_assigned.connect(assigned, weak=False)

    def _follow_heartbeats(self, coordinator: Any) -> None:
        original = coordinator._do_heartbeat
        if getattr(original, "leased", False):
            return

        async def heartbeat() -> bool:
            sent_at = self._clock()
            answered = bool(await original())
            if answered:
                self.renew(sent_at)
            elif not coordinator.member_id:
                self.refused()
            return answered

        heartbeat.leased = True  # type: ignore[attr-defined]
        coordinator._do_heartbeat = heartbeat

    def _fence_producer(self, client: Any) -> None:
        original = client.send
        if getattr(original, "leased", False):
            return

        async def send(node_id: Any, request: Any, **options: Any) -> Any:
            if type(request).__name__.startswith("ProduceRequest"):
                await self.wait_until_held()
            return await original(node_id, request, **options)

        send.leased = True  # type: ignore[attr-defined]
        client.send = send
