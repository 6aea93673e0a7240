"""Puts our own announcements on the store's topic, confirmed."""

from collections.abc import Iterable

from kafka import KafkaProducer
from kafka.errors import KafkaError

from producers.reconcile.notification import notification_of, path_of
from uncia.errors import DependencyDown
from uncia.object_store import StoredObject
from uncia.settings import Settings
from uncia.topics import STORAGE_CHANGED

_CONFIRMED_WITHIN_S = 30


def announce(settings: Settings, objects: Iterable[StoredObject]) -> None:
    """Announce these objects; returns when the broker has all of them. Raises `DependencyDown`."""
    topic, bucket = STORAGE_CHANGED.full_name(settings), settings.bucket
    try:
        producer = KafkaProducer(
            bootstrap_servers=[server.strip() for server in settings.kafka.split(",")], acks="all", linger_ms=20
        )
        try:
            sent = [
                producer.send(topic, key=path_of(bucket, stored.key), value=notification_of(bucket, stored))
                for stored in objects
            ]
            for future in sent:
                future.get(timeout=_CONFIRMED_WITHIN_S)
        finally:
            producer.close(timeout=_CONFIRMED_WITHIN_S)
    except KafkaError as error:
        raise DependencyDown(f"Kafka at {settings.kafka} did not confirm ({error})") from error
