"""Builds the events of what people do about alerts; pure."""

from datetime import datetime, timedelta

from uncia import ids
from uncia.dashboard.catalogue.rows import AlertRow
from uncia.dashboard.web.strings import TEXT
from uncia.events import AlertAction, AlertHandled, mute_key

__all__ = ["MUTE_HOURS", "acknowledgement", "mute_event"]

MUTE_HOURS = (1, 4, 12, 24, 72, 168, 720)
"""For how many hours a person can mute, as the form offers it."""


def acknowledgement(
    alert: AlertRow, revision: int, account: str, at: datetime, note: str = "", *, undo: bool = False
) -> AlertHandled:
    """The event by which a person acknowledges an alert, or takes that back. `revision`: the one on the screen."""
    action = AlertAction.UNACKNOWLEDGED if undo else AlertAction.ACKNOWLEDGED
    return AlertHandled(
        handling_id=ids.handling_id(alert.alert_id, account, at, action.value),
        action=action,
        alert_id=alert.alert_id,
        alert_revision=revision,
        rule=alert.rule,
        station=alert.station,
        camera=alert.camera,
        by=account,
        note=note.strip() or None,
        at=at,
    )


def mute_event(rule: str, camera: str, hours: int | None, account: str, at: datetime, note: str = "") -> AlertHandled:
    """The event that mutes a rule (empty: any) at a camera (empty: all) for some hours; None: that ends the mute.

    Raises `ValueError` where neither is named.
    """
    if not (rule or camera):
        raise ValueError(TEXT["alert.refused.nothing"])
    action = AlertAction.UNMUTED if hours is None else AlertAction.MUTED
    return AlertHandled(
        handling_id=ids.handling_id(mute_key(rule or None, camera), account, at, action.value),
        action=action,
        rule=rule or None,
        station=camera.partition("/")[0],
        camera=camera,
        until=None if hours is None else at + timedelta(hours=hours),
        by=account,
        note=note.strip() or None,
        at=at,
    )
