"""The log as a replay needs to know it: where topics end, where groups stand; and taking its own away again."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from uncia.errors import DependencyDown
from uncia.settings import Settings
from uncia.topics import Topic

Place = tuple[str, int]
"""Full topic name and partition."""


@contextmanager
def asking(settings: Settings) -> Iterator["Log"]:
    """A connection. What Kafka does not answer is `DependencyDown`."""
    servers = settings.kafka.split(",")
    try:
        admin = KafkaAdminClient(bootstrap_servers=servers, client_id="uncia-replay")
        try:
            consumer = KafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
            try:
                yield Log(settings, admin, consumer)
            finally:
                consumer.close()
        finally:
            admin.close()
    except KafkaError as error:
        raise DependencyDown(f"Kafka at {settings.kafka} does not answer ({type(error).__name__})") from error


class Log:
    """Questions to one broker, in the names of one namespace."""

    def __init__(self, settings: Settings, admin: Any, consumer: Any) -> None:
        self._settings = settings
        self._admin = admin
        self._consumer = consumer

    def ends(self, topics: tuple[Topic, ...]) -> dict[Place, int]:
        """The offset behind the last message of every partition of these topics."""
        ends: Mapping[TopicPartition, int] = self._consumer.end_offsets(self._places(topics))
        return {(place.topic, place.partition): end for place, end in ends.items()}

    def count(self, topics: tuple[Topic, ...]) -> int:
        """How many messages these topics hold: exact where nothing is compacted or cut by age."""
        places = self._places(topics)
        begins, ends = self._consumer.beginning_offsets(places), self._consumer.end_offsets(places)
        return sum(ends[place] - begins[place] for place in places)

    def groups(self) -> list[str]:
        """Names of the consumer groups of this namespace."""
        prefix = f"{self._settings.namespace}." if self._settings.namespace else "uncia-"
        names = [str(group["group_id"]) for group in self._admin.list_groups()]
        return [name for name in names if name.startswith(prefix)]

    def committed(self) -> dict[Place, int]:
        """How far the groups of this namespace have got: the furthest of each partition."""
        groups = self.groups()
        found: dict[Place, int] = {}
        answer = self._admin.list_group_offsets(dict.fromkeys(groups)) if groups else {}
        for offsets in answer.values():
            for place, position in offsets.items():
                here = (place.topic, place.partition)
                found[here] = max(found.get(here, 0), position.offset)
        return found

    def behind(self, topics: tuple[Topic, ...], ends: Mapping[Place, int] | None = None) -> int:
        """How many messages of these topics, up to `ends`, its groups have not settled."""
        committed = self.committed()
        behind = 0
        for place, end in (ends if ends is not None else self.ends(topics)).items():
            behind += max(0, end - committed.get(place, 0))
        return behind

    def remove(self, patience_s: float = 30) -> tuple[list[str], list[str]]:
        """Remove every topic and group of this namespace, and wait until they are gone; their names.

        The namespace must have a name: there is no way to remove live.
        """
        prefix = f"{self._settings.namespace}."
        assert "replay-" in prefix or "shadow-" in prefix
        removed: tuple[set[str], set[str]] = (set(), set())
        deadline = time.monotonic() + patience_s
        while True:
            topics = [name for name in self._admin.list_topics() if name.startswith(prefix)]
            groups = self.groups()
            if not topics and not groups:
                return sorted(removed[0]), sorted(removed[1])
            if time.monotonic() > deadline:
                raise DependencyDown(f"Kafka still has {', '.join([*topics, *groups])}: drop it again")
            removed[0].update(topics)
            removed[1].update(groups)
            if topics:
                self._admin.delete_topics(topics, raise_errors=False)
            # A group whose worker was killed has a member until its session ends: ask again.
            for group in groups:
                try:
                    self._admin.delete_groups([group])
                except KafkaError:
                    continue
            time.sleep(0.3)

    def _places(self, topics: tuple[Topic, ...]) -> list[TopicPartition]:
        places = []
        for topic in topics:
            name = topic.full_name(self._settings)
            places += [TopicPartition(name, part) for part in sorted(self._consumer.partitions_for_topic(name) or ())]
        return places
