"""Publishes notifications on the store's topic, with a rate limit, so that live photographs are not delayed."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice

from kafka.errors import KafkaError

from uncia.errors import DependencyDown
from uncia.kafka.connection import connect_producer
from uncia.producers.reconcile.ledger import MovedUpload
from uncia.producers.reconcile.notifications import notification_of, path_of
from uncia.settings import Settings
from uncia.storage.object_store import StoredObject
from uncia.topics import STORAGE_CHANGED

_CONFIRM_TIMEOUT_S = 30
_BATCH_S = 0.1
"""Length of a batch in seconds at the configured rate."""


def announce(settings: Settings, objects: Iterable[StoredObject], pause: Callable[[float], None] = time.sleep) -> None:
    """Announce stored objects. Returns when the broker has confirmed all of them. Raises `DependencyDown`."""
    bucket = settings.bucket
    _send(settings, ((path_of(bucket, stored.key), notification_of(bucket, stored)) for stored in objects), pause)


def announce_moves(
    settings: Settings, moves: Iterable[MovedUpload], pause: Callable[[float], None] = time.sleep
) -> None:
    """Announce that these uploads' objects moved to other keys. Raises `DependencyDown`."""
    bucket = settings.bucket
    messages = (
        (path_of(bucket, move.location.key), notification_of(bucket, _removed_object(move), moved_to=move.new_key))
        for move in moves
    )
    _send(settings, messages, pause)


def _removed_object(move: MovedUpload) -> StoredObject:
    location = move.location
    uploaded_at = datetime.fromtimestamp(location.uploaded_at, UTC)
    return StoredObject(location.key, location.etag, location.size, uploaded_at)


def _send(settings: Settings, messages: Iterable[tuple[bytes, bytes]], pause: Callable[[float], None]) -> None:
    """Send keys and values in batches, and wait for the confirmation of each batch.

    Intake reads these notifications and the live ones from one topic. At most `settings.reconcile_per_s` are sent a
    second: tens of thousands at once would delay every photograph of the next minute.
    """
    topic = STORAGE_CHANGED.full_name(settings)
    batch_size = max(1, round(settings.reconcile_per_s * _BATCH_S))
    waiting = iter(messages)
    try:
        producer = connect_producer(settings, acks="all", linger_ms=20)
        try:
            while batch := list(islice(waiting, batch_size)):
                began = time.monotonic()
                sent = [producer.send(topic, key=key, value=value) for key, value in batch]
                for future in sent:
                    future.get(timeout=_CONFIRM_TIMEOUT_S)
                if len(batch) == batch_size:
                    pause(max(0.0, batch_size / settings.reconcile_per_s - (time.monotonic() - began)))
        finally:
            producer.close(timeout=_CONFIRM_TIMEOUT_S)
    except KafkaError as error:
        raise DependencyDown(f"Kafka at {settings.kafka} did not confirm ({error})") from error
