"""Assessments of the cameras' clocks."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field, NonNegativeInt

from uncia.events.base import BoundedTuple, Event, LocalTime, UtcTime, WireModel


class ClockVerdict(StrEnum):
    """The assessment of a clock; `unknown` when there is too little evidence."""

    OK = "ok"
    SUSPICIOUS = "suspicious"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class ClockReason(WireModel):
    """One reason to doubt the clock, and how often it was observed."""

    code: str = Field(
        description="stable: year-reset, ahead, behind, backwards, set-back, factory-time, outside-deployments, zone, "
        "stated-zone, sun, two-cameras, long-ago, no-exif"
    )
    weight: ClockVerdict = Field(description="verdict that this reason alone would cause; `ok` for a hint")
    text: str = Field(description="explanation for people; never contains a position")
    occasions: NonNegativeInt = Field(description="number of recent triggers that show it")
    of: NonNegativeInt = Field(description="number of recent triggers that were checked for it")


class ClockEvidence(WireModel):
    """The amount of evidence behind an assessment. An occasion is one trigger of the camera: a burst counts once."""

    frames: NonNegativeInt = Field(description="number of frames of the camera so far")
    occasions: NonNegativeInt = Field(description="number of recent triggers that are stored, at most 64")
    arrival: NonNegativeInt = Field(description="triggers whose capture time was compared with the upload time")
    order: NonNegativeInt = Field(description="triggers that the camera numbered, which gives their order")
    sun: NonNegativeInt = Field(
        description="triggers at which the infrared illuminator was compared with the sun's elevation"
    )


class ClockJudged(Event):
    """The assessment of one camera's clock. Key: `camera`. Published again when the verdict or its reasons change."""

    topic: ClassVar[str] = "camera.clock.judged.v1"

    camera: str
    verdict: ClockVerdict
    reasons: BoundedTuple[ClockReason] = ()
    offset_s: float | None = Field(
        default=None,
        description="error of the clock in seconds, if known, to subtract from capture times; positive: it is ahead",
    )
    evidence: ClockEvidence = Field(description="evidence at the time of the assessment")
    last_capture: LocalTime | None = Field(
        default=None, description="capture time of the newest upload, by the camera's clock"
    )
    last_upload: UtcTime | None = Field(default=None, description="time of the newest upload, by the store's clock")
    judged_at: UtcTime = Field(description="log time of the frame that changed the assessment")
