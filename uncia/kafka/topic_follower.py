"""Follows a small topic for a worker: reads it to its end before the worker starts, and then what is added."""

import threading
from collections.abc import Callable, Iterator

import structlog
from kafka.errors import KafkaError

from uncia.errors import DependencyDown, LogTruncated
from uncia.kafka.broker import Message, read_topics
from uncia.settings import Settings
from uncia.topics import Topic

__all__ = ["TopicFollower"]

_RETRY_INTERVAL_S = 1.0

log = structlog.get_logger("uncia")


class TopicFollower:
    """Hands every message of a topic to `apply`, in the order of its partitions, from a thread of its own.

    After an outage it goes on where it was. Where the broker lost messages that were read, it calls `reset`, and reads
    the topic from its beginning.
    """

    def __init__(
        self,
        settings: Settings,
        topic: Topic,
        name: str,
        apply: Callable[[Message], None],
        reset: Callable[[], None] = lambda: None,
    ) -> None:
        """`name`: what the topic holds, for the log and for errors, in the plural."""
        self._settings, self._topic, self._name = settings, topic, name
        self._apply, self._reset = apply, reset
        self._positions: dict[tuple[str, int], int] = {}
        self._loaded, self._stop = threading.Event(), threading.Event()
        # A daemon: a worker that stops does not wait for it.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self, timeout_s: float = 60) -> None:
        """Return when the topic was read to its end. Raises `DependencyDown` after `timeout_s` seconds."""
        self._thread.start()
        if not self._loaded.wait(timeout_s):
            self._stop.set()
            raise DependencyDown(f"the {self._name} could not be read from Kafka within {timeout_s:g} s")

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        failed = False
        while not self._stop.is_set():
            try:
                for message in self._messages():
                    place = (message.topic, message.partition)
                    if message.offset < self._positions.get(place, 0):
                        raise LogTruncated(f"{message.topic} begins again in partition {message.partition}")
                    self._apply(message)
                    self._positions[place] = message.offset + 1
                    failed = False
                self._loaded.set()
            except (DependencyDown, KafkaError) as error:
                if isinstance(error, LogTruncated):
                    self._positions.clear()
                    self._reset()
                if not failed:
                    log.warning(f"{self._name}_unavailable", error=str(error))
                failed = True
                self._stop.wait(_RETRY_INTERVAL_S)

    def _messages(self) -> Iterator[Message]:
        return read_topics(
            self._settings,
            (self._topic,),
            from_positions=self._positions,
            until_end=not self._loaded.is_set(),
            stop=self._stop,
        )
