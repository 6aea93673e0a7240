"""The mutes of people, from `camera.alert.handled.v1`: which alerts are held back."""

from dataclasses import dataclass, replace

import structlog

from uncia.camtrap.names import canonical_camera
from uncia.errors import PermanentError
from uncia.events import AlertAction, AlertHandled, AlertRaised
from uncia.kafka.broker import Message
from uncia.kafka.topic_follower import TopicFollower
from uncia.settings import Settings
from uncia.topics import ALERT_HANDLED

__all__ = ["MuteReader", "Mutes"]

_MOST_OF_A_KEY = 50
"""Mutes of one rule and camera that are remembered, the latest ones: alerts of a past hour may be read late."""

log = structlog.get_logger("uncia")


@dataclass(frozen=True)
class _Interval:
    start: float
    """Unix time, as `end`: that of a message can be beyond the calendar."""
    end: float


class Mutes:
    """When which rules and cameras were muted. Lookups are safe from any thread; one writer at a time."""

    def __init__(self) -> None:
        # By rule and camera, each empty for any. A tuple is replaced as a whole: a reader sees the old or the new one.
        self._intervals: dict[tuple[str, str], tuple[_Interval, ...]] = {}

    def apply(self, handled: AlertHandled) -> None:
        """Apply an event; of those of one rule and camera the last one counts from its time on."""
        ends_one = handled.action is AlertAction.UNMUTED
        if not (ends_one or handled.action is AlertAction.MUTED) or not (handled.rule or handled.camera):
            return
        if not ends_one and handled.until is None:
            return
        key = (handled.rule or "", canonical_camera(handled.camera))
        at = handled.at.timestamp()
        known = [replace(one, end=min(one.end, at)) for one in self._intervals.get(key, ())]
        if handled.until is not None and not ends_one:
            known.append(_Interval(at, handled.until.timestamp()))
        self._intervals[key] = tuple(one for one in known if one.start < one.end)[-_MOST_OF_A_KEY:]

    def clear(self) -> None:
        """Forget all: the topic is read from its beginning again."""
        self._intervals.clear()

    def muted(self, alert: AlertRaised, moment: float) -> bool:
        """Whether the alert was muted at a moment, a Unix time."""
        camera = canonical_camera(alert.camera)
        return any(
            one.start <= moment < one.end
            for key in ((alert.rule, camera), (alert.rule, ""), ("", camera))
            for one in self._intervals.get(key, ())
        )


class MuteReader:
    """Keeps `mutes` up to date from the topic, which is kept without a time limit."""

    def __init__(self, settings: Settings, mutes: Mutes) -> None:
        self._mutes = mutes
        self._follower = TopicFollower(settings, ALERT_HANDLED, "mutes", self._take, mutes.clear)

    def start(self, timeout_s: float) -> None:
        """Return when the topic was read to its end. Raises `DependencyDown` after `timeout_s` seconds."""
        self._follower.start(timeout_s)

    def close(self) -> None:
        """End the thread."""
        self._follower.close()

    def _take(self, message: Message) -> None:
        if message.value is None:
            return
        try:
            self._mutes.apply(AlertHandled.from_bytes(message.value))
        except PermanentError as error:
            # An action that a newer version added is no mute.
            log.warning("alert_handling_invalid", reason=error.reason, error=str(error), offset=message.offset)
