"""A Kafka broker in memory: partitioned logs with offsets, timestamps, headers, and the offsets that groups committed.

Thread-safe: workers consume in a thread of their own, and tests read from another. What it leaves out: replication,
retention, compaction, transactions, and more than one member in a group.
"""

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiokafka.errors import MessageSizeTooLargeError, UnknownTopicOrPartitionError
from aiokafka.structs import TopicPartition

from uncia.kafka.broker import Message
from uncia.settings import Settings
from uncia.topics import Topic

Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class _Partitions:
    """One topic."""

    logs: tuple[list[Message], ...]
    max_message_bytes: int
    append_time: bool
    """Messages carry the time of the append instead of the producer's."""


class MemoryBroker:
    """Topics and consumer groups of one broker."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._topics: dict[str, _Partitions] = {}
        self._committed: dict[str, dict[TopicPartition, int]] = {}

    def create_topics(self, settings: Settings, topics: Iterable[Topic]) -> None:
        """Create topics with the partition count, size limit and timestamp type that they declare."""
        with self._lock:
            for topic in topics:
                config = topic.config()
                self._topics[topic.full_name(settings)] = _Partitions(
                    tuple([] for _ in range(settings.partitions)),
                    int(config["max.message.bytes"]),
                    config.get("message.timestamp.type") == "LogAppendTime",
                )

    def partitions(self, topic: str) -> set[int]:
        """The partitions of a topic; empty for an unknown one."""
        with self._lock:
            return set(range(len(self._topics[topic].logs))) if topic in self._topics else set()

    def append(
        self,
        topic: str,
        partition: int,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        timestamp_ms: int | None = None,
    ) -> Message:
        """Append a message and return it with its offset. Raises the errors that aiokafka's producer raises."""
        size = len(key or b"") + len(value or b"") + sum(len(name) + len(data) for name, data in headers)
        with self._lock:
            partitions = self._topics.get(topic)
            if partitions is None or partition >= len(partitions.logs):
                raise UnknownTopicOrPartitionError(f"{topic}, partition {partition}")
            if size > partitions.max_message_bytes:
                raise MessageSizeTooLargeError(f"{size} bytes on {topic}, which takes {partitions.max_message_bytes}")
            now_ms = round(1000 * time.time())
            timestamp = now_ms if partitions.append_time or timestamp_ms is None else timestamp_ms
            log = partitions.logs[partition]
            message = Message(topic, partition, len(log), timestamp, key, value, list(headers))
            log.append(message)
            self._lock.notify_all()
            return message

    def read(self, tp: TopicPartition, offset: int, limit: int = 1_000_000) -> list[Message]:
        """Messages of a partition from an offset on."""
        with self._lock:
            partitions = self._topics.get(tp.topic)
            return list(partitions.logs[tp.partition][offset : offset + limit]) if partitions else []

    def wait_for_append(self, timeout_s: float) -> None:
        """Return after the next append, or after this time."""
        with self._lock:
            self._lock.wait(timeout_s)

    def end(self, tp: TopicPartition) -> int:
        """The offset that the next message will get."""
        with self._lock:
            partitions = self._topics.get(tp.topic)
            return len(partitions.logs[tp.partition]) if partitions else 0

    def commit(self, group: str, offsets: dict[TopicPartition, int]) -> None:
        """Store a group's offsets."""
        with self._lock:
            self._committed.setdefault(group, {}).update(offsets)

    def committed(self, group: str, tp: TopicPartition) -> int | None:
        """A group's offset; None before its first commit."""
        with self._lock:
            return self._committed.get(group, {}).get(tp)
