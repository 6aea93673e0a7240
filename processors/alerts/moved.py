"""Alerts about cameras that moved. Pure.

1. The live photographs of a camera are compared by their luminance grids, in the order of the log (`camera_view`).
   Photographs on the lane for backfill, and those without a grid (rejected, or no detector is installed), are not.
2. A deployment has its own view: after a new one has begun, the camera's view is learned again.
3. One move is one alert of a rule, without bursts, whose time is that of the photograph that decided it. A move within
   the rule's cooldown updates the alert before. When the camera has the view before a move again, the alert about that
   move is withdrawn; a new deployment withdraws all.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from uncia.errors import PermanentError
from uncia.events import AlertCause, AlertRaised, AlertState, DeploymentChanged, ImagePredicted, Lane
from uncia.processors.alerts.camera_alerts import change_alert, new_alert, open_alerts
from uncia.processors.alerts.camera_view import CameraView, ViewChange, is_dark, texture
from uncia.processors.alerts.grouping import CameraAlerts
from uncia.processors.alerts.rules import Rule

__all__ = ["compare_photograph"]


def compare_photograph(
    state: CameraAlerts,
    photograph: ImagePredicted,
    rules: Iterable[Rule],
    deployment: DeploymentChanged | None,
    offset: int,
    logged_at: datetime,
) -> list[AlertRaised] | None:
    """Compare a photograph with the view of its camera, by the rules about moves there.

    `deployment`: the one that covers the time of the log. Returns the events to publish, and None where the photograph
    changes nothing. Raises `PermanentError` for a grid whose size is wrong.
    """
    view = state.view or CameraView()
    logged_ms = round(1000 * logged_at.timestamp())
    if photograph.luminance is None or photograph.lane is not Lane.LIVE or view.includes(offset, logged_ms):
        return None
    capture = photograph.capture
    if not view.wants(capture.time):
        return None
    try:
        grid = photograph.luminance.unpack()
    except ValueError as error:
        raise PermanentError("schema-invalid", f"{photograph.topic}: luminance: {error}") from error
    if (values := texture(grid)) is None:
        return None
    dark = is_dark(grid) if capture.infrared is None else capture.infrared
    ended: list[AlertRaised] = []
    if view.begin(deployment.deployment_id if deployment else None):
        summary = f"withdrawn: {photograph.camera} has a new deployment"
        before = open_alerts(state, AlertCause.CAMERA_MOVED)
        ended = [change_alert(state, alert, AlertState.WITHDRAWN, summary, logged_at) for alert in before]
    change = view.compare(values, capture.time, dark)
    view.offset, view.logged_ms = offset, logged_ms
    state.view = view
    if change is ViewChange.MOVED:
        return [_raise(state, photograph, rule, logged_at) for rule in rules]
    if change is ViewChange.RETURNED:
        summary = f"withdrawn: {photograph.camera} has its earlier view again"
        # Of several moves the last one was undone: the alerts about those before stay.
        last = {alert.rule: alert for alert in open_alerts(state, AlertCause.CAMERA_MOVED)}
        return [
            change_alert(state, alert, AlertState.WITHDRAWN, summary, logged_at)
            for alert in last.values()
            if alert.state is AlertState.RAISED
        ]
    return ended


def _raise(state: CameraAlerts, photograph: ImagePredicted, rule: Rule, logged_at: datetime) -> AlertRaised:
    camera = photograph.camera
    summary = f"{camera} shows another view, {logged_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC: moved, turned or covered"
    for before in reversed(open_alerts(state, AlertCause.CAMERA_MOVED)):
        if before.rule == rule.name and logged_at - before.raised_at < rule.cooldown:
            return change_alert(state, before, AlertState.UPDATED, summary, logged_at)
    begin = f"moved {photograph.upload_id}"
    raised = new_alert(rule, photograph.station, camera, AlertCause.CAMERA_MOVED, summary, logged_at, begin=begin)
    state.alerts[raised.alert_id] = raised
    return raised
