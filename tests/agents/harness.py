"""Runs a worker's Faust app in this process, and reads and writes the topics around it.

Two brokers offer the same functions: `MemoryTopics`, and `KafkaTopics` for a real one. In both cases the object store
and Triton are doubles, which speak their protocols over sockets.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

import faust
import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import TopicPartition
from faust.transport.drivers.aiokafka import Producer

from tests.agents.memory_broker import Headers, MemoryBroker
from tests.waiting import SCALE
from uncia.camtrap.deployments import DeploymentReader
from uncia.camtrap.individuals_reader import IndividualsReader
from uncia.kafka.broker import Message, create_topics, read_topics
from uncia.kafka.connection import connect_admin, connect_producer
from uncia.kafka.partitioning import partition_of
from uncia.settings import Settings
from uncia.topics import CHANGELOGS, TOPICS, Topic

ALL_TOPICS = (*TOPICS, *CHANGELOGS)
"""Every topic that a worker may use."""

T = TypeVar("T")
LIMIT_S = SCALE * 30.0


class Topics(Protocol):
    """The topics of one test."""

    settings: Settings

    def create(self, topics: Iterable[Topic]) -> None:
        """Create topics."""

    def send(self, topic: Topic, key: bytes | None, value: bytes | None, headers: Headers = ()) -> Message:
        """Append a message to the partition of its key; returns it with its offset."""

    def read(self, topic: Topic) -> list[Message]:
        """Everything on a topic, in the order of each partition."""

    def committed(self, group: str, topic: Topic, partition: int) -> int:
        """The offset that a group has committed; 0 before its first commit."""


class MemoryTopics:
    """Topics of an in-memory broker."""

    def __init__(self, settings: Settings, broker: MemoryBroker) -> None:
        self.settings = settings
        self._broker = broker

    def create(self, topics: Iterable[Topic]) -> None:
        self._broker.create_topics(self.settings, topics)

    def send(self, topic: Topic, key: bytes | None, value: bytes | None, headers: Headers = ()) -> Message:
        partition = partition_of((key or b"").decode(), self.settings.partitions)
        return self._broker.append(topic.full_name(self.settings), partition, key=key, value=value, headers=headers)

    def read(self, topic: Topic) -> list[Message]:
        name = topic.full_name(self.settings)
        return [
            message
            for partition in sorted(self._broker.partitions(name))
            for message in self._broker.read(TopicPartition(name, partition), 0)
        ]

    def committed(self, group: str, topic: Topic, partition: int) -> int:
        return self._broker.committed(group, TopicPartition(topic.full_name(self.settings), partition)) or 0


class KafkaTopics:
    """Topics of a real broker, under a namespace that only this test uses; removed at the end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._created: list[str] = []
        self._admin = connect_admin(settings)
        self._producer = connect_producer(settings, acks="all")

    def create(self, topics: Iterable[Topic]) -> None:
        self._created += create_topics(self.settings, tuple(topics))

    def send(self, topic: Topic, key: bytes | None, value: bytes | None, headers: Headers = ()) -> Message:
        name, partition = topic.full_name(self.settings), partition_of((key or b"").decode(), self.settings.partitions)
        future = self._producer.send(name, value, key, headers=list(headers), partition=partition)
        sent = future.get(timeout=LIMIT_S)
        return Message(name, partition, sent.offset, sent.timestamp, key, value, list(headers))

    def read(self, topic: Topic) -> list[Message]:
        messages = read_topics(self.settings, (topic,), from_beginning=True, until_end=True)
        return sorted(messages, key=lambda message: (message.partition, message.offset))

    def committed(self, group: str, topic: Topic, partition: int) -> int:
        offsets = self._admin.list_group_offsets({group: None})[group]
        for tp, entry in offsets.items():
            if (tp.topic, tp.partition) == (topic.full_name(self.settings), partition):
                return max(0, int(entry.offset))
        return 0

    def close(self) -> None:
        """Remove the topics."""
        self._admin.delete_topics(self._created)
        self._producer.close()
        self._admin.close()


class Outage:
    """While active, sends of the worker to one topic fail as if the broker were unavailable."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.active = True
        self.refused = 0

    @classmethod
    def of(cls, topic: str, monkeypatch: pytest.MonkeyPatch) -> "Outage":
        """Begin an outage of this topic, by its full name."""
        outage, send = cls(topic), Producer.send

        async def failing(producer: Any, name: str, *arguments: Any, **options: Any) -> Any:
            if outage.active and name == topic:
                outage.refused += 1
                raise KafkaConnectionError("the broker is unavailable")
            return await send(producer, name, *arguments, **options)

        monkeypatch.setattr(Producer, "send", failing)
        return outage


class RunningWorker:
    """A worker between its first assignment and its end."""

    def __init__(self, app: faust.App) -> None:
        self.app = app

    async def wait_until(self, condition: Callable[[], T], what: str) -> T:
        """The condition's value as soon as it is true. Fails the test after `LIMIT_S`, and when the worker crashes."""
        deadline = time.monotonic() + LIMIT_S
        while not (value := await asyncio.to_thread(condition)):
            if self.app.crashed:
                raise AssertionError("the worker crashed") from self.app.crash_reason
            assert time.monotonic() < deadline, f"not within {LIMIT_S:g} s: {what}"
            await asyncio.sleep(0.02)
        return value


@contextlib.asynccontextmanager
async def running(create: Callable[[Settings], faust.App], settings: Settings) -> AsyncIterator[RunningWorker]:
    """The worker, from its first assignment to a graceful end."""
    # Not in another thread: a Faust table belongs to the event loop of the thread that creates it.
    app = create(settings)
    # Tests wait for commits: Faust commits every 2.8 s by default.
    app.conf.broker_commit_interval = 0.1
    await app.start()
    try:
        yield RunningWorker(app)
    finally:
        await app.stop()


def _recording(start: Callable[..., Any], readers: list[Any]) -> Callable[..., Any]:
    """The method `start`, which also appends its object to `readers`."""

    def recording(reader: Any, *arguments: Any) -> Any:
        readers.append(reader)
        return start(reader, *arguments)

    return recording


@contextlib.contextmanager
def closing_deployment_readers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what workers leave to the end of their process: stop their threads, and keep the priority as it is."""
    readers: list[DeploymentReader | IndividualsReader] = []
    for kind in (DeploymentReader, IndividualsReader):
        monkeypatch.setattr(kind, "start", _recording(kind.start, readers))
    # The tests that follow in this process keep their priority.
    monkeypatch.setattr(os, "nice", lambda increment: 0)
    try:
        yield
    finally:
        for reader in readers:
            reader.close()
