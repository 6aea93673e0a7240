"""Offsets, consumer groups and removal of the topics of one namespace."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from uncia.errors import DependencyDown
from uncia.kafka.connection import connect_admin, connect_consumer, unavailable
from uncia.namespaces import is_derived
from uncia.settings import Settings
from uncia.topics import Topic

Partition = tuple[str, int]
"""Full topic name and partition number."""


@contextmanager
def connect_to_log(settings: Settings) -> Iterator["KafkaLog"]:
    """A connection to the broker of these settings. Errors of Kafka are raised as `DependencyDown`."""
    try:
        admin = connect_admin(settings, client_id="uncia-replay")
        try:
            consumer = connect_consumer(settings, enable_auto_commit=False)
            try:
                yield KafkaLog(settings, admin, consumer)
            finally:
                consumer.close()
        finally:
            admin.close()
    except KafkaError as error:
        raise unavailable(settings, error) from error


class KafkaLog:
    """Queries about topics and groups of one namespace. Not safe for use by several threads."""

    def __init__(self, settings: Settings, admin: Any, consumer: Any) -> None:
        self._settings = settings
        self._admin = admin
        self._consumer = consumer

    def ends(self, topics: tuple[Topic, ...]) -> dict[Partition, int]:
        """The end offset of every partition of these topics."""
        ends: Mapping[TopicPartition, int] = self._consumer.end_offsets(self._partitions(topics))
        return {(partition.topic, partition.partition): end for partition, end in ends.items()}

    def count(self, topics: tuple[Topic, ...]) -> int:
        """The number of messages of these topics; exact where nothing is compacted or removed by retention."""
        partitions = self._partitions(topics)
        begins, ends = self._consumer.beginning_offsets(partitions), self._consumer.end_offsets(partitions)
        return sum(ends[partition] - begins[partition] for partition in partitions)

    def groups(self) -> list[str]:
        """Names of the consumer groups of this namespace."""
        prefix = f"{self._settings.namespace}." if self._settings.namespace else "uncia-"
        names = [str(group["group_id"]) for group in self._admin.list_groups()]
        return [name for name in names if name.startswith(prefix)]

    def committed(self) -> dict[Partition, int]:
        """The highest offset that any group of this namespace has committed for each partition."""
        groups = self.groups()
        committed: dict[Partition, int] = {}
        answer = self._admin.list_group_offsets(dict.fromkeys(groups)) if groups else {}
        for offsets in answer.values():
            for partition, position in offsets.items():
                key = (partition.topic, partition.partition)
                committed[key] = max(committed.get(key, 0), position.offset)
        return committed

    def lag(self, topics: tuple[Topic, ...], ends: Mapping[Partition, int] | None = None) -> int:
        """The number of messages of these topics, up to `ends`, that the groups have not committed."""
        committed = self.committed()
        ends = self.ends(topics) if ends is None else ends
        return sum(max(0, end - committed.get(partition, 0)) for partition, end in ends.items())

    def remove(self, timeout_s: float = 30) -> tuple[list[str], list[str]]:
        """Remove every topic and group of this namespace and wait until they are removed. Returns their names.

        The namespace must be that of a replay or a shadow: there is no way to remove the live topics. Raises
        `DependencyDown` when something is left after `timeout_s` seconds.
        """
        assert is_derived(self._settings.namespace)
        prefix = f"{self._settings.namespace}."
        removed_topics: set[str] = set()
        removed_groups: set[str] = set()
        deadline = time.monotonic() + timeout_s
        while True:
            topics = [name for name in self._admin.list_topics() if name.startswith(prefix)]
            groups = self.groups()
            if not topics and not groups:
                return sorted(removed_topics), sorted(removed_groups)
            if time.monotonic() > deadline:
                raise DependencyDown(f"Kafka still has {', '.join([*topics, *groups])}: drop it again")
            removed_topics.update(topics)
            removed_groups.update(groups)
            if topics:
                self._admin.delete_topics(topics, raise_errors=False)
            # A group whose worker was killed has a member until its session times out: retry.
            for group in groups:
                try:
                    self._admin.delete_groups([group])
                except KafkaError:
                    continue
            time.sleep(0.3)

    def _partitions(self, topics: tuple[Topic, ...]) -> list[TopicPartition]:
        names = [topic.full_name(self._settings) for topic in topics]
        return [
            TopicPartition(name, partition)
            for name in names
            for partition in sorted(self._consumer.partitions_for_topic(name) or ())
        ]
