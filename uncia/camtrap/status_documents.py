"""Status reports of cameras as objects in the store: their keys and their content, a small JSON document.

    status/<station>/<camera>/sts-<24 hexadecimal digits>.json

The key alone says which camera a report is of: a key of a station permits storing below `status/<station>/` only.
"""

import re
from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from uncia.camtrap.names import canonical_name
from uncia.errors import PermanentError
from uncia.events import CameraStatus, StatusReported, StatusSource
from uncia.events.base import LocalTime, Name, UtcTime
from uncia.storage.object_keys import STATUS_PREFIX, displayable_key, key_problem

__all__ = [
    "MAX_STATUS_BYTES",
    "STATUS_KEY_INVALID",
    "STATUS_REPORT_INVALID",
    "CheckedStatus",
    "StatusDocument",
    "read_status_document",
    "report_of_key",
    "status_key",
]

STATUS_KEY_INVALID = "status-key-invalid"
STATUS_REPORT_INVALID = "status-report-invalid"
"""Reasons of dead letters."""

MAX_STATUS_BYTES = 16_384
"""A document has less than 1 KB."""

_KEY = re.compile(rf"{STATUS_PREFIX}([^/]+)/([^/]+)/(sts-[0-9a-f]{{24}})\.json")


class CheckedStatus(CameraStatus):
    """A status without unknown fields whose values fit together."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for bars, of in ((self.battery_bars, self.battery_bars_of), (self.signal_bars, self.signal_bars_of)):
            if (bars is None) != (of is None) or (bars or 0) > (of or 0) or of == 0:
                raise ValueError("bars need a scale, and are at most as many as it has")
        if self.card_total_mb is not None and (self.card_free_mb or 0) > self.card_total_mb:
            raise ValueError("more free space than the card has")
        return self


class StatusDocument(BaseModel):
    """The content of an object. Unknown fields are refused, so that a report whose meaning changed is not misread."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    version: Literal[1] = 1
    received_at: UtcTime
    camera_time: LocalTime | None = None
    utc_offset_minutes: int | None = Field(default=None, ge=-720, le=840)
    source: StatusSource
    profile: Name
    status: CheckedStatus

    def to_text(self) -> str:
        """The document as JSON, without fields that are None."""
        return self.model_dump_json(exclude_none=True) + "\n"


def report_of_key(key: str) -> tuple[str, str] | None:
    """The camera, with its station, and the report id that a valid key names; None for any other key."""
    found = _KEY.fullmatch(key)
    station, camera = (canonical_name(found[1]), canonical_name(found[2])) if found else ("", "")
    if found is None or key_problem(key) or {station, camera} & {"", "."}:
        return None
    return f"{station}/{camera}", found[3]


def status_key(station: str, camera: str, report_id: str) -> str:
    """The object key of a report; `camera` without its station."""
    return f"{STATUS_PREFIX}{station}/{camera}/{report_id}.json"


def read_status_document(key: str, content: bytes, stored_at: datetime) -> StatusReported:
    """The event that an object announces.

    `stored_at`: by the store's clock; no report was received later. A report of a mailroom whose clock is ahead would
    otherwise stay the newest one of its camera.

    Raises `PermanentError` with reason `status-key-invalid` or `status-report-invalid`.
    """
    named = report_of_key(key)
    if named is None:
        raise PermanentError(
            STATUS_KEY_INVALID,
            f"the key {displayable_key(key)} is not that of a status report: {STATUS_PREFIX} holds these alone",
        )
    try:
        document = StatusDocument.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PermanentError(STATUS_REPORT_INVALID, f"{key}: {where or 'document'}: {first['msg']}") from error
    camera, report_id = named
    return StatusReported(
        report_id=report_id,
        station=camera.partition("/")[0],
        camera=camera,
        reported_at=min(document.received_at, stored_at.astimezone(UTC)),
        camera_time=document.camera_time,
        utc_offset_minutes=document.utc_offset_minutes,
        source=document.source,
        profile=document.profile,
        status=CameraStatus.model_validate(document.status.model_dump()),
    )
