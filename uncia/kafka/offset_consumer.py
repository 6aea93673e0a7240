"""A consumer whose offsets are kept by its caller, in the transaction of what it made of the messages."""

import contextlib
from collections.abc import Mapping
from typing import Self

from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from uncia.errors import DependencyDown
from uncia.kafka.broker import Message
from uncia.kafka.connection import connect_consumer
from uncia.kafka.stalls import StallCheck
from uncia.settings import Settings
from uncia.topics import Topic

_MAX_POLL_RECORDS = 2000
_PARTITION_BYTES = 4 * 1_048_576

Place = tuple[str, int]
"""Full topic name and partition."""


class OffsetConsumer:
    """Reads all partitions of some topics from given offsets on. Not thread-safe.

    It is assigned its partitions and joins no group: two of them read the same messages. The offsets that it commits
    to `group` show its lag, and are never read.
    """

    def __init__(self, settings: Settings, topics: tuple[Topic, ...], group: str, *, within_s: float = 30) -> None:
        """Raises `DependencyDown` where no broker answers within that time, or a topic is missing."""
        self._consumer = connect_consumer(
            settings,
            group_id=f"{settings.namespace}.{group}" if settings.namespace else group,
            enable_auto_commit=False,
            # Where messages were deleted by retention, the oldest that is left.
            auto_offset_reset="earliest",
            max_poll_records=_MAX_POLL_RECORDS,
            max_partition_fetch_bytes=_PARTITION_BYTES,
            bootstrap_timeout_ms=round(1000 * within_s),
        )
        try:
            self._partitions = self._assign(settings, topics)
            self._stall = StallCheck(self._consumer, self._partitions)
        except BaseException:
            self._consumer.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close(autocommit=False)

    def _assign(self, settings: Settings, topics: tuple[Topic, ...]) -> list[TopicPartition]:
        assigned = []
        for topic in topics:
            name = topic.full_name(settings)
            numbers = sorted(self._consumer.partitions_for_topic(name) or ())
            if not numbers:
                raise DependencyDown(f"no such topic on {settings.kafka}: {name}; create it with `uncia topics create`")
            assigned += [TopicPartition(name, number) for number in numbers]
        self._consumer.assign(assigned)
        return assigned

    def end_offsets(self) -> dict[Place, int]:
        """The offsets behind the newest messages."""
        ends = self._consumer.end_offsets(self._partitions)
        return {(place.topic, place.partition): offset for place, offset in ends.items()}

    def seek(self, offsets: Mapping[Place, int]) -> None:
        """Read on from these offsets; from the beginning in partitions without one."""
        for place in self._partitions:
            self._consumer.seek(place, offsets.get((place.topic, place.partition), 0))

    def poll(self, timeout_s: float) -> list[Message]:
        """The next messages, in the order of each partition; none if none arrives in time.

        Raises `DependencyDown` when there are messages, and this consumer gets none: a new one is needed.
        """
        arrived = self._consumer.poll(timeout_ms=int(1000 * timeout_s))
        if arrived:
            self._stall.delivered()
        elif self._stall.is_stalled():
            raise DependencyDown("Kafka has messages that this consumer does not get, or does not answer it")
        return [
            Message(
                record.topic,
                record.partition,
                record.offset,
                record.timestamp,
                record.key,
                record.value,
                list(record.headers),
            )
            for records in arrived.values()
            for record in records
        ]

    def commit(self, offsets: Mapping[Place, int], wait_s: float = 0) -> None:
        """Show these offsets as the group's. Waits `wait_s` seconds at most, and a failure has no effect."""
        values = {TopicPartition(*place): OffsetAndMetadata(offset, "", -1) for place, offset in offsets.items()}
        if not wait_s:
            self._consumer.commit_async(values)
            return
        with contextlib.suppress(KafkaError):
            self._consumer.commit(values, timeout_ms=int(1000 * wait_s))
