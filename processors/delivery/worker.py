"""The service: alerts from the log into the outbox, each exactly once, and one sender per channel that empties it."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
from kafka.errors import KafkaError

from uncia.backoff import Backoff
from uncia.camtrap.deployments import DeploymentReader
from uncia.errors import DependencyDown, SettingsError, UnciaError
from uncia.kafka.broker import topic_ids
from uncia.kafka.offset_consumer import OffsetConsumer
from uncia.processors.delivery.alert_intake import AlertIntake, start_offsets
from uncia.processors.delivery.channels import Channel
from uncia.processors.delivery.mutes import MuteReader, Mutes
from uncia.processors.delivery.outbox import Outbox, Place
from uncia.processors.delivery.senders import Sender, sender_of
from uncia.processors.delivery.team import Team
from uncia.settings import Settings, stack_dir
from uncia.storage.process_lock import exclusive
from uncia.telemetry import mark_ready
from uncia.topics import ALERT_RAISED

__all__ = ["DELIVERY_GROUP", "deliver", "outbox_path"]

DELIVERY_GROUP = "uncia-deliver"
"""The consumer group that shows the lag. The offsets that count are in the outbox."""

_POLL_S = 0.5
_COMMIT_INTERVAL_S = 1.0
_LAST_COMMIT_S = 2.0
_TOPIC_S = 10.0
_LOG_INTERVAL_S = 30.0
_BACKOFF = Backoff(first_s=0.5, max_s=30)

log = structlog.get_logger("uncia")


def outbox_path(settings: Settings) -> Path:
    """The file of the outbox."""
    return settings.delivery_database or stack_dir() / "data" / "delivery" / "outbox.sqlite"


def deliver(settings: Settings, stop: threading.Event, make_sender: Callable[[Channel], Sender] = sender_of) -> None:
    """Deliver alerts until `stop` is set.

    While Kafka or the disk is unavailable, it waits, and then goes on from the offsets in the outbox. Raises
    `SettingsError` for a file of channels that cannot be used, `OutboxRefused`, and `UnciaError` where another process
    delivers from this outbox.
    """
    if settings.channels is None:
        raise SettingsError("set UNCIA_CHANNELS to the file of channels (docs/delivery.md)")
    path = outbox_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    refusal = UnciaError(f"another process delivers from {path}: one is enough, stop it first")
    with exclusive(path.with_name(f"{path.name}.lock"), refusal), Outbox(path) as outbox:
        team = Team(settings, settings.channels, outbox, make_sender)
        try:
            _follow(settings, outbox, team, stop)
        finally:
            team.stop()


def _follow(settings: Settings, outbox: Outbox, team: Team, stop: threading.Event) -> None:
    failures, logged, mutes = 0, float("-inf"), Mutes()
    readers: list[DeploymentReader | MuteReader] = []
    while not stop.is_set():
        try:
            while len(readers) < 2:
                fresh = MuteReader(settings, mutes) if readers else DeploymentReader(settings, team.deployments)
                fresh.start(_TOPIC_S)
                readers.append(fresh)
            for _ in _queue_batches(settings, outbox, mutes, team, stop):
                failures = 0
        except (DependencyDown, KafkaError, sqlite3.Error) as error:
            failures += 1
            if time.monotonic() - logged > _LOG_INTERVAL_S:
                logged = time.monotonic()
                log.warning("delivery_waits", error=str(error) or type(error).__name__)
            stop.wait(_BACKOFF.delay_s(failures))
    for reader in readers:
        reader.close()


def _queue_batches(
    settings: Settings, outbox: Outbox, mutes: Mutes, team: Team, stop: threading.Event
) -> Iterator[None]:
    """Queue alerts until `stop` is set; yields after each batch, and when there is nothing to read."""
    full_name = ALERT_RAISED.full_name(settings)
    with OffsetConsumer(settings, (ALERT_RAISED,), DELIVERY_GROUP) as consumer:
        ids = {ALERT_RAISED.name: topic_ids(settings, (ALERT_RAISED,))[full_name]}
        ends = {(ALERT_RAISED.name, number): end for (_, number), end in consumer.end_offsets().items()}
        offsets = start_offsets(outbox.partitions(), ids, ends, time.time())
        intake = AlertIntake(outbox, mutes)
        outbox.apply((), offsets)

        def shown_offsets() -> dict[Place, int]:
            return {(full_name, number): place.next_offset for (_, number), place in offsets.items()}

        consumer.seek(shown_offsets())
        # Not before the deployments are known: the first messages would have no position.
        team.start()
        mark_ready()
        log.info("delivery_ready", channels=len(team.channels))
        committed = 0.0
        while not stop.is_set():
            messages = consumer.poll(_POLL_S)
            team.refresh()
            team.start()
            if messages:
                moved, changed = intake.queue(messages, offsets, team.channels)
                offsets |= moved
                team.wake(changed)
            if time.monotonic() - committed > _COMMIT_INTERVAL_S:
                committed = time.monotonic()
                consumer.commit(shown_offsets())
            yield
        consumer.commit(shown_offsets(), wait_s=_LAST_COMMIT_S)
