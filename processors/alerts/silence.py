"""Cameras from which nothing came for too long. Pure.

1. A **contact** is a message of a camera: a photograph, predicted or rejected, or a status report. Its time is
   that of the log, in steps of `STEP`; capture times do not count, so that a camera's clock may be wrong. Photographs
   of the backfill lane are no contact: they were taken long before. Nor is the withdrawal of an upload.
2. A camera is due when nothing came for the rule's time since its last contact, or since its deployment began. For a
   camera that was never heard the time begins when the worker first expected it.
3. Silence is judged at ticks (`contact_order`), and only for a camera with a deployment that covers the tick.
4. One silence is one alert of a rule, whose time is when the camera was due. The next contact withdraws it. A silence
   that begins within the rule's cooldown updates the alert before. The next tick withdraws the alerts of a rule that
   was removed, and of a camera without a deployment.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from uncia.camtrap.deployments import Deployments
from uncia.errors import PermanentError
from uncia.events import AlertCause, AlertRaised, AlertState, DeploymentChanged, ImagePredicted, Lane
from uncia.events.images import WITHDRAWN_REASONS
from uncia.processors.alerts.camera_alerts import change_alert, new_alert, open_alerts
from uncia.processors.alerts.grouping import CameraAlerts
from uncia.processors.alerts.rule_index import RuleIndex
from uncia.processors.alerts.rules import Rule

__all__ = ["STEP", "hear", "is_contact", "judge", "open_silences", "replay_silence", "step_of"]

STEP = timedelta(minutes=10)
"""Precision of contacts: a camera's state is written once in so long, and a silence is reported so much later."""


def step_of(moment: datetime) -> datetime:
    """The beginning of the step that includes a time."""
    return datetime.fromtimestamp(moment.timestamp() // STEP.total_seconds() * STEP.total_seconds(), UTC)


def is_contact(prediction: bytes | None) -> bool:
    """Whether an encoded prediction shows that its camera works. One of a newer version does: something was sent."""
    try:
        event = ImagePredicted.from_bytes(prediction)
    except PermanentError:
        return True
    is_withdrawal = event.rejection is not None and event.rejection.reason in WITHDRAWN_REASONS
    return event.lane is Lane.LIVE and not is_withdrawal


def hear(state: CameraAlerts, logged_at: datetime) -> list[AlertRaised] | None:
    """Record a contact. Returns the alerts that it withdraws, and None where it changes nothing."""
    at = step_of(logged_at)
    if state.heard is not None and at <= state.heard:
        return None
    since, state.heard = state.heard, at
    return [
        _end(state, alert, f"heard again after a silence since {_text(since or alert.raised_at)}", at)
        for alert in open_silences(state)
    ]


def judge(
    state: CameraAlerts,
    camera: str,
    deployment: DeploymentChanged | None,
    rules: Iterable[Rule],
    now: datetime,
) -> list[AlertRaised] | None:
    """Judge a camera at a tick, by the deployment that covers it. Returns as `hear` does."""
    expected = {rule.name: (rule, limit) for rule, limit in _limits(rules, deployment)}
    changed = [
        _end(state, alert, "no longer expected to report", step_of(now))
        for alert in open_silences(state)
        if alert.rule not in expected
    ]
    if deployment is None or not expected:
        return changed or None
    if state.heard is None:
        state.heard = step_of(now)
        return changed
    since = max(state.heard, deployment.start)
    waiting = {alert.rule for alert in open_silences(state)}
    for rule, limit in expected.values():
        due = since + limit + STEP
        if due <= now and rule.name not in waiting:
            changed.append(_raise(state, camera, rule, since, due))
    return changed or None


def replay_silence(
    camera: str,
    contacts: Sequence[datetime],
    deployments: Deployments,
    rules: RuleIndex,
    since: datetime,
    now: datetime,
) -> Iterator[AlertRaised]:
    """The events that rules would have published, from the contacts in their order, with a tick an hour."""
    state, at = CameraAlerts(), since
    wanted = rules.silence_at(camera)
    for contact in (*contacts, now):
        while at < contact:
            yield from judge(state, camera, deployments.at(camera, at), wanted, at) or ()
            at += timedelta(hours=1)
        if contact is not now:
            yield from hear(state, contact) or ()
        at = max(at, contact)
    yield from judge(state, camera, deployments.at(camera, now), wanted, now) or ()


def _limits(rules: Iterable[Rule], deployment: DeploymentChanged | None) -> Iterator[tuple[Rule, timedelta]]:
    if deployment is None:
        return
    usual = deployment.contact_interval_s
    for rule in rules:
        if rule.silent_for is not None:
            yield rule, rule.silent_for
        elif usual is not None:
            yield rule, timedelta(seconds=usual)


def open_silences(state: CameraAlerts) -> list[AlertRaised]:
    """The alerts about silence that are not withdrawn."""
    return open_alerts(state, AlertCause.SILENCE)


def _raise(state: CameraAlerts, camera: str, rule: Rule, since: datetime, due: datetime) -> AlertRaised:
    summary = f"nothing from {camera} since {_text(since)}"
    for before in reversed(list(state.alerts.values())):
        is_silence = before.rule == rule.name and before.cause is AlertCause.SILENCE
        if is_silence and timedelta(0) <= due - before.raised_at < rule.cooldown:
            return change_alert(state, before, AlertState.UPDATED, summary, due)
    station, begin = camera.partition("/")[0], f"silent since {since.isoformat()}"
    raised = new_alert(rule, station, camera, AlertCause.SILENCE, summary, due, begin=begin)
    if (same := state.alerts.get(raised.alert_id)) is not None:
        # It was withdrawn because the camera was not expected for a while.
        return change_alert(state, same, AlertState.UPDATED, summary, due)
    state.alerts[raised.alert_id] = raised
    return raised


def _end(state: CameraAlerts, alert: AlertRaised, why: str, at: datetime) -> AlertRaised:
    return change_alert(state, alert, AlertState.WITHDRAWN, f"withdrawn: {alert.camera} {why}", at)


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
