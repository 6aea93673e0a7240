"""Puts our own announcements on the store's topic, confirmed, and slowly enough that a live photograph gets between."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice

from kafka import KafkaProducer
from kafka.errors import KafkaError

from uncia.errors import DependencyDown
from uncia.producers.reconcile.ledger import Move
from uncia.producers.reconcile.notification import notification_of, path_of
from uncia.settings import Settings
from uncia.storage.object_store import StoredObject
from uncia.topics import STORAGE_CHANGED

_CONFIRMED_WITHIN_S = 30
_AT_ONCE_S = 0.1


def announce(settings: Settings, objects: Iterable[StoredObject], pause: Callable[[float], None] = time.sleep) -> None:
    """Announce these objects; returns when the broker has all of them. Raises `DependencyDown`."""
    bucket = settings.bucket
    _send(settings, ((path_of(bucket, one.key), notification_of(bucket, one)) for one in objects), pause)


def announce_moves(settings: Settings, moves: Iterable[Move], pause: Callable[[float], None] = time.sleep) -> None:
    """Announce that these uploads' objects are gone and where their content stands. Raises `DependencyDown`."""
    bucket = settings.bucket
    told = (
        (path_of(bucket, move.place.key), notification_of(bucket, _gone(move), moved_to=move.heir)) for move in moves
    )
    _send(settings, told, pause)


def _gone(move: Move) -> StoredObject:
    one = move.place
    return StoredObject(one.key, one.etag, one.size, datetime.fromtimestamp(one.uploaded_at, UTC))


def _send(settings: Settings, messages: Iterable[tuple[bytes, bytes]], pause: Callable[[float], None]) -> None:
    """Send keys and values, confirmed.

    Intake reads live notifications and ours in one queue, so that no more than `settings.reconcile_per_s` a second
    are put there: tens of thousands at once would stand before whatever is photographed in the next minute.
    """
    topic = STORAGE_CHANGED.full_name(settings)
    at_once = max(1, round(settings.reconcile_per_s * _AT_ONCE_S))
    waiting = iter(messages)
    try:
        producer = KafkaProducer(
            bootstrap_servers=[server.strip() for server in settings.kafka.split(",")], acks="all", linger_ms=20
        )
        try:
            while some := list(islice(waiting, at_once)):
                began = time.monotonic()
                sent = [producer.send(topic, key=key, value=value) for key, value in some]
                for future in sent:
                    future.get(timeout=_CONFIRMED_WITHIN_S)
                if len(some) == at_once:
                    pause(max(0.0, at_once / settings.reconcile_per_s - (time.monotonic() - began)))
        finally:
            producer.close(timeout=_CONFIRMED_WITHIN_S)
    except KafkaError as error:
        raise DependencyDown(f"Kafka at {settings.kafka} did not confirm ({error})") from error
