"""Kafka for programs that are not Faust workers: create topics, read messages, send a few."""

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic
from kafka.consumer.fetcher import ConsumerRecord

from uncia.errors import DependencyDown, LogTruncated
from uncia.kafka.connection import connect_admin, connect_consumer, connect_producer
from uncia.kafka.partitioning import partition_of
from uncia.kafka.stalls import StallCheck
from uncia.settings import Settings
from uncia.topics import TOPICS, Topic

log = structlog.get_logger(__name__)

_ALREADY_EXISTS = 36
_SEND_TIMEOUT_S = 30
_RECONNECT_MS = 5_000
_PAUSE_S = 0.5
"""Between two attempts to connect again, so that `stop` is noticed soon."""


@dataclass(frozen=True)
class Message:
    """One record of a topic."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


@contextlib.contextmanager
def _admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    client = connect_admin(settings, client_id="uncia")
    try:
        yield client
    finally:
        client.close()


def create_topics(settings: Settings, topics: tuple[Topic, ...] = TOPICS) -> dict[str, bool]:
    """Create missing topics; existing ones are not changed. Returns by topic name whether it was created."""
    created = dict.fromkeys((topic.full_name(settings) for topic in topics), False)
    with _admin(settings) as admin:
        # The right to create topics is not needed where they exist.
        missing = set(created) - set(admin.list_topics())
        wanted = [
            NewTopic(
                topic.full_name(settings),
                num_partitions=settings.partitions,
                replication_factor=settings.replication,
                topic_configs=topic.config(),
            )
            for topic in topics
            if topic.full_name(settings) in missing
        ]
        if not wanted:
            return created
        answer = admin.create_topics(wanted, raise_errors=False)
    for entry in answer["topics"]:
        code = entry["error_code"]
        if code not in (0, _ALREADY_EXISTS):
            raise DependencyDown(f"Kafka refused the topic {entry['name']}: {entry.get('error_message') or code}")
        created[entry["name"]] = code == 0
    return created


def existing_topics(settings: Settings) -> set[str]:
    """Return the names of all topics on the broker that these settings may describe."""
    with _admin(settings) as admin:
        return set(admin.list_topics())


def topic_ids(settings: Settings, topics: tuple[Topic, ...]) -> dict[str, str]:
    """Return the broker's ids of existing topics. A topic that was deleted and created again has a new id."""
    with _admin(settings) as admin:
        found = admin.describe_topics([topic.full_name(settings) for topic in topics])
    return {topic["name"]: str(topic["topic_id"]) for topic in found if not topic["error_code"]}


def check_not_truncated(ends: Mapping[TopicPartition, int], positions: Mapping[tuple[str, int], int]) -> None:
    """Raise `LogTruncated` for a partition that ends before the position up to which it was read earlier."""
    for partition, end in ends.items():
        known = positions.get((partition.topic, partition.partition), 0)
        if known > end:
            raise LogTruncated(
                f"{partition.topic} was read up to {known} in partition {partition.partition}, which ends at {end}: "
                "the broker lost its newest messages"
            )


def read_topics(
    settings: Settings,
    topics: tuple[Topic, ...],
    *,
    from_beginning: bool = False,
    stop: threading.Event | None = None,
    until_end: bool = False,
    from_positions: Mapping[tuple[str, int], int] | None = None,
    ready: threading.Event | None = None,
) -> Iterator[Message]:
    """Yield the messages of these topics, without a consumer group, until `stop` is set.

    Starts at the end of the topics, with `from_beginning` at their beginning, and with `from_positions` (full topic
    name and partition to offset) at these offsets; partitions without an offset are then read from the beginning. With
    `until_end`, ends at the end offsets of the start. Sets `ready` when the start offsets are determined: messages that
    are sent later will be yielded. Continues after an outage of the broker.

    Raises `DependencyDown` when the broker is unavailable at the start or has none of the topics, and with `until_end`
    `LogTruncated` when a partition ends before its position, that is, has lost messages that were read earlier.
    """
    consumer = _consumer(settings)
    try:
        assigned = _assign_all_partitions(consumer, settings, topics)
        if from_beginning or from_positions is not None:
            _seek_to_positions(consumer, assigned, from_positions or {})
        else:
            consumer.seek_to_end(*assigned)
        for partition in assigned:
            consumer.position(partition)
        if ready is not None:
            ready.set()
        ends = consumer.end_offsets(assigned) if until_end else {}
        check_not_truncated(ends, from_positions or {})
        stall = StallCheck(consumer, assigned)
        while stop is None or not stop.is_set():
            if until_end and all(consumer.position(partition) >= ends[partition] for partition in assigned):
                return
            arrived = consumer.poll(timeout_ms=200)
            if arrived:
                stall.delivered()
            elif stall.is_stalled():
                log.warning("consumer_renewed", topics=[topic.full_name(settings) for topic in topics])
                consumer = _renewed(consumer, settings, assigned, stop)
                stall = StallCheck(consumer, assigned)
            for records in arrived.values():
                for record in records:
                    yield _message(record)
    finally:
        consumer.close()


