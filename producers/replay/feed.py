"""Copies selected upload events from the live topics into those of a namespace.

Partition by partition, in order, never a message before the one in front of it is confirmed: one request is in flight
at a time, and none is given up. So the copies are at every moment a gapless beginning of what is to be copied, and the
source offset in the header of the last one says where to go on.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from producers.replay.log import Place
from producers.replay.selection import Selection
from uncia.errors import DependencyDown, PermanentError
from uncia.events import ImageUploaded
from uncia.settings import Settings
from uncia.topics import Topic

SOURCE = "uncia.source-offset"
"""Header of a copy: the offset of its original, in the same partition of the live topic of the same name."""

_PATIENCE_S = 24 * 3600
_LOOK_BACK = 100


@dataclass
class Fed:
    """How far the feeder is; read by others while it works."""

    scanned: int = 0
    to_scan: int = 0
    copied: int = 0
    """In this run."""
    finished: bool = False
    positions: dict[Place, int] = field(default_factory=dict)


def wanted(selection: Selection, value: bytes | None) -> bool:
    """The event is an upload that the replay takes; what no reader understands was answered by nobody."""
    try:
        return selection.takes(ImageUploaded.from_bytes(value))
    except PermanentError:
        return False


def everything(_: bytes | None) -> bool:
    """For topics that a worker needs whole."""
    return True


def source_of(headers: list[tuple[str, bytes]]) -> int | None:
    """The source offset in the headers of a copy."""
    for name, value in headers:
        if name == SOURCE:
            return int(value)
    return None


def feed(
    live: Settings,
    namespaced: Settings,
    topics: tuple[Topic, ...],
    ends: Mapping[Place, int],
    takes: Callable[[bytes | None], bool],
    fed: Fed,
    stop: threading.Event,
) -> None:
    """Copy what `takes` says, from where the last run stopped up to `ends` (live's names), or until `stop`.

    Raises `DependencyDown`; to call again goes on.
    """
    targets = {topic.full_name(live): topic.full_name(namespaced) for topic in topics}
    try:
        with _clients(live) as (consumer, producer):
            places = [TopicPartition(*place) for place, end in ends.items() if place[0] in targets and end > 0]
            consumer.assign([TopicPartition(targets[place.topic], place.partition) for place in places])
            reached = {
                place: _last_copied(consumer, TopicPartition(targets[place.topic], place.partition)) + 1
                for place in places
            }
            consumer.assign(places)
            begins = consumer.beginning_offsets(places) if places else {}
            fed.to_scan = sum(max(0, ends[place] - begins[place]) for place in places)
            for place in places:
                consumer.seek(place, max(reached[place], begins[place]))
            _copy(consumer, producer, targets, ends, takes, fed, stop, begins)
            producer.flush(timeout=_PATIENCE_S if not stop.is_set() else 5)
            fed.finished = not stop.is_set()
    except KafkaError as error:
        raise DependencyDown(f"Kafka at {live.kafka} does not answer ({type(error).__name__})") from error


def _copy(
    consumer: Any,
    producer: Any,
    targets: Mapping[str, str],
    ends: Mapping[Place, int],
    takes: Callable[[bytes | None], bool],
    fed: Fed,
    stop: threading.Event,
    begins: Mapping[TopicPartition, int],
) -> None:
    while not stop.is_set():
        open_places = [place for place in begins if consumer.position(place) < ends[place]]
        fed.scanned = sum(min(consumer.position(place), ends[place]) - begins[place] for place in begins)
        if not open_places:
            return
        consumer.pause(*(place for place in begins if place not in open_places))
        for place, records in consumer.poll(timeout_ms=200).items():
            for record in records:
                if record.offset >= ends[place] or not takes(record.value):
                    continue
                headers = [*record.headers, (SOURCE, str(record.offset).encode())]
                producer.send(
                    targets[place.topic],
                    key=record.key,
                    value=record.value,
                    headers=headers,
                    partition=place.partition,
                )
                fed.copied += 1


def _last_copied(consumer: Any, target: TopicPartition) -> int:
    """Source offset of the last copy in this partition, -1 when there is none."""
    begin, end = consumer.beginning_offsets([target])[target], consumer.end_offsets([target])[target]
    look = end
    while look > begin:
        look, until = max(begin, look - _LOOK_BACK), look
        consumer.seek(target, look)
        found = None
        while consumer.position(target) < until:
            for record in consumer.poll(timeout_ms=200).get(target, ()):
                source = source_of(list(record.headers))
                found = source if source is not None else found
        if found is not None:
            return found
    return -1


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
