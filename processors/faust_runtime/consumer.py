"""Faust's consumer, which loses nothing before a group's first commit.

When partitions move, Faust drops what it had fetched and goes back to the committed offsets. aiokafka's part of that
(`seek_to_committed`) leaves a partition where it is when nothing, or offset 0, was committed: what had been fetched
of it and dropped was then never read. So a worker that is killed in the first seconds of its group's life, or joined by
another one, would skip the first messages. Here such a partition goes back to its beginning.
"""

from faust.transport.drivers.aiokafka import Consumer


class RewindingConsumer(Consumer):  # type: ignore[misc]
    """Goes back to the beginning of a partition that has no committed offset."""

    async def perform_seek(self) -> None:
        """Seek every partition to where its group got to. Changelogs are paused here and positioned by the recovery."""
        await super().perform_seek()
        untouched = [tp for tp in self._get_active_partitions() if not self._committed_offset.get(tp)]
        if untouched:
            for tp, begin in (await self.earliest_offsets(*untouched)).items():
                await self.seek(tp, begin or 0)
