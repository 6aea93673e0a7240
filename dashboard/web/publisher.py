"""Publishes what people decide: reviews and requests of explanations."""

import threading

from kafka.errors import KafkaError

from uncia.errors import DependencyDown
from uncia.events import ExplanationRequested, ObservationReviewed
from uncia.kafka.broker import CameraProducer
from uncia.settings import Settings
from uncia.topics import EXPLANATION_REQUESTED, OBSERVATION_REVIEWED

__all__ = ["Publisher"]


class Publisher:
    """Sends events to the partitions of their cameras; returns when the broker has confirmed them. Thread-safe.

    Connects when the first event is sent, and again after a failure. Raises `DependencyDown`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._producer: CameraProducer | None = None

    def publish(self, *events: ObservationReviewed | ExplanationRequested) -> None:
        """Publish events in order."""
        with self._lock:
            try:
                if self._producer is None:
                    self._producer = CameraProducer(self._settings)
                self._producer.send(
                    [
                        (OBSERVATION_REVIEWED, event.camera, event.burst_id.encode(), event.to_bytes())
                        if isinstance(event, ObservationReviewed)
                        else (EXPLANATION_REQUESTED, event.camera, event.camera.encode(), event.to_bytes())
                        for event in events
                    ]
                )
            except KafkaError as error:
                self.close()
                raise DependencyDown(f"Kafka did not take the decision ({error}); it was not stored") from error

    def close(self) -> None:
        """Close the connection."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close()
