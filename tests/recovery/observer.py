"""Consumes the topics through every failure and records what the checks need from every message."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from kafka.errors import KafkaError

from tests.waiting import SCALE
from uncia.errors import DependencyDown
from uncia.events import (
    BurstResolved,
    BurstStatus,
    CropPublished,
    DetectionResult,
    ExplanationRequested,
    ImageExplained,
    ImagePredicted,
    IndividualSighted,
)
from uncia.events.images import RECONCILE_SOURCE
from uncia.kafka.broker import Message, read_topics
from uncia.settings import Settings
from uncia.topics import (
    BURST_RESOLVED,
    CROP_PUBLISHED,
    DEAD_LETTER,
    EXPLANATION_REQUESTED,
    IMAGE_EXPLAINED,
    IMAGE_PREDICTED,
    INDIVIDUAL_SIGHTED,
    STORAGE_CHANGED,
)

_TOPICS = (
    IMAGE_PREDICTED,
    BURST_RESOLVED,
    DEAD_LETTER,
    STORAGE_CHANGED,
    CROP_PUBLISHED,
    EXPLANATION_REQUESTED,
    IMAGE_EXPLAINED,
    INDIVIDUAL_SIGHTED,
)

Boxes = tuple[tuple[str, float, tuple[float, ...]], ...]
"""Category, score and box of each detection of a photograph."""

_BY_RECONCILE = RECONCILE_SOURCE.encode()


@dataclass
class Station:
    """The events of one station."""

    results: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """Upload id to image id and reason of the rejection."""
    predicted_at: list[float] = field(default_factory=list)
    """Times of all predictions and rejections, with repetitions, by the broker's clock in seconds since the epoch."""
    resolved_at: list[float] = field(default_factory=list)
    """Times of all burst events."""
    bursts: dict[str, BurstResolved] = field(default_factory=dict)
    """The highest revision by burst id."""
    revisions: dict[tuple[str, int], bytes] = field(default_factory=dict)
    contradictions: set[tuple[str, int]] = field(default_factory=set)
    """Burst id and revision of events that were published twice with different contents."""
    announced_by_reconcile: int = 0
    uploads: dict[str, ImagePredicted] = field(default_factory=dict)
    """The last prediction by image id."""
    detections: dict[str, set[Boxes]] = field(default_factory=dict)
    """By image id; one value, unless two predictions of a photograph differ."""
    crops: dict[str, list[CropPublished]] = field(default_factory=dict)
    """All events by crop id."""
    requested: dict[str, str] = field(default_factory=dict)
    """Image ids by explanation id."""
    explained: dict[str, list[ImageExplained]] = field(default_factory=dict)
    """All events by explanation id."""
    sighted: dict[str, list[IndividualSighted]] = field(default_factory=dict)
    """All events by burst id."""

    def current_bursts(self) -> list[BurstResolved]:
        """Bursts that are not superseded."""
        return [burst for burst in self.bursts.values() if burst.status is not BurstStatus.SUPERSEDED]


class Observer:
    """Consumes the topics in a thread. Hold `lock` while reading a `Station`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stations: dict[str, Station] = {}
        self._positions: dict[tuple[str, int], int] = {}
        self._stop = threading.Event()
        self.lock = threading.Lock()
        self.dead_letters: list[str] = []

    def station(self, name: str) -> Station:
        """The events of one station; hold `lock` while reading it."""
        return self._stations.setdefault(name, Station())

    @contextlib.contextmanager
    def watching(self) -> Iterator["Observer"]:
        """Consume while the context is entered."""
        thread = threading.Thread(target=self._follow, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join(SCALE * 15)

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                for message in read_topics(self._settings, _TOPICS, from_positions=self._positions, stop=self._stop):
                    with self.lock:
                        self._record(message)
                    self._positions[(message.topic, message.partition)] = message.offset + 1
            except (DependencyDown, KafkaError, ValueError):
                # ValueError comes from kafka-python when the broker exits while the client is being closed.
                self._stop.wait(0.3)

    def _record(self, message: Message) -> None:
        value, time_s = message.value or b"", message.timestamp_ms / 1000
        if message.topic == IMAGE_PREDICTED.full_name(self._settings):
            self._record_prediction(ImagePredicted.from_bytes(value), time_s)
        elif message.topic == BURST_RESOLVED.full_name(self._settings):
            if message.value is not None:
                self._record_burst(BurstResolved.from_bytes(value), value, time_s)
        elif message.topic == CROP_PUBLISHED.full_name(self._settings):
            crop = CropPublished.from_bytes(value)
            self.station(crop.station).crops.setdefault(crop.crop_id, []).append(crop)
        elif message.topic == EXPLANATION_REQUESTED.full_name(self._settings):
            request = ExplanationRequested.from_bytes(value)
            self.station(request.station).requested[request.explanation_id] = request.image_id
        elif message.topic == IMAGE_EXPLAINED.full_name(self._settings):
            answer = ImageExplained.from_bytes(value)
            self.station(answer.station).explained.setdefault(answer.explanation_id, []).append(answer)
        elif message.topic == INDIVIDUAL_SIGHTED.full_name(self._settings):
            if message.value is not None:
                sighting = IndividualSighted.from_bytes(value)
                self.station(sighting.station).sighted.setdefault(sighting.burst_id, []).append(sighting)
        elif message.topic == DEAD_LETTER.full_name(self._settings):
            self.dead_letters.append(f"{message.key!r}")
        elif _BY_RECONCILE in value and message.key is not None:
            parts = message.key.decode(errors="replace").split("/")
            if len(parts) > 3:
                self.station(parts[3]).announced_by_reconcile += 1

    def _record_prediction(self, image: ImagePredicted, time_s: float) -> None:
        station = self.station(image.station)
        station.results[image.upload_id] = (image.image_id, image.rejection.reason if image.rejection else None)
        station.predicted_at.append(time_s)
        station.uploads[image.image_id] = image
        if image.rejection is None:
            station.detections.setdefault(image.image_id, set()).add(_boxes(image.detection))

    def _record_burst(self, burst: BurstResolved, value: bytes, time_s: float) -> None:
        station = self.station(burst.station)
        station.resolved_at.append(time_s)
        if station.revisions.setdefault((burst.burst_id, burst.revision), value) != value:
            station.contradictions.add((burst.burst_id, burst.revision))
        previous = station.bursts.get(burst.burst_id)
        if previous is None or burst.revision >= previous.revision:
            station.bursts[burst.burst_id] = burst


def _boxes(result: DetectionResult | None) -> Boxes:
    found = result.detections if result is not None else ()
    return tuple((str(box.category), box.score, tuple(box.box)) for box in found)
