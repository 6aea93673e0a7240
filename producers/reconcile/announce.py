"""Puts our own announcements on the store's topic, confirmed, and slowly enough that a live photograph gets between."""

import time
from collections.abc import Callable, Iterable
from itertools import islice

from kafka import KafkaProducer
from kafka.errors import KafkaError

from producers.reconcile.notification import notification_of, path_of
from uncia.errors import DependencyDown
from uncia.object_store import StoredObject
from uncia.settings import Settings
from uncia.topics import STORAGE_CHANGED

_CONFIRMED_WITHIN_S = 30
_AT_ONCE_S = 0.1


def announce(settings: Settings, objects: Iterable[StoredObject], pause: Callable[[float], None] = time.sleep) -> None:
    """Announce these objects; returns when the broker has all of them. Raises `DependencyDown`.

    Intake reads live notifications and ours in one queue, so that no more than `settings.reconcile_per_s` a second
    are put there: tens of thousands at once would stand before whatever is photographed in the next minute.
    """
    topic, bucket = STORAGE_CHANGED.full_name(settings), settings.bucket
    at_once = max(1, round(settings.reconcile_per_s * _AT_ONCE_S))
    waiting = iter(objects)
    try:
        producer = KafkaProducer(
            bootstrap_servers=[server.strip() for server in settings.kafka.split(",")], acks="all", linger_ms=20
        )
        try:
            while some := list(islice(waiting, at_once)):
                began = time.monotonic()
                sent = [
                    producer.send(topic, key=path_of(bucket, stored.key), value=notification_of(bucket, stored))
                    for stored in some
                ]
                for future in sent:
                    future.get(timeout=_CONFIRMED_WITHIN_S)
                if len(some) == at_once:
                    pause(max(0.0, at_once / settings.reconcile_per_s - (time.monotonic() - began)))
        finally:
            producer.close(timeout=_CONFIRMED_WITHIN_S)
    except KafkaError as error:
        raise DependencyDown(f"Kafka at {settings.kafka} did not confirm ({error})") from error
