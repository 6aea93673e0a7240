"""Deployments of cameras, as defined by Camtrap DP (https://camtrap-dp.tdwg.org/data/)."""

from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from uncia.events.base import Event, Moment, Name
from uncia.events.images import Trigger


class Sensitivity(StrEnum):
    """Precision at which a position may be shown to people who do not need the exact one.

    The levels are those of Chapman, "Current Best Practices for Generalizing Sensitive Species Occurrence Data" (GBIF,
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
    """A deployment as last loaded. Key: `deployment_key`, one per camera and deployment.

    Contains the exact position: for internal consumers only. Neither `repr` nor validation errors show the position.
    """

    topic: ClassVar[str] = "camera.deployment.changed.v1"

    deployment_id: Name = Field(min_length=1)
    camera: Name = Field(min_length=1, description="`<station>/<camera>`")
    start: Moment = Field(description="start of the deployment, with the UTC offset of the source")
    end: Moment | None = Field(
        default=None, description="end of the deployment, exclusive; absent while the camera is deployed"
    )
    utc_offset_minutes: int = Field(
        ge=-840, le=840, description="UTC offset of the camera's clock, in minutes; positive east of Greenwich"
    )
    latitude: float = Field(ge=-90, le=90, repr=False, description="degrees, WGS 84; exact, hence secret")
    longitude: float = Field(ge=-180, le=180, repr=False, description="degrees, WGS 84; exact, hence secret")
    coordinate_uncertainty_m: float | None = Field(default=None, gt=0, description="metres")
    sensitivity: Sensitivity = Field(
        default=Sensitivity.HIGH, description="precision at which the position may be shown"
    )
    capture_method: Trigger | None = Field(
        default=None, description="trigger type of all captures, when the camera has only one"
    )
    burst_gap_s: Seconds | None = Field(
        default=None, gt=0, description="overrides UNCIA_BURST_GAP_S for this deployment"
    )
    burst_idle_s: Seconds | None = Field(
        default=None, gt=0, description="overrides UNCIA_BURST_IDLE_S for this deployment"
    )
    burst_lateness_s: Seconds | None = Field(
        default=None, ge=0, description="overrides UNCIA_BURST_LATENESS_S for this deployment"
    )
    event_gap_s: Seconds | None = Field(
        default=None, gt=0, description="bursts that are further apart, in seconds, belong to different events"
    )
    independence_gap_s: Seconds | None = Field(
        default=None,
        gt=0,
        description="events of a taxon that are further apart, in seconds, are independent detections",
    )
    contact_interval_s: Seconds | None = Field(
        default=None, gt=0, description="the camera counts as silent when nothing has arrived from it for so long"
    )

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Self:
        if self.end is not None and self.end <= self.start:
            raise ValueError("the end is not after the start")
        return self

    @property
    def message_key(self) -> bytes:
        """The message key of this event."""
        return deployment_key(self.camera, self.deployment_id)

    @property
    def zone(self) -> timezone:
        """The UTC offset of the camera's clock, as a time zone."""
        return timezone(timedelta(minutes=self.utc_offset_minutes))

    def covers(self, time: datetime) -> bool:
        """Return whether the deployment includes `time`. A naive time is taken as one of the camera's clock."""
        moment = time.replace(tzinfo=self.zone) if time.tzinfo is None else time
        return self.start <= moment and (self.end is None or moment < self.end)

    def public_position(self) -> tuple[float, float] | None:
        """Return latitude and longitude, rounded as the sensitivity requires; None when they must be withheld."""
        if self.sensitivity is Sensitivity.HIGH:
            return None
        if self.sensitivity is Sensitivity.NONE:
            return self.latitude, self.longitude
        digits = _DECIMALS[self.sensitivity]
        return round(self.latitude, digits), round(self.longitude, digits)


def deployment_key(camera: str, deployment_id: str) -> bytes:
    """Return the message key `camera|deployment`: compaction keeps the last message of each deployment of a camera.

    A `|` in the deployment's id is escaped, so that the last `|` of the key is always the separator.
    """
    return f"{camera}|{deployment_id.replace('%', '%25').replace('|', '%7C')}".encode()
