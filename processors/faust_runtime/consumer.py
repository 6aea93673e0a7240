"""Faust's consumer, extended where it would lose messages before a group's first commit, or wait for ever, and where it
leaves a backlog waiting or takes most of its time.

Written for faust-streaming 0.15.3 and aiokafka 0.14.0; `tests/unit/processors/faust_runtime/test_library_internals.py`
fails when an upgrade changes what is used here.
"""

import asyncio
import inspect
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import NodeNotReadyError
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer
from faust.types import TP, ConsumerT
from mode.services import WaitResults

BACKLOG_WAIT_MS = 50


def repeat_coordinator_lookup(client: AIOKafkaClient) -> None:
    """Have the client ask again for the coordinator of its group while the metadata name no broker.

    A broker that has just started, or that a busy machine keeps from its heartbeats, answers without any. aiokafka then
    fails an assertion, which ends the task that joins the group, and the worker would wait for its partitions for ever.
    It repeats errors that say so (`retriable`), with new metadata.
    """
    lookup = client.coordinator_lookup

    async def coordinator_lookup(kind: Any, key: str) -> Any:
        if client.get_random_node() is None:
            raise NodeNotReadyError("the metadata name no broker")
        return await lookup(kind, key)

    client.coordinator_lookup = coordinator_lookup


def fetch_promptly(fetcher: Fetcher) -> None:
    """Have the fetcher wait briefly for new messages of some partitions while it has messages of others.

    aiokafka sends one request at a time to a broker. While a worker is busy with what was fetched, it requests messages
    of all other partitions. If they have none, the broker answers after 1.5 s, and the partitions with a backlog are
    not read until then: with 1 MB a request, a backlog of predictions was read at 400 messages a second.
    """
    actions, patient_ms = fetcher._get_actions_per_node, fetcher._fetch_max_wait_ms

    def get_actions_per_node(assignment: Any) -> Any:
        fetcher._fetch_max_wait_ms = BACKLOG_WAIT_MS if fetcher._records else patient_ms
        return actions(assignment)

    fetcher._get_actions_per_node = get_actions_per_node


class _ConsumerThread(AIOKafkaConsumerThread):  # type: ignore[misc]
    async def on_start(self) -> None:
        await super().on_start()
        fetch_promptly(self._ensure_consumer()._fetcher)

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        repeat_coordinator_lookup(consumer._client)
        return consumer


class RewindingConsumer(Consumer):  # type: ignore[misc]
    """Seeks to the beginning of a partition that has no committed offset.

    When partitions move, Faust drops what it had fetched and seeks to the committed offsets. aiokafka's part of that
    (`seek_to_committed`) leaves a partition where it is when nothing, or offset 0, was committed: messages that had
    been fetched and dropped were then never read. So a worker that is killed in the first seconds of its group's life,
    or joined by another one, would skip the first messages.
    """

    async def wait_first(self, *coros: Any, timeout: Any = None) -> WaitResults:  # noqa: ASYNC109 - as in mode
        """As in Faust; with one task where the first of the coroutines needs no waiting.

        For each message Faust starts four, to pass it on unless the flow is suspended or the worker stops before.
        """
        first, *others = coros
        task = asyncio.ensure_future(first)
        await asyncio.sleep(0)
        if not task.done():
            return await super().wait_first(task, *others, timeout=timeout)
        for other in filter(inspect.iscoroutine, others):
            other.close()
        return WaitResults([first], [task.result()], self.should_stop)

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

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
