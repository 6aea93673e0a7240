"""A worker's state as records of a Faust table, written by confirmed sends.

Faust queues its own table writes and only logs their failure: a change could then be lost although its input was
acknowledged. Faust still restores the changelog into `data` at a start and when partitions move.
"""

import asyncio
from collections.abc import Mapping

import faust

from uncia.processors.faust_runtime.app import WorkerApp
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.record_parts import PART_BYTES, AssembledTable, part_keys, split_record


class StateTable:
    """Records by key, of any size (`record_parts`), each in the partition of its camera."""

    def __init__(self, app: WorkerApp, name: str, partitions: int) -> None:
        self._table: faust.Table = app.Table(name, key_type=bytes, value_type=bytes, partitions=partitions)
        self._stored: dict[bytes, bytes] = self._table.data
        self.data: Mapping[bytes, bytes] = AssembledTable(self._stored)

    async def write(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Write a record, and return when the broker has confirmed it; the value None removes the record."""
        before = part_keys(key, self._stored.get(key))
        records = split_record(key, value)
        last = records.pop(key)
        await asyncio.gather(*(self._write(partition, part, piece) for part, piece in records.items()))
        await self._write(partition, key, last)
        outdated = [part for part in before if part not in records]
        await asyncio.gather(*(self._write(partition, part, None) for part in outdated))

    async def queue(self, partition: int, key: bytes, value: bytes) -> None:
        """Write a record without waiting; it may be lost. A record with parts is written as by `write`."""
        if len(value) > PART_BYTES or part_keys(key, self._stored.get(key)):
            await self.write(partition, key, value)
            return
        self._update(key, value)
        sent = await self._table.changelog_topic.send(key=key, value=value, partition=partition, force=True)
        sent.add_done_callback(lambda future: future.cancelled() or future.exception())

    async def _write(self, partition: int, key: bytes, value: bytes | None) -> None:
        await send(self._table.changelog_topic, key=key, value=value, partition=partition)
        self._update(key, value)

    def _update(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self._stored.pop(key, None)
        else:
            self._stored[key] = value