def _renewed(
    stalled: KafkaConsumer, settings: Settings, assigned: list[TopicPartition], stop: threading.Event | None
) -> KafkaConsumer:
    """A new consumer that continues where another one stalled, when the broker accepts it.

    The stalled one where `stop` is set before.
    """
    positions = {partition: stalled.position(partition, timeout_ms=_RECONNECT_MS) for partition in assigned}
    while stop is None or not stop.is_set():
        try:
            consumer = _consumer(settings, bootstrap_timeout_ms=_RECONNECT_MS)
        except DependencyDown:
            time.sleep(_PAUSE_S)
            continue
        consumer.assign(assigned)
        for partition, offset in positions.items():
            consumer.seek(partition, offset)
        stalled.close(autocommit=False, timeout_ms=_RECONNECT_MS)
        return consumer
    return stalled


def _consumer(settings: Settings, **options: int) -> KafkaConsumer:
    return connect_consumer(settings, enable_auto_commit=False, auto_offset_reset="earliest", **options)


def _message(record: ConsumerRecord) -> Message:
    return Message(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        list(record.headers),
    )


def _assign_all_partitions(
    consumer: KafkaConsumer, settings: Settings, topics: tuple[Topic, ...]
) -> list[TopicPartition]:
    """Assign all partitions of the topics. Raises `DependencyDown` when none of the topics exists."""
    assigned = [
        TopicPartition(topic.full_name(settings), partition)
        for topic in topics
        for partition in sorted(consumer.partitions_for_topic(topic.full_name(settings)) or ())
    ]
    if not assigned:
        names = ", ".join(topic.full_name(settings) for topic in topics)
        raise DependencyDown(f"no such topic on {settings.kafka}: {names}; create it with `uncia topics create`")
    consumer.assign(assigned)
    return assigned


def _seek_to_positions(
    consumer: KafkaConsumer, assigned: list[TopicPartition], positions: Mapping[tuple[str, int], int]
) -> None:
    """Seek to the given offsets; partitions without one to their beginning."""
    consumer.seek_to_beginning(*assigned)
    for partition in assigned:
        position = positions.get((partition.topic, partition.partition))
        if position is not None:
            consumer.seek(partition, position)


class MessageReader:
    """Reads single messages by their offsets, over one connection. Not thread-safe."""

    def __init__(self, settings: Settings) -> None:
        """Raises `DependencyDown`."""
        self._settings = settings
        self._consumer = _consumer(settings)

    def read(self, topic: Topic, partition: int, offset: int, *, within_s: float = 5) -> Message | None:
        """The message at an offset, or the next one where compaction has removed it; None where there is none.

        Raises `KafkaError`.
        """
        place = TopicPartition(topic.full_name(self._settings), partition)
        self._consumer.assign([place])
        if offset >= self._consumer.end_offsets([place])[place]:
            return None
        self._consumer.seek(place, offset)
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            for records in self._consumer.poll(timeout_ms=200, max_records=1).values():
                return _message(records[0])
        return None

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()


class CameraProducer:
    """Sends messages to the partitions of their cameras, over one connection. Not thread-safe."""

    def __init__(self, settings: Settings, *, linger_ms: int = 0) -> None:
        """Raises `DependencyDown`."""
        self._settings = settings
        self._producer = connect_producer(
            settings, acks="all", linger_ms=linger_ms, max_in_flight_requests_per_connection=1
        )

    def send(self, messages: Iterable[tuple[Topic, str, bytes, bytes | None]]) -> None:
        """Send messages `(topic, camera, key, value)` in order; return when all are confirmed.

        A message without a value is a tombstone. Raises `KafkaError`; some messages can then be on the topic.
        """
        settings = self._settings
        sent = [
            self._producer.send(
                topic.full_name(settings), key=key, value=value, partition=partition_of(camera, settings.partitions)
            )
            for topic, camera, key, value in messages
        ]
        for future in sent:
            future.get(timeout=_SEND_TIMEOUT_S)

    def close(self) -> None:
        """Close the connection."""
        self._producer.close(timeout=_SEND_TIMEOUT_S)


def send_to_cameras(settings: Settings, topic: Topic, messages: Iterable[tuple[str, bytes, bytes | None]]) -> None:
    """Send messages `(camera, key, value)` as `CameraProducer` does, over a connection of their own.

    Raises `DependencyDown` where it cannot connect, and then as `send` does.
    """
    producer = CameraProducer(settings, linger_ms=5)
    try:
        producer.send((topic, camera, key, value) for camera, key, value in messages)
    finally:
        producer.close()
