"""A camera's alerts as bytes, with the position in the log of the last message that they include.

The state is written after the alerts that follow from it were published, so a crash between the two publishes the same
alerts again, with the same ids and revisions.
"""

import zlib

import structlog
from pydantic import BaseModel, ValidationError

from uncia.errors import UnciaError
from uncia.events import AlertRaised
from uncia.processors.alerts.grouping import CameraAlerts

__all__ = ["TABLE", "AlertStateTooNew", "from_bytes", "to_bytes"]

TABLE = "alerts"
_VERSION = 1

log = structlog.get_logger("uncia")


class AlertStateTooNew(UnciaError):
    """A state was written by a newer Uncia."""

    exit_code = 78  # EX_CONFIG: starting again by itself would not help


class _Stored(BaseModel):
    """Field names are the stored format."""

    alerts: tuple[AlertRaised, ...] = ()
    offset: int = -1
    logged_ms: int = -1


def to_bytes(state: CameraAlerts) -> bytes:
    """Encode the state: about 200 bytes for each alert."""
    stored = _Stored(alerts=tuple(state.alerts.values()), offset=state.offset, logged_ms=state.logged_ms)
    return bytes([_VERSION]) + zlib.compress(stored.model_dump_json(exclude_none=True).encode(), 1)


def from_bytes(camera: str, raw: bytes) -> CameraAlerts:
    """Decode a state. Raises `AlertStateTooNew`; one that cannot be decoded is replaced by an empty one."""
    if raw[:1] and raw[0] > _VERSION:
        raise AlertStateTooNew(
            f"the alerts of camera {camera!r} have layout {raw[0]} and this worker reads up to {_VERSION}: a newer "
            "Uncia wrote it; start that version again. Nothing was overwritten"
        )
    try:
        stored = _Stored.model_validate_json(zlib.decompress(raw[1:]))
    except (zlib.error, ValidationError) as error:
        log.error("alert_state_damaged", camera=camera, error=type(error).__name__)
        return CameraAlerts()
    return CameraAlerts({alert.alert_id: alert for alert in stored.alerts}, stored.offset, stored.logged_ms)
