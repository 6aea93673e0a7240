"""Which alerts rules would have raised: for `uncia alerts test`, and for the preview on the dashboard."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime

from uncia.camtrap.deployments import Deployments
from uncia.commands.skipped_messages import report_skipped
from uncia.errors import PermanentError
from uncia.events import AlertRaised, AlertState, BurstResolved, ImagePredicted
from uncia.kafka.broker import Message, read_topics
from uncia.processors.alerts.drift import compare_scores
from uncia.processors.alerts.grouping import CameraAlerts, apply
from uncia.processors.alerts.moved import compare_photograph
from uncia.processors.alerts.rule_index import RuleIndex
from uncia.processors.alerts.silence import is_contact, replay_silence, step_of
from uncia.settings import Settings
from uncia.topics import BURST_RESOLVED, DEPLOYMENT_CHANGED, IMAGE_PREDICTED, STATUS_REPORTED

__all__ = ["alerts_of_past"]


def alerts_of_past(
    rules: RuleIndex, since: datetime, settings: Settings, stop: threading.Event | None = None
) -> list[AlertRaised]:
    """The alerts that rules would have raised since a time of the log, each as it would be now, the oldest first.

    Reads whole topics. As soon as `stop` is set it returns what it has, which is not complete.
    """
    stop = stop or threading.Event()
    found = [
        *_raised(rules, since, settings, stop),
        *_silences(rules, since, settings, stop),
        *_moves(rules, since, settings, stop),
        *_drifts(rules, since, settings, stop),
    ]
    return sorted(found, key=lambda alert: (alert.raised_at, alert.alert_id))


def _raised(rules: RuleIndex, since: datetime, settings: Settings, stop: threading.Event) -> list[AlertRaised]:
    states: dict[str, CameraAlerts] = {}
    newest: dict[str, AlertRaised] = {}
    for message, burst in _verdicts(settings, stop):
        logged_at = datetime.fromtimestamp(message.timestamp_ms / 1000, UTC)
        if logged_at < since:
            continue
        for alert in apply(states.setdefault(burst.camera, CameraAlerts()), burst, rules, logged_at):
            newest[alert.alert_id] = alert
    return [alert for alert in newest.values() if alert.state is not AlertState.WITHDRAWN]


def _silences(rules: RuleIndex, since: datetime, settings: Settings, stop: threading.Event) -> list[AlertRaised]:
    """The alerts about silence, those that ended, too."""
    if not rules.silence or stop.is_set():
        return []
    deployments, contacts = Deployments(), defaultdict[str, set[datetime]](set)
    topics = (DEPLOYMENT_CHANGED, IMAGE_PREDICTED, STATUS_REPORTED)
    for message in read_topics(settings, topics, from_beginning=True, until_end=True, stop=stop):
        if message.topic.endswith(DEPLOYMENT_CHANGED.name):
            deployments.apply(message.key, message.value)
        elif message.key:
            step = step_of(datetime.fromtimestamp(message.timestamp_ms / 1000, UTC))
            known = contacts[message.key.decode(errors="replace")]
            is_report = message.topic.endswith(STATUS_REPORTED.name)
            if step not in known and (is_report or is_contact(message.value)):
                known.add(step)
    now, newest = datetime.now(UTC), dict[str, AlertRaised]()
    for camera in deployments.cameras():
        for alert in replay_silence(camera, sorted(contacts[camera]), deployments, rules, since, now):
            newest[alert.alert_id] = alert
    return list(newest.values())


def _drifts(rules: RuleIndex, since: datetime, settings: Settings, stop: threading.Event) -> list[AlertRaised]:
    """The alerts about drifted scores, those of a camera whose scores have returned, too.

    References are learned from all verdicts on the topic, those before `since` included. The topic is compacted: of a
    burst that was revised later, the final verdict may be gone.
    """
    if not rules.drift or stop.is_set():
        return []
    deployments = _deployments(settings, stop)
    states, newest = dict[str, CameraAlerts](), dict[str, AlertRaised]()
    for message, burst in _verdicts(settings, stop):
        if not (wanted := rules.drift_at(burst.camera)):
            continue
        logged_at = datetime.fromtimestamp(message.timestamp_ms / 1000, UTC)
        state, placed = states.setdefault(burst.camera, CameraAlerts()), deployments.at(burst.camera, logged_at)
        for alert in compare_scores(state, burst, wanted, placed, logged_at):
            newest[alert.alert_id] = alert
    return [alert for alert in newest.values() if alert.raised_at >= since]


def _deployments(settings: Settings, stop: threading.Event) -> Deployments:
    found = Deployments()
    for message in read_topics(settings, (DEPLOYMENT_CHANGED,), from_beginning=True, until_end=True, stop=stop):
        found.apply(message.key, message.value)
    return found


def _moves(rules: RuleIndex, since: datetime, settings: Settings, stop: threading.Event) -> list[AlertRaised]:
    """The alerts about moved cameras, those of a camera that has its earlier view again, too.

    Views are learned from all photographs on the topic, those before `since` included.
    """
    if not rules.moved or stop.is_set():
        return []
    deployments = _deployments(settings, stop)
    states, newest = dict[str, CameraAlerts](), dict[str, AlertRaised]()
    for message in read_topics(settings, (IMAGE_PREDICTED,), from_beginning=True, until_end=True, stop=stop):
        camera = (message.key or b"").decode(errors="replace")
        if message.value is None or not (wanted := rules.moved_at(camera)):
            continue
        logged_at = datetime.fromtimestamp(message.timestamp_ms / 1000, UTC)
        state, placed = states.setdefault(camera, CameraAlerts()), deployments.at(camera, logged_at)
        try:
            photograph = ImagePredicted.from_bytes(message.value)
            for alert in compare_photograph(state, photograph, wanted, placed, message.offset, logged_at) or ():
                newest[alert.alert_id] = alert
        except PermanentError as error:
            report_skipped(message, error)
    return [alert for alert in newest.values() if alert.raised_at >= since]


def _verdicts(settings: Settings, stop: threading.Event) -> Iterator[tuple[Message, BurstResolved]]:
    for message in read_topics(settings, (BURST_RESOLVED,), from_beginning=True, until_end=True, stop=stop):
        try:
            if message.value is not None:
                yield message, BurstResolved.from_bytes(message.value)
        except PermanentError as error:
            report_skipped(message, error)
