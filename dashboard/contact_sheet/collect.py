"""What the result topics say by now, gathered for the page; pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from uncia.errors import PermanentError
from uncia.events import BurstResolved, BurstStatus, ImagePredicted
from uncia.events.dead_letter import DeadLetter
from uncia.kafka.broker import Message
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, DEAD_LETTER, IMAGE_PREDICTED


@dataclass(frozen=True)
class RejectedFile:
    """A photograph that was answered by a rejection, or a message that became a dead letter."""

    key: str
    reason: str
    message: str
    image_id: str = ""


@dataclass
class Results:
    """The newest revision of each burst, the rejections, the dead letters, and how long answers took."""

    bursts: dict[str, BurstResolved] = field(default_factory=dict)
    rejected: dict[str, RejectedFile] = field(default_factory=dict)
    dead: list[RejectedFile] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """From upload to prediction, by upload id."""
    unreadable: int = 0
    """Messages that are no events of ours, or of a later version."""

    @classmethod
    def of(cls, messages: Iterable[Message], settings: Settings) -> "Results":
        """Gather. Messages that no reader of this version understands are passed over."""
        results = cls()
        for message in messages:
            try:
                results._take(message, settings)
            except PermanentError:
                results.unreadable += 1
        return results

    def _take(self, message: Message, settings: Settings) -> None:
        if message.topic == DEAD_LETTER.full_name(settings):
            letter = DeadLetter.from_headers(message.headers)
            name = (message.key or b"").decode(errors="replace")
            self.dead.append(RejectedFile(name, letter.reason, letter.message))
        elif message.topic == IMAGE_PREDICTED.full_name(settings):
            self._take_image(ImagePredicted.from_bytes(message.value))
        elif message.topic == BURST_RESOLVED.full_name(settings) and message.value is not None:
            burst = BurstResolved.from_bytes(message.value)
            known = self.bursts.get(burst.burst_id)
            if known is None or burst.revision >= known.revision:
                self.bursts[burst.burst_id] = burst

    def _take_image(self, image: ImagePredicted) -> None:
        self.seconds.setdefault(image.upload_id, (image.predicted_at - image.uploaded_at).total_seconds())
        if image.prediction is not None:
            self.rejected.pop(image.upload_id, None)
        if image.rejection is not None:
            self.rejected[image.upload_id] = RejectedFile(
                image.key, image.rejection.reason, image.rejection.message, image.image_id
            )

    def standing(self) -> list[BurstResolved]:
        """Bursts that are in use: focus taxa first, then by camera and time."""
        bursts = [burst for burst in self.bursts.values() if burst.status is not BurstStatus.SUPERSEDED]
        return sorted(
            bursts,
            key=lambda b: (not (b.verdict and b.verdict.focus), b.verdict is None, b.camera, b.started_at),
        )
