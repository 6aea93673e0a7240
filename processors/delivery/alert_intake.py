"""From the log into the outbox: which events are queued for which channels, and from where the log is read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import structlog

from uncia.errors import DependencyDown, PermanentError
from uncia.events import AlertRaised, AlertState
from uncia.kafka.broker import Message
from uncia.processors.delivery.channels import Channel, named_channels, route, unknown_names
from uncia.processors.delivery.mutes import Mutes
from uncia.processors.delivery.outbox import Outbox, PartitionOffset, Place
from uncia.processors.delivery.outbox_queue import Queued
from uncia.processors.delivery.unreadable import UnreadableAlert, unreadable_alert
from uncia.topics import ALERT_RAISED

__all__ = ["AlertIntake", "start_offsets"]

_STILL_NEW_S = 60.0
"""What a producer sent before a loss, and the broker stored after it, has a time of before it."""

log = structlog.get_logger("uncia")


def start_offsets(
    stored: Mapping[Place, PartitionOffset], ids: Mapping[str, str], ends: Mapping[Place, int], now: float
) -> dict[Place, PartitionOffset]:
    """Where each partition is read from. Pure. `ids`: topic ids by topic; `ends`: end offsets; `now`: Unix time.

    A new outbox begins at the end of the log: alerts of the past are not news. With one that is in use, a partition
    that was added is read from its beginning, and so is a topic that was recreated or whose newest messages a broker
    lost. Of what is there then, events that were logged before the last one that was read are old: see `AlertIntake`.
    """
    offsets = {}
    for (topic, number), end in ends.items():
        known = stored.get((topic, number))
        if not stored:
            offsets[topic, number] = PartitionOffset(ids[topic], end, now)
        elif known is None:
            offsets[topic, number] = PartitionOffset(ids[topic], 0)
        elif known.topic_id != ids[topic] or known.next_offset > end:
            before = known.logged_at - _STILL_NEW_S
            if known.next_offset < known.again_end:
                # It happened again before the first time was over.
                before = max(before, known.again_before)
            offsets[topic, number] = PartitionOffset(ids[topic], 0, known.logged_at, end, before)
        else:
            offsets[topic, number] = known
    return offsets


class AlertIntake:
    """Queues the events of alerts. Not thread-safe.

    - A channel that was removed from the file gets the events of the alerts that it has, in case it is added again.
    - What is raised or updated while it is muted is stored as held back. A withdrawal passes.
    - Where the log begins again, an event of before goes only to channels that have an earlier one of its alert.
    - An event that cannot be read is a dead letter of the channels that it names, and of those that have its alert.
    """

    def __init__(self, outbox: Outbox, mutes: Mutes) -> None:
        self._outbox, self._mutes = outbox, mutes

    def queue(
        self, messages: Sequence[Message], offsets: Mapping[Place, PartitionOffset], channels: Mapping[str, Channel]
    ) -> tuple[dict[Place, PartitionOffset], set[str]]:
        """Store what the channels get of some messages. Returns the changed offsets, and the channels with news.

        Raises `DependencyDown` for messages that were read before.
        """
        events: list[tuple[AlertRaised | UnreadableAlert, float, bool]] = []
        moved: dict[Place, PartitionOffset] = {}
        for message in messages:
            place = (ALERT_RAISED.name, message.partition)
            known = moved.get(place, offsets[place])
            if message.offset < known.next_offset:
                raise DependencyDown(f"{message.topic} was recreated while it was read")
            logged_at = message.timestamp_ms / 1000
            moved[place] = replace(known, next_offset=message.offset + 1, logged_at=logged_at)
            if message.value is not None:
                old = message.offset < known.again_end and logged_at <= known.again_before
                events.append((_decoded(message, message.value), logged_at, old))
        holding = self._outbox.holding({alert.alert_id for alert, _, _ in events})
        before = {alert_id: set(channels) for alert_id, channels in holding.items()}
        queued = []
        for alert, logged_at, old in events:
            has = holding[alert.alert_id]
            for one in self._queued(alert, logged_at, has, channels):
                if not old or one.channel in has:
                    sent = isinstance(alert, AlertRaised) and alert.state is not AlertState.WITHDRAWN and not one.muted
                    # What was raised and withdrawn within the batch was not sent.
                    ended = isinstance(alert, AlertRaised) and alert.state is AlertState.WITHDRAWN
                    unsent = ended and one.channel not in before[alert.alert_id]
                    has[one.channel] = unsent or (has.get(one.channel, True) and not sent)
                    queued.append(one)
        return moved, self._outbox.apply(queued, moved)

    def _queued(
        self,
        alert: AlertRaised | UnreadableAlert,
        logged_at: float,
        holding: Mapping[str, bool],
        channels: Mapping[str, Channel],
    ) -> Iterator[Queued]:
        if isinstance(alert, UnreadableAlert):
            # Of one that names no channel, and where none is a default, every channel may be meant.
            names = named_channels(alert.channels, channels) or set(channels)
            yield from (Queued(name, alert) for name in sorted(names | set(holding)))
            return
        for name in unknown_names(alert, channels):
            log.warning("channel_unknown", channel=name, rule=alert.rule, alert_id=alert.alert_id)
        muted = alert.state is not AlertState.WITHDRAWN and self._mutes.muted(alert, logged_at)
        names = {channel.name for channel in route(alert, channels, holding)}
        absent = set(holding) - set(channels)
        if muted and (names or absent):
            log.info("alert_held_back", alert_id=alert.alert_id, revision=alert.revision, rule=alert.rule)
        for name in (*(one for one in channels if one in names), *sorted(absent)):
            yield Queued(name, alert, muted, name in absent)


def _decoded(message: Message, value: bytes) -> AlertRaised | UnreadableAlert:
    try:
        return AlertRaised.from_bytes(value)
    except PermanentError as error:
        place = {"partition": message.partition, "offset": message.offset}
        log.error("alert_unreadable", reason=error.reason, error=str(error), **place)
        return unreadable_alert(message, value, str(error))
