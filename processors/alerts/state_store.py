"""A camera's alerts as bytes, with the position in the log of the last message that they include.

The state is an outbox: it is written with the events that led to it before they are published, and without them
afterwards. After a crash in between the same events are published, perhaps again, with the same ids, revisions and
contents, even where the rules were changed meanwhile or a contact is now read before the tick that found a silence.
"""

import zlib
from datetime import datetime

import structlog
from pydantic import BaseModel, ValidationError

from uncia.events import AlertCause, AlertRaised
from uncia.processors.alerts.camera_view import CameraView
from uncia.processors.alerts.grouping import CameraAlerts
from uncia.processors.alerts.rarity import Sightings
from uncia.processors.alerts.score_history import ScoreHistory
from uncia.processors.faust_runtime.stored_state import pack_state, unpack_state

__all__ = ["TABLE", "from_bytes", "to_bytes"]

TABLE = "alerts"
_VERSION = 3
_VERSIONS = {AlertCause.CAMERA_MOVED: 2, AlertCause.SCORE_DRIFT: 3}
"""Layouts by the causes that earlier ones take for damage. A state without alerts of these is written as version 1."""

log = structlog.get_logger("uncia")


class _Stored(BaseModel):
    """Field names are the stored format."""

    alerts: tuple[AlertRaised, ...] = ()
    heard: datetime | None = None
    sightings: tuple[Sightings, ...] = ()
    unsent: tuple[AlertRaised, ...] = ()
    view: CameraView | None = None
    scores: ScoreHistory | None = None
    offset: int = -1
    logged_ms: int = -1


def to_bytes(state: CameraAlerts) -> bytes:
    """Encode the state: about 200 bytes for each alert, 50 for each sighting, and at most 10 KB for the view and
    10 KB for the scores."""
    stored = _Stored(
        alerts=tuple(state.alerts.values()),
        heard=state.heard,
        sightings=tuple(state.sightings),
        unsent=tuple(state.unsent),
        view=state.view,
        scores=state.scores,
        offset=state.offset,
        logged_ms=state.logged_ms,
    )
    causes = {alert.cause for alert in (*stored.alerts, *stored.unsent)}
    version = max((number for cause, number in _VERSIONS.items() if cause in causes), default=1)
    return pack_state(version, stored.model_dump_json(exclude_none=True).encode())


def from_bytes(camera: str, raw: bytes) -> CameraAlerts:
    """Decode a state. Raises `StateTooNew`; one that cannot be decoded is replaced by an empty one."""
    try:
        stored = _Stored.model_validate_json(
            unpack_state(_VERSION, raw, f"the state of the alerts of camera {camera!r}")
        )
    except (zlib.error, ValidationError) as error:
        log.error("alert_state_damaged", camera=camera, error=type(error).__name__)
        return CameraAlerts()
    alerts = {alert.alert_id: alert for alert in stored.alerts}
    return CameraAlerts(
        stored.offset,
        stored.logged_ms,
        alerts,
        stored.heard,
        list(stored.sightings),
        list(stored.unsent),
        stored.view,
        stored.scores,
    )
