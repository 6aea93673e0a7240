"""Copies selected upload events from the live topics into a topic of the replay's namespace.

Topic by topic, partition by partition, in order, and never a message before its predecessor is confirmed: one request
is in flight at a time, and none is given up. The copies in a partition are therefore always a gapless prefix of all
that have to be copied, and the source that the last one names shows where to resume.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from uncia.errors import DependencyDown, PermanentError, UnciaError
from uncia.events import ImageUploaded, SecondLookCompleted
from uncia.kafka.connection import connect_consumer, connect_producer, unavailable
from uncia.producers.replay.kafka_log import Partition
from uncia.producers.replay.selection import NO_TIMES, Selection
from uncia.settings import Settings
from uncia.topics import Topic

SOURCE_HEADER = "uncia.source"
"""Header of a copy: `<topic without namespace>:<offset>` of its original, which is in the same partition."""

_DELIVERY_TIMEOUT_S = 24 * 3600
_STOP_FLUSH_S = 5
_LAST_COPY_TIMEOUT_S = 30
_MAX_REQUEST_BYTES = 5 * 1_048_576

Filter = Callable[[bytes | None], bool]
"""Decides by its value whether a message is copied."""


@dataclass
class FeedProgress:
    """Written by the feeder's thread, read by others."""

    scanned: int = 0
    to_scan: int = 0
    copied: int = 0
    """In this run."""
    finished: bool = False


def is_selected(selection: Selection, value: bytes | None, times: Mapping[str, datetime] = NO_TIMES) -> bool:
    """True for an upload event that the selection selects; a message that no version can read is never copied."""
    try:
        return selection.selects(ImageUploaded.from_bytes(value), times)
    except PermanentError:
        return False


def is_second_look_selected(selection: Selection, value: bytes | None) -> bool:
    """True for a second look at a burst of a selected camera; a message that no version can read is never copied."""
    try:
        return selection.matches_camera(SecondLookCompleted.from_bytes(value))
    except PermanentError:
        return False


def select_all(_: bytes | None) -> bool:
    """The filter for topics that a worker needs in full."""
    return True


def source_of(headers: list[tuple[str, bytes]]) -> tuple[str, int] | None:
    """Topic and offset of the original, from the headers of a copy; None without the header."""
    for name, value in headers:
        if name == SOURCE_HEADER:
            topic, _, offset = value.decode().rpartition(":")
            return topic, int(offset)
    return None


def start_offset(sources: tuple[Topic, ...], index: int, last: tuple[str, int] | None, begin: int, end: int) -> int:
    """The offset from which to read a partition of `sources[index]`, whose offsets are `begin` to `end`.

    `last` is the source of the last copy. Sources are copied one after the other: those before that of the last copy
    are complete, those after it have not begun.
    """
    reached = [topic.name for topic in sources].index(last[0]) if last else 0
    if index < reached:
        return end
    return max(begin, last[1] + 1) if last and index == reached else begin


def feed(
    live: Settings,
    namespaced: Settings,
    sources: tuple[Topic, ...],
    target: Topic,
    ends: Mapping[Partition, int],
    selects: Filter,
    progress: FeedProgress,
    stop: threading.Event,
) -> None:
    """Copy the selected messages of `sources` to `target`, from where the last run stopped up to `ends`.

    `sources` are live topics, `target` is one of the namespace. Returns early when `stop` is set. Raises
    `DependencyDown`; a repeated call resumes.
    """
    target_name = target.full_name(namespaced)
    try:
        with _clients(live) as (consumer, producer):
            copier = _Copier(consumer, producer, target_name, ends, selects, progress, stop)
            plan = _plan(consumer, live, sources, target_name, ends)
            progress.scanned = 0
            progress.to_scan = sum(
                max(0, ends[partition] - offset) for starts in plan for partition, offset in starts.items()
            )
            for topic, starts in zip(sources, plan, strict=True):
                copier.copy(topic, starts)
            producer.flush(timeout=_STOP_FLUSH_S if stop.is_set() else _DELIVERY_TIMEOUT_S)
            progress.finished = not stop.is_set()
    except KafkaError as error:
        raise unavailable(live, error) from error


def _plan(
    consumer: Any, live: Settings, sources: tuple[Topic, ...], target_name: str, ends: Mapping[Partition, int]
) -> list[dict[TopicPartition, int]]:
    """For each source the offset from which to read each of its partitions."""
    last = {number: _last_source(consumer, TopicPartition(target_name, number)) for number in {n for _, n in ends}}
    plan = []
    for index, topic in enumerate(sources):
        partitions = [TopicPartition(*partition) for partition in ends if partition[0] == topic.full_name(live)]
        begins = consumer.beginning_offsets(partitions) if partitions else {}
        plan.append(
            {
                partition: start_offset(sources, index, last[partition.partition], begins[partition], ends[partition])
                for partition in partitions
            }
        )
    return plan


@dataclass(frozen=True)
class _Copier:
    """Copies the partitions of one topic after another."""

    consumer: Any
    producer: Any
    target_name: str
    ends: Mapping[Partition, int]
    selects: Filter
    progress: FeedProgress
    stop: threading.Event

    def copy(self, topic: Topic, starts: Mapping[TopicPartition, int]) -> None:
        """Copy one topic from `starts`, until its ends or until `stop`."""
        consumer = self.consumer
        left = {partition: offset for partition, offset in starts.items() if offset < self.ends[partition]}
        consumer.assign(list(left))
        for partition, offset in left.items():
            consumer.seek(partition, offset)
        while left and not self.stop.is_set():
            for partition, records in consumer.poll(timeout_ms=200).items():
                for record in records:
                    if record.offset < self.ends[partition] and self.selects(record.value):
                        self._send(topic, partition.partition, record)
            for partition in list(left):
                reached = min(consumer.position(partition), self.ends[partition])
                self.progress.scanned += reached - left[partition]
                left[partition] = reached
                if reached == self.ends[partition]:
                    del left[partition]
                    consumer.pause(partition)

    def _send(self, topic: Topic, partition: int, record: Any) -> None:
        source = (SOURCE_HEADER, f"{topic.name}:{record.offset}".encode())
        self.producer.send(
            self.target_name,
            key=record.key,
            value=record.value,
            headers=[*record.headers, source],
            partition=partition,
        )
        self.progress.copied += 1


def _last_source(consumer: Any, target: TopicPartition) -> tuple[str, int] | None:
    """The source of the last copy in this partition; None where there is no copy."""
    begin, end = consumer.beginning_offsets([target])[target], consumer.end_offsets([target])[target]
    if begin == end:
        return None
    consumer.assign([target])
    consumer.seek(target, end - 1)
    deadline = time.monotonic() + _LAST_COPY_TIMEOUT_S
    while time.monotonic() < deadline:
        for record in consumer.poll(timeout_ms=200).get(target, ()):
            if source := source_of(list(record.headers)):
                return source
            raise UnciaError(f"{target.topic} has a message that is not a copy of this replay: drop the replay")
    raise DependencyDown(f"Kafka did not return the last message of {target.topic}")


@contextmanager
def _clients(live: Settings) -> Iterator[tuple[Any, Any]]:
    consumer = connect_consumer(live, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        producer = connect_producer(
            live,
            acks="all",
            linger_ms=5,
            max_in_flight_requests_per_connection=1,
            delivery_timeout_ms=_DELIVERY_TIMEOUT_S * 1000,
            max_request_size=_MAX_REQUEST_BYTES,
        )
        try:
            yield consumer, producer
        finally:
            producer.close(timeout=_STOP_FLUSH_S)
    finally:
        consumer.close()
