"""Faust's recovery of tables, extended where a worker would wait for ever for an end that has passed.

At the start of an assignment Faust reads the changelogs in one task and waits in another for the event that marks the
end. The reading task sets the event, and clears it again before it waits for the next record. A task that begins to
wait after that, as on a busy machine, is not woken: the worker has its partitions, answers heartbeats, and reads
nothing until the next rebalance. Here the event stays set until the next recovery begins.

Written for faust-streaming 0.15.3; `tests/unit/processors/faust_runtime/test_library_internals.py` fails when an
upgrade changes what is used here.
"""

import asyncio
from functools import cached_property

from faust.tables import TableManager
from faust.tables.recovery import Recovery

__all__ = ["LatchedTableManager"]


class _Latch(asyncio.Event):
    """An event that the reading task cannot clear."""

    def clear(self) -> None:
        """Do nothing."""

    def release(self) -> None:
        """Clear the event."""
        super().clear()


class LatchedRecovery(Recovery):  # type: ignore[misc]
    """Recovery whose end is noticed however late it is waited for."""

    @cached_property
    def signal_recovery_end(self) -> _Latch:
        """Set from the end of a recovery until the next one begins."""
        return _Latch()

    def _set_recovery_started(self) -> None:
        # Called at the beginning of a recovery, and again immediately before the flow of changelog records is resumed.
        self.signal_recovery_end.release()
        super()._set_recovery_started()


class LatchedTableManager(TableManager):  # type: ignore[misc]
    """Faust's tables, with `LatchedRecovery`."""

    @cached_property
    def recovery(self) -> Recovery:
        """The recovery of this worker's tables; created on first use."""
        # Faust stops what it finds in `_recovery`.
        self._recovery = LatchedRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
