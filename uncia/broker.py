"""Kafka for everybody who is not a Faust worker: create topics, read them, send a few messages."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError

from uncia.errors import DependencyDown
from uncia.settings import Settings
from uncia.topics import TOPICS, Topic

_ALREADY_EXISTS = 36


@dataclass(frozen=True)
class Message:
    """One message as it stands in the log."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def _servers(settings: Settings) -> list[str]:
    return [server.strip() for server in settings.kafka.split(",")]


@contextlib.contextmanager
def _admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    try:
        client = KafkaAdminClient(bootstrap_servers=_servers(settings), client_id="uncia")
    except KafkaError as error:
        raise DependencyDown(f"Kafka at {settings.kafka} does not answer ({type(error).__name__})") from error
    try:
        yield client
    finally:
        client.close()


def create_topics(settings: Settings, topics: tuple[Topic, ...] = TOPICS) -> dict[str, bool]:
    """Create what is missing; True for each topic that was created now. Existing ones are left as they are."""
    wanted = [
        NewTopic(
            topic.full_name(settings),
            num_partitions=settings.partitions,
            replication_factor=settings.replication,
            topic_configs=topic.config(),
        )
        for topic in topics
    ]
    with _admin(settings) as admin:
        answer = admin.create_topics(wanted, raise_errors=False)
    created: dict[str, bool] = {}
    for entry in answer["topics"]:
        code = entry["error_code"]
        if code not in (0, _ALREADY_EXISTS):
            raise DependencyDown(f"Kafka refused the topic {entry['name']}: {entry.get('error_message') or code}")
        created[entry["name"]] = code == 0
    return created


def existing_topics(settings: Settings) -> set[str]:
    """Names of all topics on the broker."""
    with _admin(settings) as admin:
        return set(admin.list_topics())


def read_topics(
    settings: Settings,
    topics: tuple[Topic, ...],
    *,
    from_beginning: bool = False,
    stop: threading.Event | None = None,
    idle_s: float | None = None,
    ready: threading.Event | None = None,
) -> Iterator[Message]:
    """Messages of these topics, outside any consumer group, until `stop` is set or nothing came for `idle_s`.

    `ready` is set once the starting positions are fixed: what is sent after that will be seen. The broker may
    go away and come back meanwhile.
    """
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=_servers(settings), enable_auto_commit=False, auto_offset_reset="earliest"
        )
    except KafkaError as error:
        raise DependencyDown(f"Kafka at {settings.kafka} does not answer ({type(error).__name__})") from error
    try:
        assigned = [
            TopicPartition(topic.full_name(settings), partition)
            for topic in topics
            for partition in sorted(consumer.partitions_for_topic(topic.full_name(settings)) or ())
        ]
        if not assigned:
            names = ", ".join(topic.full_name(settings) for topic in topics)
            raise DependencyDown(f"no such topic on {settings.kafka}: {names}; `uncia topics create` makes them")
        consumer.assign(assigned)
        if from_beginning:
            consumer.seek_to_beginning(*assigned)
        else:
            consumer.seek_to_end(*assigned)
        for partition in assigned:
            consumer.position(partition)
        if ready is not None:
            ready.set()
        last = time.monotonic()
        while stop is None or not stop.is_set():
            batches = consumer.poll(timeout_ms=200)
            for records in batches.values():
                for record in records:
                    yield Message(
                        record.topic,
                        record.partition,
                        record.offset,
                        record.timestamp,
                        record.key,
                        record.value,
                        list(record.headers),
                    )
            if batches:
                last = time.monotonic()
            elif idle_s is not None and time.monotonic() - last > idle_s:
                return
    finally:
        consumer.close()
