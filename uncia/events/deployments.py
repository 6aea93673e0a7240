"""Where, when and how a camera stands: one deployment, after Camtrap DP (https://camtrap-dp.tdwg.org/data/)."""

from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from uncia.events.base import Event, Moment, Name
from uncia.events.images import Trigger


class Sensitivity(StrEnum):
    """How coarsely a position may be shown to readers without a need for the exact one.

    The steps are those of Chapman, "Current Best Practices for Generalizing Sensitive Species Occurrence Data" (GBIF,
    2020): about 1 km, about 10 km, withheld.
    """

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


_DECIMALS = {Sensitivity.LOW: 2, Sensitivity.MEDIUM: 1}

Seconds = Annotated[float, Field(allow_inf_nan=False, le=10 * 366 * 86400)]
"""At most ten years."""


class DeploymentChanged(Event):
    """A deployment as it was loaded last. Key: `deployment_key`, one per camera and deployment.

    Holds an exact position: for internal readers only. Neither its text form nor its errors show the position.
    """

    topic: ClassVar[str] = "camera.deployment.changed.v1"

    deployment_id: Name = Field(min_length=1)
    camera: Name = Field(min_length=1, description="`<station>/<camera>`")
    start: Moment = Field(description="start of the deployment, with the UTC offset of the source")
    end: Moment | None = Field(default=None, description="end of the deployment (exclusive); none while it is active")
    utc_offset_minutes: int = Field(ge=-840, le=840, description="what the camera's clock is ahead of UTC")
    latitude: float = Field(ge=-90, le=90, repr=False, description="degrees, WGS 84; exact, hence secret")
    longitude: float = Field(ge=-180, le=180, repr=False, description="degrees, WGS 84; exact, hence secret")
    coordinate_uncertainty_m: float | None = Field(default=None, gt=0, description="metres")
    sensitivity: Sensitivity = Field(default=Sensitivity.HIGH, description="how coarsely the position may be shown")
    capture_method: Trigger | None = Field(default=None, description="the only way in which the camera fires, if so")
    burst_gap_s: Seconds | None = Field(default=None, gt=0, description="overrides UNCIA_BURST_GAP_S here")
    burst_idle_s: Seconds | None = Field(default=None, gt=0, description="overrides UNCIA_BURST_IDLE_S here")
    burst_lateness_s: Seconds | None = Field(default=None, ge=0, description="overrides UNCIA_BURST_LATENESS_S here")
    event_gap_s: Seconds | None = Field(default=None, gt=0, description="bursts further apart belong to two events")
    independence_gap_s: Seconds | None = Field(
        default=None, gt=0, description="events of a taxon further apart count as independent"
    )

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Self:
        if self.end is not None and self.end <= self.start:
            raise ValueError("the end is not after the start")
        return self

    @property
    def message_key(self) -> bytes:
        """The key of its message."""
        return deployment_key(self.camera, self.deployment_id)

    @property
    def zone(self) -> timezone:
        """The zone that the camera's clock is set to."""
        return timezone(timedelta(minutes=self.utc_offset_minutes))

    def covers(self, time: datetime) -> bool:
        """Whether the camera stood here then. A time without offset is read on the camera's own clock."""
        moment = time.replace(tzinfo=self.zone) if time.tzinfo is None else time
        return self.start <= moment and (self.end is None or moment < self.end)

    def public_position(self) -> tuple[float, float] | None:
        """Latitude and longitude, rounded as the sensitivity requires; None where it must be withheld."""
        if self.sensitivity is Sensitivity.HIGH:
            return None
        if self.sensitivity is Sensitivity.NONE:
            return self.latitude, self.longitude
        digits = _DECIMALS[self.sensitivity]
        return round(self.latitude, digits), round(self.longitude, digits)


def deployment_key(camera: str, deployment_id: str) -> bytes:
    """`camera|deployment`: a camera has several deployments over time, and compaction keeps the last message of each.

    A bar within the deployment's id is escaped, so that the last bar always divides.
    """
    return f"{camera}|{deployment_id.replace('%', '%25').replace('|', '%7C')}".encode()
