"""Consumes the result topics while the tests run, so that a test can wait for the results of its uploads."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from kafka.errors import KafkaError

from tests.waiting import SCALE
from uncia.errors import DependencyDown
from uncia.events import BurstResolved, DeadLetter, ImagePredicted
from uncia.kafka.broker import Message, read_topics
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, DEAD_LETTER, IMAGE_PREDICTED, Topic

T = TypeVar("T")

JUNK_HEADER = "uncia-test-junk"
"""Header of the invalid messages that tests produce to result topics; `ResultConsumer` ignores them."""


def is_junk(message: Message) -> bool:
    """True for an invalid message that a test produced."""
    return any(name == JUNK_HEADER for name, _ in message.headers)


def messages_of_uncia(settings: Settings, *topics: Topic) -> list[Message]:
    """All messages of the topics, without tombstones and without the invalid messages that tests produced.

    Other tests of the same stack send such messages at any time, so a test that reads a shared topic reads it so.
    """
    messages = read_topics(settings, topics, from_beginning=True, until_end=True)
    return [message for message in messages if message.value is not None and not is_junk(message)]


@dataclass(frozen=True)
class RefusedMessage:
    """A dead letter: its cause and the original message."""

    cause: DeadLetter
    key: bytes | None
    value: bytes | None


class ResultConsumer:
    """All results since the stack was started: predictions by object key, bursts by camera, and dead letters.

    Thread-safe: one thread consumes, and tests read copies.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._changed = threading.Condition()
        self._seen: set[tuple[str, int, int]] = set()
        self._predicted: dict[str, list[ImagePredicted]] = defaultdict(list)
        self._bursts: dict[str, dict[str, BurstResolved]] = defaultdict(dict)
        self._revisions: dict[str, list[BurstResolved]] = defaultdict(list)
        self._dead_letters: list[RefusedMessage] = []
        self.failure: BaseException | None = None

    @contextmanager
    def consuming(self) -> Iterator["ResultConsumer"]:
        """Consume in a thread until the block ends. After a broker failure, start over at the earliest offset."""
        stop = threading.Event()
        thread = threading.Thread(target=self._consume, args=(stop,), name="result-consumer")
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join(SCALE * 20)

    def predictions(self, key: str) -> list[ImagePredicted]:
        """All predictions and rejections of uploads with this key, in order."""
        with self._changed:
            return list(self._predicted[key])

    def of_camera(self, camera: str) -> list[ImagePredicted]:
        """All predictions and rejections of a camera."""
        with self._changed:
            return [image for images in self._predicted.values() for image in images if image.camera == camera]

    def bursts(self, camera: str) -> list[BurstResolved]:
        """The latest revision of every burst of a camera, in order of time."""
        with self._changed:
            return sorted(self._bursts[camera].values(), key=lambda burst: burst.started_at)

    def revisions(self, burst_id: str) -> list[BurstResolved]:
        """All revisions of one burst, in order."""
        with self._changed:
            return list(self._revisions[burst_id])

    def dead_letters(self, matching: Callable[[RefusedMessage], bool]) -> list[RefusedMessage]:
        """Dead letters that match."""
        with self._changed:
            return [letter for letter in self._dead_letters if matching(letter)]

    def wait_for(self, condition: Callable[[], T | None], limit_s: float = 30, what: str = "") -> T:
        """The condition's value as soon as it is true. Fails the test when it is not within the scaled limit."""
        deadline = time.monotonic() + SCALE * limit_s
        while not (value := condition()):
            if self.failure is not None:
                raise AssertionError("an event on the topics cannot be read") from self.failure
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {SCALE * limit_s:g} s: {what or condition}")
            with self._changed:
                self._changed.wait(0.1)
        return value

    def _consume(self, stop: threading.Event) -> None:
        topics = (IMAGE_PREDICTED, BURST_RESOLVED, DEAD_LETTER)
        while not stop.is_set():
            try:
                for message in read_topics(self.settings, topics, from_beginning=True, stop=stop):
                    self._record(message)
            except (DependencyDown, KafkaError):
                stop.wait(0.5)
            except Exception as error:
                self.failure = error
                return

    def _record(self, message: Message) -> None:
        position = (message.topic, message.partition, message.offset)
        with self._changed:
            if position in self._seen:
                return
            self._seen.add(position)
            if message.topic != DEAD_LETTER.full_name(self.settings) and is_junk(message):
                return
            if message.topic == IMAGE_PREDICTED.full_name(self.settings):
                image = ImagePredicted.from_bytes(message.value)
                self._predicted[image.key].append(image)
            elif message.topic == DEAD_LETTER.full_name(self.settings):
                cause = DeadLetter.from_headers(message.headers)
                self._dead_letters.append(RefusedMessage(cause, message.key, message.value))
            elif message.value is not None:
                burst = BurstResolved.from_bytes(message.value)
                self._revisions[burst.burst_id].append(burst)
                newest = self._bursts[burst.camera].get(burst.burst_id)
                if newest is None or newest.revision <= burst.revision:
                    self._bursts[burst.camera][burst.burst_id] = burst
            self._changed.notify_all()
