"""Faust's consumer, extended where it would lose messages before a group's first commit.

Written for faust-streaming 0.15.3 and aiokafka 0.14.0; `tests/unit/processors/faust_runtime/test_library_internals.py`
fails when an upgrade changes what is used here.
"""

from collections.abc import Sequence

from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP, ConsumerT


class RewindingConsumer(Consumer):  # type: ignore[misc]
    """Seeks to the beginning of a partition that has no committed offset.

    When partitions move, Faust drops what it had fetched and seeks to the committed offsets. aiokafka's part of that
    (`seek_to_committed`) leaves a partition where it is when nothing, or offset 0, was committed: messages that had
    been fetched and dropped were then never read. So a worker that is killed in the first seconds of its group's life,
    or joined by another one, would skip the first messages.
    """

    async def perform_seek(self) -> None:
        """Seek every partition to its group's position. Changelogs are paused here; the recovery positions them."""
        await super().perform_seek()
        uncommitted = [tp for tp in self._get_active_partitions() if not self._committed_offset.get(tp)]
        if uncommitted:
            for tp, begin in (await self.earliest_offsets(*uncommitted)).items():
                await self.seek(tp, begin or 0)


async def start_positions(consumer: ConsumerT, assigned: Sequence[TP]) -> dict[int, int]:
    """The next offset to read of each partition: the committed offset at the start of the assignment, or where the log
    begins.
    """
    begins: dict[TP, int | None] = await consumer.earliest_offsets(*assigned)
    # Faust stores here what it sought to at the start of the assignment; it has no public accessor.
    committed: dict[TP, int | None] = consumer._committed_offset
    return {tp.partition: max(begins.get(tp) or 0, committed[tp] or 0) for tp in assigned}
