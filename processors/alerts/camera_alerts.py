"""Alerts about a camera itself, which have no bursts: raised, changed and listed by their cause. Pure."""

from datetime import datetime

from uncia import ids
from uncia.events import AlertCause, AlertRaised, AlertState
from uncia.processors.alerts.grouping import CameraAlerts
from uncia.processors.alerts.rules import Rule

__all__ = ["change_alert", "new_alert", "open_alerts"]


def open_alerts(state: CameraAlerts, cause: AlertCause) -> list[AlertRaised]:
    """The alerts of a cause that are not withdrawn."""
    return [
        alert for alert in state.alerts.values() if alert.cause is cause and alert.state is not AlertState.WITHDRAWN
    ]


def new_alert(
    rule: Rule, station: str, camera: str, cause: AlertCause, summary: str, at: datetime, *, begin: str
) -> AlertRaised:
    """The first revision of an alert. `begin`: what distinguishes it from others of its rule and camera."""
    return AlertRaised(
        alert_id=ids.alert_id(rule.name, camera, begin),
        revision=1,
        state=AlertState.RAISED,
        cause=cause,
        rule=rule.name,
        severity=rule.severity,
        station=station,
        camera=camera,
        summary=summary,
        bursts=(),
        channels=rule.channels,
        raised_at=at,
        updated_at=at,
    )


def change_alert(state: CameraAlerts, alert: AlertRaised, to: AlertState, summary: str, at: datetime) -> AlertRaised:
    """Record the next revision of an alert, and return it."""
    event = alert.model_copy(
        update={
            "revision": alert.revision + 1,
            "state": to,
            "summary": summary,
            "updated_at": max(at, alert.updated_at),
        }
    )
    state.alerts[alert.alert_id] = event
    return event
