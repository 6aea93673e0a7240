"""The clients of a `MemoryBroker`, with the interfaces that Faust's driver uses of aiokafka, and ours of kafka-python.

Faust itself, its driver, its table recovery and everything in `processors/faust_runtime` run unchanged above them.
Written for faust-streaming 0.15 and aiokafka 0.14: the driver reads attributes of the consumer that are not public.
"""

import asyncio
import itertools
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import aiokafka
import pytest
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import ConsumerStoppedError, KafkaError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.structs import ConsumerRecord, OffsetAndMetadata, RecordMetadata, TopicPartition

from tests.agents.memory_broker import Headers, MemoryBroker
from uncia.kafka import connection as kafka_module
from uncia.kafka.broker import Message

_POLL_S = 0.01
_LOG_APPEND_TIME = 1
_generations = itertools.count(1)


class _Cluster:
    """The cluster metadata that an assignor reads."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return self._broker.partitions(topic) or None

    available_partitions_for_topic = partitions_for_topic


class _Coordinator:
    """The only member's group coordinator: every topic of the subscription is assigned to it."""

    def __init__(self, broker: MemoryBroker, assignor: Any, subscriptions: Any) -> None:
        self.member_id = "memory-1"
        self.generation = -1
        self._cluster = _Cluster(broker)
        self._assignor = assignor
        self._subscriptions = subscriptions

    @property
    def _metadata_snapshot(self) -> dict[str, int]:
        topics = self._subscriptions.topics
        return {topic: len(self._cluster.partitions_for_topic(topic) or ()) for topic in topics}

    async def rebalance(self) -> None:
        """Revoke what was assigned, let the worker's own assignor assign everything to this member, and announce it."""
        listener, previous = self._subscriptions.listener, self._subscriptions.assigned_partitions()
        await listener.on_partitions_revoked(set(previous))
        metadata = self._assignor.metadata(set(self._subscriptions.topics))
        assignment = self._assignor.assign(self._cluster, {self.member_id: metadata})[self.member_id]
        self._assignor.on_assignment(assignment)
        self.generation = next(_generations)
        assigned = {TopicPartition(topic, number) for topic, numbers in assignment.assignment for number in numbers}
        self._subscriptions.assign_from_subscribed(assigned)
        await listener.on_partitions_assigned(assigned)

    async def _do_heartbeat(self) -> bool:
        return True

    async def close(self) -> None:
        """Nothing is open."""


