"""Second looks: what stays inconclusive is detected again in tiles, at a larger scale."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from uncia.events.base import Event, Name, UtcTime, WireModel
from uncia.events.bursts import FrameBox
from uncia.events.detections import DetectionResult
from uncia.events.images import Rejection


class SecondLookReason(StrEnum):
    """Why a burst is looked at again."""

    NEAR_THRESHOLD = "near-threshold"
    """The probability of an animal is near its threshold."""
    TAXON_UNKNOWN = "taxon-unknown"
    """An animal, and no taxon below "animal"."""


class SecondLookFrame(WireModel):
    """A frame that is looked at again."""

    image_id: Name
    upload_id: Name
    bucket: Name
    key: Name
    boxes: tuple[FrameBox, ...] = Field(default=(), max_length=100, description="what the first look found, best first")


class SecondLookRequested(Event):
    """Frames of an inconclusive burst are to be detected again, in tiles. Key: `camera`."""

    topic: ClassVar[str] = "camera.second-look.requested.v1"

    second_look_id: Name = Field(
        description="derived from the frames and the rule: a repeated request is the same second look"
    )
    burst_id: Name
    station: Name
    camera: Name
    frames: tuple[SecondLookFrame, ...] = Field(max_length=100)
    reason: SecondLookReason
    rule: str = Field(description="which tiles, and the version of the rule, e.g. `tiles-2x2/1`")
    requested_at: UtcTime
    useful_until: UtcTime | None = Field(
        default=None, description="when the burst can no longer be revised, as far as the sender knows"
    )


class FrameSecondLook(WireModel):
    """The second look at one frame: exactly one of `detection` and `rejection`."""

    image_id: Name
    upload_id: Name
    detection: DetectionResult | None = Field(
        default=None, description="boxes of the first look and of the tiles, merged, best first"
    )
    rejection: Rejection | None = Field(default=None, description="why there is no second look")


class SecondLookCompleted(Event):
    """The results of a second look. Key: `camera`."""

    topic: ClassVar[str] = "camera.second-look.completed.v1"

    second_look_id: Name
    burst_id: Name = Field(description="the burst of the request; its frames may be in another one by now")
    station: Name
    camera: Name
    frames: tuple[FrameSecondLook, ...] = Field(max_length=100)
    reason: SecondLookReason
    rule: str
    seconds: float = Field(default=0, ge=0)
    completed_at: UtcTime
