"""Publishes what people decide: reviews, requests of explanations and photographs, alerts, and individuals."""

import threading

import structlog
from kafka.errors import KafkaError

from uncia.dashboard.web.strings import text
from uncia.errors import DependencyDown, PermanentError
from uncia.events import (
    AlertHandled,
    BurstResolved,
    ExplanationRequested,
    FetchRequested,
    IndividualDecided,
    ObservationReviewed,
)
from uncia.kafka.broker import CameraProducer, MessageReader
from uncia.kafka.partitioning import partition_of
from uncia.settings import Settings
from uncia.topics import (
    ALERT_HANDLED,
    BURST_RESOLVED,
    EXPLANATION_REQUESTED,
    FETCH_REQUESTED,
    INDIVIDUAL_DECIDED,
    OBSERVATION_REVIEWED,
    Topic,
)

__all__ = ["Decided", "Publisher"]

Decided = ObservationReviewed | ExplanationRequested | FetchRequested | AlertHandled | IndividualDecided
"""What people decide."""

_MAX_EVENT_BYTES = 400_000
"""Of an event within a review; frames are left out of a larger one."""

log = structlog.get_logger(__name__)


def _message(event: Decided) -> tuple[Topic, str, bytes, bytes]:
    """Topic, what the partition is computed from, key and value."""
    if isinstance(event, ObservationReviewed):
        return OBSERVATION_REVIEWED, event.camera, event.burst_id.encode(), event.to_bytes()
    if isinstance(event, AlertHandled):
        return ALERT_HANDLED, event.partitioned_by, event.key.encode(), event.to_bytes()
    if isinstance(event, IndividualDecided):
        return INDIVIDUAL_DECIDED, event.partition_key, event.message_key, event.to_bytes()
    topic = FETCH_REQUESTED if isinstance(event, FetchRequested) else EXPLANATION_REQUESTED
    return topic, event.camera, event.camera.encode(), event.to_bytes()


class Publisher:
    """Sends events to the partitions of their cameras; returns when the broker has confirmed them. Thread-safe.

    Connects when the first event is sent, and again after a failure. Raises `DependencyDown`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._producer: CameraProducer | None = None
        self._reader: MessageReader | None = None

    def publish(self, *events: Decided) -> None:
        """Publish events in order."""
        with self._lock:
            try:
                if self._producer is None:
                    self._producer = CameraProducer(self._settings)
                self._producer.send([_message(event) for event in events])
            except KafkaError as error:
                self.close()
                raise DependencyDown(text("refused.publisher", reason=error)) from error

    def newest_event(self, camera: str, burst_id: str, offset: int) -> str | None:
        """The event of a burst at an offset of its topic, as JSON; None where it is not there any more, or too large.

        The bursts worker needs it for bursts that it no longer holds. Without it the review counts in the catalogue
        alone, so that a failure is logged and not raised.
        """
        partition = partition_of(camera, self._settings.partitions)
        with self._lock:
            try:
                if self._reader is None:
                    self._reader = MessageReader(self._settings)
                message = self._reader.read(BURST_RESOLVED, partition, offset)
                if message is None or message.value is None:
                    return None
                event = BurstResolved.from_bytes(message.value)
            except (KafkaError, DependencyDown, PermanentError) as error:
                log.warning("burst_event_not_read", burst_id=burst_id, offset=offset, error=str(error))
                self._close_reader()
                return None
        if event.burst_id != burst_id:
            return None
        return event.truncated_to(_MAX_EVENT_BYTES).to_bytes().decode()

    def close(self) -> None:
        """Close the connections."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close()
        self._close_reader()

    def _close_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
