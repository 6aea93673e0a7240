"""The service: alerts from the log into the outbox, each exactly once, and one sender per channel that empties it."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import structlog
from kafka.errors import KafkaError

from uncia.backoff import Backoff
from uncia.camtrap.deployments import DeploymentReader, Deployments
from uncia.camtrap.sensitive_taxa import SensitiveTaxa
from uncia.camtrap.taxonomy import Taxonomy
from uncia.errors import DependencyDown, PermanentError, SettingsError, UnciaError
from uncia.events import AlertRaised
from uncia.kafka.broker import Message, topic_ids
from uncia.kafka.offset_consumer import OffsetConsumer
from uncia.processors.delivery.channel_file import read_channels
from uncia.processors.delivery.channel_sender import ChannelSender
from uncia.processors.delivery.channels import Channel, route, unknown_names
from uncia.processors.delivery.message import AlertMessage, message_of
from uncia.processors.delivery.outbox import Outbox, PartitionOffset, Place, Queued
from uncia.processors.delivery.senders import Sender, sender_of
from uncia.settings import Settings, stack_dir
from uncia.storage.process_lock import exclusive
from uncia.telemetry import mark_ready
from uncia.topics import ALERT_RAISED

__all__ = ["DELIVERY_GROUP", "deliver", "outbox_path", "start_offsets"]

DELIVERY_GROUP = "uncia-deliver"
"""The consumer group that shows the lag. The offsets that count are in the outbox."""

_POLL_S = 0.5
_COMMIT_INTERVAL_S = 1.0
_LAST_COMMIT_S = 2.0
_STOP_S = 12.0
_DEPLOYMENTS_S = 10.0
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
        team = _Team(settings, settings.channels, outbox, make_sender)
        try:
            _follow(settings, outbox, team, stop)
        finally:
            team.stop()


def start_offsets(
    stored: Mapping[Place, PartitionOffset], ids: Mapping[str, str], ends: Mapping[Place, int]
) -> dict[Place, PartitionOffset]:
    """Where each partition is read from. Pure. `ids`: topic ids by topic; `ends`: end offsets.

    A new outbox begins at the end of the log: alerts of the past are not news. With one that is in use, a partition
    that was added is read from its beginning, and so is a topic that was recreated or whose newest messages a broker
    lost: what comes a second time is queued once, by its revision.
    """
    offsets = {}
    for (topic, number), end in ends.items():
        known = stored.get((topic, number))
        if not stored:
            offsets[topic, number] = PartitionOffset(ids[topic], end)
        elif known is None or known.topic_id != ids[topic] or known.next_offset > end:
            offsets[topic, number] = PartitionOffset(ids[topic], 0)
        else:
            offsets[topic, number] = known
    return offsets


class _Team:
    """The channels of the file as it is now, and their senders."""

    def __init__(
        self, settings: Settings, file: Path, outbox: Outbox, make_sender: Callable[[Channel], Sender]
    ) -> None:
        """Raises `SettingsError` for a file that cannot be used."""
        self._file, self._outbox, self._make_sender = file, outbox, make_sender
        self._url = settings.dashboard_url
        self._taxa = SensitiveTaxa.load(settings.sensitive_taxa, Taxonomy.load(settings.taxonomy_file))
        self.deployments = Deployments()
        self._senders: dict[str, ChannelSender] = {}
        self.channels: dict[str, Channel] = {}
        self._seen = self._polled = self._stamp()
        self._replace()

    def refresh(self) -> None:
        """Take over the file where it changed. A mistake in a later version leaves the earlier one in force."""
        stamp, before = self._stamp(), self._polled
        self._polled = stamp
        # A file that is being written differs between two polls.
        if stamp != self._seen and stamp == before:
            self._seen = stamp
            try:
                # An editor empties a file before it writes it; to remove all channels, write `channels: []`.
                if not self._file.read_bytes().strip():
                    raise SettingsError(f"{self._file} is empty")
                self._replace()
                log.info("channels_read", channels=len(self.channels))
            except (OSError, SettingsError) as error:
                log.error("channels_not_read", error=str(error))

    def start(self) -> None:
        """Start the senders that do not run yet."""
        for channel in self.channels.values():
            if channel.name not in self._senders:
                sender = ChannelSender(channel, self._make_sender(channel), self._outbox, self._render)
                self._senders[channel.name] = sender
                sender.start()

    def wake(self, names: set[str]) -> None:
        for name in names & set(self._senders):
            self._senders[name].wake()

    def stop(self) -> None:
        """End all senders. One that is still sending after some seconds is left: it ends with the process."""
        for sender in self._senders.values():
            sender.stop()
        deadline = time.monotonic() + _STOP_S
        for name, sender in self._senders.items():
            if not sender.join(max(0.0, deadline - time.monotonic())):
                log.warning("channel_still_sending", channel=name)

    def _render(self, alert: AlertRaised, channel: Channel) -> AlertMessage:
        first = alert.matching or alert.bursts
        deployment = self.deployments.at(alert.camera, first[0].started_at if first else alert.raised_at)
        return message_of(alert, channel, deployment, self._url, self._taxa)

    def _replace(self) -> None:
        found = read_channels(self._file)
        for warning in found.warnings:
            log.warning("channel_doubtful", at=str(warning))
        channels = {channel.name: channel for channel in found.channels}
        gone = [sender for name, sender in self._senders.items() if channels.get(name) != sender.channel]
        for sender in gone:
            sender.stop()
        for sender in gone:
            # Two senders of one channel could change the order of an alert's messages.
            sender.join(2 * sender.channel.timeout_s)
            del self._senders[sender.channel.name]
        self.channels = channels

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def _follow(settings: Settings, outbox: Outbox, team: _Team, stop: threading.Event) -> None:
    failures, logged, reader = 0, float("-inf"), None
    while not stop.is_set():
        try:
            if reader is None:
                fresh = DeploymentReader(settings, team.deployments)
                fresh.start(_DEPLOYMENTS_S)
                reader = fresh
            for _ in _queue_batches(settings, outbox, team, stop):
                failures = 0
        except (DependencyDown, KafkaError, sqlite3.Error) as error:
            failures += 1
            if time.monotonic() - logged > _LOG_INTERVAL_S:
                logged = time.monotonic()
                log.warning("delivery_waits", error=str(error) or type(error).__name__)
            stop.wait(_BACKOFF.delay_s(failures))
    if reader is not None:
        reader.close()


def _queue_batches(settings: Settings, outbox: Outbox, team: _Team, stop: threading.Event) -> Iterator[None]:
    """Queue alerts until `stop` is set; yields after each batch, and when there is nothing to read."""
    full_name = ALERT_RAISED.full_name(settings)
    with OffsetConsumer(settings, (ALERT_RAISED,), DELIVERY_GROUP) as consumer:
        ids = {ALERT_RAISED.name: topic_ids(settings, (ALERT_RAISED,))[full_name]}
        ends = {(ALERT_RAISED.name, number): end for (_, number), end in consumer.end_offsets().items()}
        offsets = start_offsets(outbox.partitions(), ids, ends)
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
                offsets |= _queue(messages, offsets, outbox, team)
            if time.monotonic() - committed > _COMMIT_INTERVAL_S:
                committed = time.monotonic()
                consumer.commit(shown_offsets())
            yield
        consumer.commit(shown_offsets(), wait_s=_LAST_COMMIT_S)


def _queue(
    messages: list[Message], offsets: Mapping[Place, PartitionOffset], outbox: Outbox, team: _Team
) -> dict[Place, PartitionOffset]:
    alerts: list[AlertRaised] = []
    moved: dict[Place, PartitionOffset] = {}
    for message in messages:
        place = (ALERT_RAISED.name, message.partition)
        known = moved.get(place, offsets[place])
        if message.offset < known.next_offset:
            raise DependencyDown(f"{message.topic} was recreated while it was read")
        moved[place] = PartitionOffset(known.topic_id, message.offset + 1)
        try:
            if message.value is not None:
                alerts.append(AlertRaised.from_bytes(message.value))
        except PermanentError as error:
            log.warning("alert_invalid", reason=error.reason, partition=message.partition, offset=message.offset)
    holding = outbox.holding({alert.alert_id for alert in alerts})
    queued = []
    for alert in alerts:
        for name in unknown_names(alert, team.channels):
            log.warning("channel_unknown", channel=name, rule=alert.rule, alert_id=alert.alert_id)
        for channel in route(alert, team.channels, holding[alert.alert_id]):
            holding[alert.alert_id].add(channel.name)
            queued.append(Queued(channel.name, alert))
    team.wake(outbox.apply(queued, moved))
    return moved
