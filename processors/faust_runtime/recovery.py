"""Faust's recovery of tables, changed where a worker would wait for ever for an end that has passed, and where reading
a changelog takes longest.

At the start of an assignment Faust reads the changelogs in one task and waits in another for the event that marks the
end. The reading task sets the event, and clears it again before it waits for the next record. A task that begins to
wait after that, as on a busy machine, is not woken: the worker has its partitions, answers heartbeats, and reads
nothing until the next rebalance. Here the event stays set until the next recovery begins.

For each record Faust starts a task and a timer, and compares the positions of all partitions. Here this is done only
where no further record waits.

Written for faust-streaming 0.15.3; `tests/unit/processors/faust_runtime/test_library_internals.py` fails when an
upgrade changes what is used here.
"""

import asyncio
import contextlib
from functools import cached_property
from time import monotonic

import faust
from faust.tables import TableManager
from faust.tables.recovery import Recovery

__all__ = ["LatchedRecovery", "LatchedTableManager"]

_RECORD_WITHIN_S = 5.0


class LatchedRecovery(Recovery):  # type: ignore[misc]
    """Recovery whose end is noticed however late it is waited for."""

    def _set_recovery_started(self) -> None:
        # Called at the beginning of a recovery, and again immediately before the flow of changelog records is resumed.
        self.signal_recovery_end.clear()
        super()._set_recovery_started()

    @Recovery.task  # type: ignore[untyped-decorator]
    async def _slurp_changelogs(self) -> None:
        """Apply the records of changelogs to their tables, and mark the end of a recovery.

        A record that cannot be applied ends the process; Faust would go on without it.
        """
        queue = self.tables.changelog_queue
        while not self.should_stop:
            if queue.empty():
                self._end_where_complete()
                with contextlib.suppress(TimeoutError):
                    await self._apply(await asyncio.wait_for(queue.get(), _RECORD_WITHIN_S))
            else:
                await self._apply(queue.get_nowait())

    async def _apply(self, event: faust.Event) -> None:
        tp, offset = event.message.tp, event.message.offset
        table = self.tp_to_table[tp]
        if tp in self.active_tps:
            offsets, most = self.active_offsets, table.recovery_buffer_size
            self._active_events_received_at[tp] = monotonic()
        elif tp in self.standby_tps:
            offsets, most = self.standby_offsets, table.standby_buffer_size
        else:
            return  # Of an earlier assignment.
        seen = offsets.get(tp)
        if seen is not None and offset <= seen:
            return
        buffer = self.buffers[table]
        buffer.append(event)
        offsets[tp] = offset
        await table.on_changelog_event(event)
        if len(buffer) >= most:
            table.apply_changelog_batch(buffer)
            buffer.clear()
            self._last_flush_at = monotonic()

    def _end_where_complete(self) -> None:
        if self.in_recovery and not self.need_recovery():
            self.flush_buffers()
            self._set_recovery_ended()
            self.signal_recovery_end.set()
        if not self.tables.standbys_ready and not self.standby_remaining_total():
            self.tables.on_standbys_ready()


class LatchedTableManager(TableManager):  # type: ignore[misc]
    """Faust's tables, with `LatchedRecovery`."""

    @cached_property
    def recovery(self) -> Recovery:
        """The recovery of this worker's tables; created on first use."""
        # Faust stops what it finds in `_recovery`.
        self._recovery = LatchedRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
