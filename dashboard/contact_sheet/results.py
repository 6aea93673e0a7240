"""Aggregates the messages of the result topics for the contact sheet; pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from uncia.errors import PermanentError
from uncia.events import BurstCategory, BurstResolved, BurstStatus, CropPublished, ImagePredicted
from uncia.events.dead_letter import DeadLetter
from uncia.kafka.broker import Message
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, CROP_PUBLISHED, DEAD_LETTER, IMAGE_PREDICTED


@dataclass(frozen=True)
class RejectedFile:
    """A photograph that was rejected, or a message that became a dead letter."""

    key: str
    reason: str
    message: str
    image_id: str = ""


@dataclass
class ResultSet:
    """The newest revision of each burst, the rejections, the dead letters, and the delays of the predictions."""

    bursts: dict[str, BurstResolved] = field(default_factory=dict)
    rejected: dict[str, RejectedFile] = field(default_factory=dict)
    """By upload id."""
    dead: list[RejectedFile] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """Seconds from upload to prediction, by upload id."""
    crops: dict[str, CropPublished] = field(default_factory=dict)
    """The newest event of each crop, by crop id."""
    unreadable: int = 0
    """Messages that are not events, or of a later schema version."""

    @classmethod
    def of(cls, messages: Iterable[Message], settings: Settings) -> "ResultSet":
        """Aggregate messages of the result topics in any order; unreadable ones are counted and skipped."""
        results = cls()
        for message in messages:
            try:
                results._add(message, settings)
            except PermanentError:
                results.unreadable += 1
        return results

    def _add(self, message: Message, settings: Settings) -> None:
        if message.topic == DEAD_LETTER.full_name(settings):
            letter = DeadLetter.from_headers(message.headers)
            name = (message.key or b"").decode(errors="replace")
            self.dead.append(RejectedFile(name, letter.reason, letter.message))
        elif message.topic == IMAGE_PREDICTED.full_name(settings):
            self._add_prediction(ImagePredicted.from_bytes(message.value))
        elif message.topic == BURST_RESOLVED.full_name(settings) and message.value is not None:
            burst = BurstResolved.from_bytes(message.value)
            known = self.bursts.get(burst.burst_id)
            if known is None or burst.revision >= known.revision:
                self.bursts[burst.burst_id] = burst

        elif message.topic == CROP_PUBLISHED.full_name(settings) and message.value is not None:
            crop = CropPublished.from_bytes(message.value)
            known_crop = self.crops.get(crop.crop_id)
            if known_crop is None or crop.published_at >= known_crop.published_at:
                self.crops[crop.crop_id] = crop

    def of_stations(self, stations: Collection[str]) -> "ResultSet":
        """The bursts and rejections of these stations. Dead letters are of no station, and are left out."""
        return replace(
            self,
            bursts={name: burst for name, burst in self.bursts.items() if burst.station in stations},
            rejected={name: file for name, file in self.rejected.items() if file.key.partition("/")[0] in stations},
            dead=[],
        )

    def published_crop(self, burst: BurstResolved) -> CropPublished | None:
        """The burst's best crop, while it is in the store."""
        best = burst.best_crop
        if best is None or burst.crops_withheld:
            return None
        fitting = (crop for crop in self.crops.values() if crop.image_id == best.image_id and crop.box == best.box)
        return next((crop for crop in fitting if crop.withdrawn is None), None)

    def _add_prediction(self, event: ImagePredicted) -> None:
        self.seconds.setdefault(event.upload_id, (event.predicted_at - event.uploaded_at).total_seconds())
        if event.prediction is not None:
            self.rejected.pop(event.upload_id, None)
        if event.rejection is not None:
            self.rejected[event.upload_id] = RejectedFile(
                event.key, event.rejection.reason, event.rejection.message, event.image_id
            )

    def current_bursts(self) -> list[BurstResolved]:
        """The bursts that are not superseded: focus taxa first, blanks last, then by camera and time."""
        bursts = [burst for burst in self.bursts.values() if burst.status is not BurstStatus.SUPERSEDED]
        return sorted(
            bursts,
            key=lambda b: (
                not (b.verdict and b.verdict.focus and b.category is not BurstCategory.BLANK),
                b.category is BurstCategory.BLANK,
                b.verdict is None and b.category is None,
                b.camera,
                b.started_at,
            ),
        )
