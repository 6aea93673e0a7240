"""Deployments of cameras, as defined by Camtrap DP (https://camtrap-dp.tdwg.org/data/)."""

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from uncia.events.base import Event, Moment, Name
from uncia.events.images import Trigger


class Sensitivity(StrEnum):
    """Precision at which a position may be shown outside the team, from the finest to the most secret.

    The levels are those of Chapman, "Current Best Practices for Generalizing Sensitive Species Occurrence Data" (GBIF,
    2020), and of the R package camtrapdp: exact, 0.001, 0.01 and 0.1 degrees, withheld.
    """

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    EXTREME = "extreme"


_ORDER = {level: rank for rank, level in enumerate(Sensitivity)}


def strictest(levels: Iterable[Sensitivity], default: Sensitivity = Sensitivity.NONE) -> Sensitivity:
    """The most secret of several levels, such as those of a deployment and of a taxon; `default`: there is none."""
    return max(levels, key=_ORDER.__getitem__, default=default)


class FormerSensitivity(StrEnum):
    """The words of the field `sensitivity`: exact, 0.01 degrees, 0.1 degrees, withheld.

    Events, deployment tables and exports of before use them, so that their meaning must stay.
    """

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def level(self) -> Sensitivity:
        """The level that is as coarse as this word has always been."""
        return _LEVEL_OF_FORMER[self]


_LEVEL_OF_FORMER = {
    FormerSensitivity.NONE: Sensitivity.NONE,
    FormerSensitivity.LOW: Sensitivity.MEDIUM,
    FormerSensitivity.MEDIUM: Sensitivity.HIGH,
    FormerSensitivity.HIGH: Sensitivity.EXTREME,
}
_FORMER_OF_LEVEL = {
    Sensitivity.NONE: FormerSensitivity.NONE,
    Sensitivity.LOW: FormerSensitivity.LOW,
    Sensitivity.MEDIUM: FormerSensitivity.LOW,
    Sensitivity.HIGH: FormerSensitivity.MEDIUM,
    Sensitivity.EXTREME: FormerSensitivity.HIGH,
}
"""The finest word that is at least as coarse."""


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
    sensitivity: FormerSensitivity = Field(
        default=FormerSensitivity.HIGH,
        description="former words for `coordinate_sensitivity`, for consumers of before: none: exact, low: 0.01 "
        "degrees, medium: 0.1 degrees, high: withheld",
    )
    coordinate_sensitivity: Sensitivity | None = Field(
        default=None,
        description="precision at which the position may be shown: none: exact, low: 0.001 degrees, medium: 0.01, "
        "high: 0.1, extreme: withheld; absent in events of before, where `sensitivity` applies",
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

    @model_validator(mode="before")
    @classmethod
    def _state_the_former_word(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and "sensitivity" not in fields and fields.get("coordinate_sensitivity"):
            return {**fields, "sensitivity": former_word(Sensitivity(fields["coordinate_sensitivity"]))}
        return fields

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

    @property
    def level(self) -> Sensitivity:
        """How sensitive the position is. Of two fields that contradict each other, the stricter one applies."""
        stated = self.coordinate_sensitivity
        if stated is not None and former_word(stated) is self.sensitivity:
            return stated
        return strictest((self.sensitivity.level, stated or Sensitivity.NONE))


def former_word(level: Sensitivity) -> FormerSensitivity:
    """The word of the field `sensitivity` that is at least as coarse as a level."""
    return _FORMER_OF_LEVEL[level]


def deployment_key(camera: str, deployment_id: str) -> bytes:
    """Return the message key `camera|deployment`: compaction keeps the last message of each deployment of a camera.

    A `|` in the deployment's id is escaped, so that the last `|` of the key is always the separator.
    """
    return f"{camera}|{deployment_id.replace('%', '%25').replace('|', '%7C')}".encode()
