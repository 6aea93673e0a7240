"""A worker's state as records of a Faust table, written by confirmed sends.

A table write of Faust's own is queued and its failure only logged: what was decided could then be forgotten though its
input was acknowledged. Faust still reads the changelog back into `data` at a start and when partitions move.
"""

import asyncio
from collections.abc import Mapping

import faust

from uncia.processors.faust_runtime.app import WorkerApp
from uncia.processors.faust_runtime.delivery import send
from uncia.processors.faust_runtime.record_parts import PART_BYTES, Assembled, divide, parts_of


class StateTable:
    """StateTable by key, of any size (`parts`); each stands in the partition of its camera."""

    def __init__(self, app: WorkerApp, name: str, partitions: int) -> None:
        self._table: faust.Table = app.Table(name, key_type=bytes, value_type=bytes, partitions=partitions)
        self._stored: dict[bytes, bytes] = self._table.data
        self.data: Mapping[bytes, bytes] = Assembled(self._stored)

    async def write(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Returns when the broker has it; None removes."""
        before = parts_of(key, self._stored.get(key))
        records = divide(key, value)
        last = records.pop(key)
        await asyncio.gather(*(self._write(partition, part, piece) for part, piece in records.items()))
        await self._write(partition, key, last)
        gone = [part for part in before if part not in records]
        await asyncio.gather(*(self._write(partition, part, None) for part in gone))

    async def queue(self, partition: int, key: bytes, value: bytes) -> None:
        """Do not wait, and do not mind when it is lost; a record with parts is waited for."""
        if len(value) > PART_BYTES or parts_of(key, self._stored.get(key)):
            await self.write(partition, key, value)
            return
        self._keep(key, value)
        sent = await self._table.changelog_topic.send(key=key, value=value, partition=partition, force=True)
        sent.add_done_callback(lambda future: future.cancelled() or future.exception())

    async def _write(self, partition: int, key: bytes, value: bytes | None) -> None:
        await send(self._table.changelog_topic, key=key, value=value, partition=partition)
        self._keep(key, value)

    def _keep(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self._stored.pop(key, None)
        else:
            self._stored[key] = value
