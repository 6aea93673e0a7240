"""Watches the topics from outside, through every failure, and remembers little of each message."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from kafka.errors import KafkaError

from uncia.errors import DependencyDown
from uncia.events import BurstResolved, BurstStatus, ImagePredicted
from uncia.events.images import RECONCILE_SOURCE
from uncia.kafka.broker import Message, read_topics
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, DEAD_LETTER, IMAGE_PREDICTED, STORAGE_CHANGED

_BY_RECONCILE = RECONCILE_SOURCE.encode()


@dataclass
class Station:
    """What was said of one station."""

    answers: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """Upload id to image id and reason of the rejection."""
    answered_at: list[float] = field(default_factory=list)
    """When an answer was written, by the broker's clock, seconds since 1970; repetitions too."""
    resolved_at: list[float] = field(default_factory=list)
    """When a verdict was sent."""
    bursts: dict[str, BurstResolved] = field(default_factory=dict)
    """By burst id, the highest revision."""
    said: dict[tuple[str, int], bytes] = field(default_factory=dict)
    contradictions: set[tuple[str, int]] = field(default_factory=set)
    """Burst id and revision of which two different things were said."""
    announced_by_reconcile: int = 0

    def standing(self) -> list[BurstResolved]:
        """Bursts in use."""
        return [burst for burst in self.bursts.values() if burst.status is not BurstStatus.SUPERSEDED]


class Observer:
    """Follows the topics in a thread; `station` may be asked at any time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stations: dict[str, Station] = {}
        self._positions: dict[tuple[str, int], int] = {}
        self._stop = threading.Event()
        self.lock = threading.Lock()
        self.dead_letters: list[str] = []

    def station(self, name: str) -> Station:
        """Everything about one station; hold `lock` while reading it."""
        return self._stations.setdefault(name, Station())

    @contextlib.contextmanager
    def watching(self) -> Iterator["Observer"]:
        """Follow for as long as the context lasts."""
        thread = threading.Thread(target=self._follow, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join(15)

    def _follow(self) -> None:
        topics = (IMAGE_PREDICTED, BURST_RESOLVED, DEAD_LETTER, STORAGE_CHANGED)
        while not self._stop.is_set():
            try:
                for message in read_topics(self._settings, topics, from_positions=self._positions, stop=self._stop):
                    with self.lock:
                        self._take(message)
                    self._positions[(message.topic, message.partition)] = message.offset + 1
            except (DependencyDown, KafkaError, ValueError):
                # ValueError: kafka-python, when the broker ends while the client is being closed.
                self._stop.wait(0.3)

    def _take(self, message: Message) -> None:
        value = message.value or b""
        if message.topic == IMAGE_PREDICTED.full_name(self._settings):
            answer = ImagePredicted.from_bytes(value)
            station = self.station(answer.station)
            station.answers[answer.upload_id] = (
                answer.image_id,
                answer.rejection.reason if answer.rejection else None,
            )
            station.answered_at.append(message.timestamp_ms / 1000)
        elif message.topic == BURST_RESOLVED.full_name(self._settings):
            if message.value is not None:
                self._take_burst(BurstResolved.from_bytes(value), value, message.timestamp_ms / 1000)
        elif message.topic == DEAD_LETTER.full_name(self._settings):
            self.dead_letters.append(f"{message.key!r}")
        elif _BY_RECONCILE in value and message.key is not None:
            parts = message.key.decode(errors="replace").split("/")
            if len(parts) > 3:
                self.station(parts[3]).announced_by_reconcile += 1

    def _take_burst(self, burst: BurstResolved, value: bytes, at: float) -> None:
        station = self.station(burst.station)
        station.resolved_at.append(at)
        if station.said.setdefault((burst.burst_id, burst.revision), value) != value:
            station.contradictions.add((burst.burst_id, burst.revision))
        known = station.bursts.get(burst.burst_id)
        if known is None or burst.revision >= known.revision:
            station.bursts[burst.burst_id] = burst
