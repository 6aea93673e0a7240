"""A worker's state as records of a Faust table, written by confirmed sends.

A table write of Faust's own is queued and its failure only logged: what was decided could then be forgotten though its
input was acknowledged. Faust still reads the changelog back into `data` at a start and when partitions move.
"""

import faust

from processors.runtime.app import WorkerApp
from processors.runtime.delivery import send


class Records:
    """Records by key; each stands in the partition of its camera."""

    def __init__(self, app: WorkerApp, name: str, partitions: int) -> None:
        self._table: faust.Table = app.Table(name, key_type=bytes, value_type=bytes, partitions=partitions)
        self.data: dict[bytes, bytes] = self._table.data

    async def write(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Returns when the broker has it; None removes."""
        await send(self._table.changelog_topic, key=key, value=value, partition=partition)
        self._keep(key, value)

    async def queue(self, partition: int, key: bytes, value: bytes) -> None:
        """Do not wait, and do not mind when it is lost."""
        self._keep(key, value)
        sent = await self._table.changelog_topic.send(key=key, value=value, partition=partition, force=True)
        sent.add_done_callback(lambda future: future.cancelled() or future.exception())

    def _keep(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.data.pop(key, None)
        else:
            self.data[key] = value