class _Fetcher:
    """Reads from the positions of the assigned partitions."""

    def __init__(self, broker: MemoryBroker, subscriptions: Any) -> None:
        self._broker = broker
        self._subscriptions = subscriptions
        self._closed = False
        # What the worker's process reads and replaces of aiokafka's fetcher, which sends requests to a broker.
        self._records: dict[TopicPartition, Any] = {}
        self._fetch_max_wait_ms = 0

    def _get_actions_per_node(self, assignment: Any) -> Any:
        raise AssertionError(f"no request is sent for {assignment}")

    async def fetched_records(
        self,
        partitions: Iterable[TopicPartition],
        timeout: float = 0,  # noqa: ASYNC109 - the name that Faust's driver gives
        max_records: int | None = None,
    ) -> dict[TopicPartition, list[Any]]:
        """Records of these partitions, or nothing after `timeout` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (timeout or 0)
        while not (records := self._read(partitions, max_records or 500)):
            if self._closed:
                raise ConsumerStoppedError()
            if loop.time() >= deadline:
                break
            await asyncio.sleep(_POLL_S)
        return records

    def _read(self, partitions: Iterable[TopicPartition], limit: int) -> dict[TopicPartition, list[Any]]:
        records: dict[TopicPartition, list[Any]] = {}
        for tp in {TopicPartition(*tp) for tp in partitions or ()} & self._subscriptions.assigned_partitions():
            state = self._subscriptions.subscription.assignment.state_value(tp)
            state.highwater = self._broker.end(tp)
            if not state.has_valid_position:
                continue
            if messages := self._broker.read(tp, state.position, limit):
                state.consumed_to(messages[-1].offset + 1)
                records[tp] = [_record(message) for message in messages]
        return records


def _record(message: Message) -> Any:
    return ConsumerRecord(
        message.topic,
        message.partition,
        message.offset,
        message.timestamp_ms,
        _LOG_APPEND_TIME,
        message.key,
        message.value,
        None,
        len(message.key or b""),
        len(message.value or b""),
        tuple(message.headers),
    )


class MemoryConsumer:
    """As much of `aiokafka.AIOKafkaConsumer` as Faust's driver and our lease use."""

    def __init__(
        self, broker: MemoryBroker, *, group_id: str, partition_assignment_strategy: list[Any], max_poll_records: int
    ) -> None:
        self._broker = broker
        self._group = group_id
        self._max_poll_records = max_poll_records
        self._closed = False
        self._subscription = SubscriptionState()
        self._fetcher = _Fetcher(broker, self._subscription)
        self._coordinator = _Coordinator(broker, partition_assignment_strategy[0], self._subscription)
        self._client = SimpleNamespace(
            cluster=_Cluster(broker),
            close=self._coordinator.close,
            get_random_node=lambda: 0,
            coordinator_lookup=lambda _kind, _key: 0,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Heartbeat until the end, as aiokafka does."""
        self._tasks.append(asyncio.create_task(self._heartbeats()))

    async def stop(self) -> None:
        """Leave the group."""
        self._closed = self._fetcher._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def subscribe(self, *, topics: set[str], listener: Any) -> None:
        """Join the group with these topics."""
        if self._subscription.topics == topics:
            return
        self._subscription.subscribe(topics=topics, listener=listener)
        self._tasks.append(asyncio.create_task(self._coordinator.rebalance()))

    async def _heartbeats(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            await self._coordinator._do_heartbeat()

    async def seek_to_committed(self) -> dict[TopicPartition, int | None]:
        """Go back to the committed offsets; to the beginning where none is."""
        offsets = {tp: self._broker.committed(self._group, tp) for tp in self.assignment()}
        for tp, offset in offsets.items():
            self.seek(tp, offset or 0)
        return offsets

    async def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        self._broker.commit(self._group, {tp: entry.offset for tp, entry in offsets.items()})

    async def position(self, tp: TopicPartition) -> int:
        state = self._subscription.subscription.assignment.state_value(TopicPartition(*tp))
        return int(state.position) if state.has_valid_position else 0

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        for tp in partitions:
            self.seek(tp, 0)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._subscription.seek(TopicPartition(*tp), offset)

    def assignment(self) -> set[TopicPartition]:
        return set(self._subscription.assigned_partitions())

    def highwater(self, tp: TopicPartition) -> int:
        return self._broker.end(TopicPartition(*tp))

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self._broker.end(TopicPartition(*tp)) for tp in partitions}


class MemoryProducer:
    """As much of `aiokafka.AIOKafkaProducer` as Faust's driver and our lease use."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._partitioner = DefaultPartitioner()
        self.client = SimpleNamespace(send=None, api_version=(4, 0))

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        """Nothing is open."""

    async def flush(self) -> None:
        """Every send is complete when it returns."""

    async def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None,
        partition: int | None,
        timestamp_ms: int | None,
        headers: Headers | None,
    ) -> asyncio.Future[RecordMetadata]:
        """Append at once; the future holds the metadata, or the broker's error."""
        future: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        if partition is None:
            partitions = sorted(self._broker.partitions(topic)) or [0]
            partition = self._partitioner(key, partitions, partitions)
        try:
            message = self._broker.append(
                topic, partition, key=key, value=value, headers=headers or (), timestamp_ms=timestamp_ms
            )
        except KafkaError as error:
            future.set_exception(error)
        else:
            tp = TopicPartition(topic, partition)
            future.set_result(
                RecordMetadata(topic, partition, tp, message.offset, message.timestamp_ms, _LOG_APPEND_TIME, 0)
            )
        return future


class MemoryTopicReader:
    """As much of `kafka.KafkaConsumer` as `uncia.kafka.broker.read_topics` uses."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._positions: dict[Any, int] = {}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return self._broker.partitions(topic)

    def assign(self, partitions: list[Any]) -> None:
        self._positions = dict.fromkeys(partitions, 0)

    def seek(self, partition: Any, offset: int) -> None:
        self._positions[partition] = offset

    def seek_to_beginning(self, *partitions: Any) -> None:
        self._positions.update(dict.fromkeys(partitions, 0))

    def seek_to_end(self, *partitions: Any) -> None:
        self._positions.update(self.end_offsets(partitions))

    def position(self, partition: Any) -> int:
        return self._positions[partition]

    def end_offsets(self, partitions: Iterable[Any]) -> dict[Any, int]:
        return {tp: self._broker.end(TopicPartition(tp.topic, tp.partition)) for tp in partitions}

    def poll(self, timeout_ms: int) -> dict[Any, list[Any]]:
        """New messages; after `timeout_ms` without any, nothing."""
        records = {}
        for tp, offset in self._positions.items():
            if messages := self._broker.read(TopicPartition(tp.topic, tp.partition), offset):
                self._positions[tp] = offset + len(messages)
                records[tp] = [
                    SimpleNamespace(**{**vars(message), "timestamp": message.timestamp_ms}) for message in messages
                ]
        if not records:
            self._broker.wait_for_append(timeout_ms / 1000)
        return records

    def close(self) -> None:
        """Nothing is open."""


def install(monkeypatch: pytest.MonkeyPatch, broker: MemoryBroker) -> None:
    """From now on, clients that Faust's driver and `read_topics` create belong to this broker."""

    def consumer(**options: Any) -> MemoryConsumer:
        names = ("group_id", "partition_assignment_strategy", "max_poll_records")
        return MemoryConsumer(broker, **{name: options[name] for name in names})

    monkeypatch.setattr(aiokafka, "AIOKafkaConsumer", consumer)
    monkeypatch.setattr(aiokafka, "AIOKafkaProducer", lambda **_: MemoryProducer(broker))
    monkeypatch.setattr(kafka_module, "KafkaConsumer", lambda **_: MemoryTopicReader(broker))
