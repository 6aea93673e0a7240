"""Copies selected upload events from the live topics into one of a namespace.

Topic by topic, partition by partition, in order, never a message before the one in front of it is confirmed: one
request is in flight at a time, and none is given up. So the copies in a partition are at every moment a gapless
beginning of what is to be copied, and the source that the last one names says where to go on.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from uncia.errors import DependencyDown, PermanentError, UnciaError
from uncia.events import ImageUploaded
from uncia.producers.replay.log_offsets import Place
from uncia.producers.replay.selection import NO_TIMES, Selection
from uncia.settings import Settings
from uncia.topics import Topic

SOURCE = "uncia.source"
"""Header of a copy: topic (without namespace) and offset of its original, `<topic>:<offset>`, in the same partition."""

_PATIENCE_S = 24 * 3600
_READ_S = 30


@dataclass
class Fed:
    """How far the feeder is; read by others while it works."""

    scanned: int = 0
    to_scan: int = 0
    copied: int = 0
    """In this run."""
    finished: bool = False


def wanted(selection: Selection, value: bytes | None, times: Mapping[str, datetime] = NO_TIMES) -> bool:
    """The event is an upload that the replay takes; what no reader understands was answered by nobody."""
    try:
        return selection.takes(ImageUploaded.from_bytes(value), times)
    except PermanentError:
        return False


def everything(_: bytes | None) -> bool:
    """For topics that a worker needs whole."""
    return True


def source_of(headers: list[tuple[str, bytes]]) -> tuple[str, int] | None:
    """Topic and offset of the original, from the headers of a copy."""
    for name, value in headers:
        if name == SOURCE:
            topic, _, offset = value.decode().rpartition(":")
            return topic, int(offset)
    return None


def starts_at(sources: tuple[Topic, ...], at: int, last: tuple[str, int] | None, begin: int, end: int) -> int:
    """The offset from which to read partition `begin` to `end` of `sources[at]`, after the copy of `last`.

    Sources are copied one after the other: those before the last copy's are done, those behind it not begun.
    """
    reached = [topic.name for topic in sources].index(last[0]) if last else 0
    if at < reached:
        return end
    return max(begin, last[1] + 1) if last and at == reached else begin


def feed(
    live: Settings,
    namespaced: Settings,
    sources: tuple[Topic, ...],
    target: Topic,
    ends: Mapping[Place, int],
    takes: Callable[[bytes | None], bool],
    fed: Fed,
    stop: threading.Event,
) -> None:
    """Copy what `takes` says, from where the last run stopped up to `ends` (live's names), or until `stop`.

    Raises `DependencyDown`; to call again goes on.
    """
    into = target.full_name(namespaced)
    try:
        with _clients(live) as (consumer, producer):
            last = {part: _last_copied(consumer, TopicPartition(into, part)) for part in {part for _, part in ends}}
            plan = []
            for at, topic in enumerate(sources):
                places = [TopicPartition(*place) for place in ends if place[0] == topic.full_name(live)]
                begins = consumer.beginning_offsets(places) if places else {}
                plan.append(
                    {
                        place: starts_at(sources, at, last[place.partition], begins[place], ends[place])
                        for place in places
                    }
                )
            fed.scanned, fed.to_scan = 0, sum(max(0, ends[place] - start[place]) for start in plan for place in start)
            for topic, start in zip(sources, plan, strict=True):
                _copy(consumer, producer, topic, into, start, ends, takes, fed, stop)
            producer.flush(timeout=_PATIENCE_S if not stop.is_set() else 5)
            fed.finished = not stop.is_set()
    except KafkaError as error:
        raise DependencyDown(f"Kafka at {live.kafka} does not answer ({type(error).__name__})") from error


def _copy(
    consumer: Any,
    producer: Any,
    topic: Topic,
    into: str,
    start: Mapping[TopicPartition, int],
    ends: Mapping[Place, int],
    takes: Callable[[bytes | None], bool],
    fed: Fed,
    stop: threading.Event,
) -> None:
    left = {place: offset for place, offset in start.items() if offset < ends[place]}
    consumer.assign(list(left))
    for place, offset in left.items():
        consumer.seek(place, offset)
    while left and not stop.is_set():
        for place, records in consumer.poll(timeout_ms=200).items():
            for record in records:
                if record.offset >= ends[place] or not takes(record.value):
                    continue
                source = (SOURCE, f"{topic.name}:{record.offset}".encode())
                producer.send(
                    into,
                    key=record.key,
                    value=record.value,
                    headers=[*record.headers, source],
                    partition=place.partition,
                )
                fed.copied += 1
        for place in list(left):
            reached = min(consumer.position(place), ends[place])
            fed.scanned += reached - left[place]
            left[place] = reached
            if reached == ends[place]:
                del left[place]
                consumer.pause(place)


def _last_copied(consumer: Any, target: TopicPartition) -> tuple[str, int] | None:
    """What the last copy in this partition was copied from."""
    begin, end = consumer.beginning_offsets([target])[target], consumer.end_offsets([target])[target]
    if begin == end:
        return None
    consumer.assign([target])
    consumer.seek(target, end - 1)
    deadline = time.monotonic() + _READ_S
    while time.monotonic() < deadline:
        for record in consumer.poll(timeout_ms=200).get(target, ()):
            if found := source_of(list(record.headers)):
                return found
            raise UnciaError(f"{target.topic} has a message that no replay put there: drop the replay")
    raise DependencyDown(f"Kafka does not hand out the end of {target.topic}")


@contextmanager
def _clients(live: Settings) -> Iterator[tuple[Any, Any]]:
    servers = live.kafka.split(",")
    consumer = KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        producer = KafkaProducer(
            bootstrap_servers=servers,
            acks="all",
            linger_ms=5,
            max_in_flight_requests_per_connection=1,
            delivery_timeout_ms=_PATIENCE_S * 1000,
            max_request_size=5 * 1_048_576,
        )
        try:
            yield consumer, producer
        finally:
            producer.close(timeout=5)
    finally:
        consumer.close()
