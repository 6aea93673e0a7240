"""Whether a camera's clock can be trusted."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field, NonNegativeInt

from uncia.events.base import BoundedTuple, Event, LocalTime, UtcTime, WireModel


class ClockVerdict(StrEnum):
    """The assessment of a clock; `unknown` while there is too little evidence."""

    OK = "ok"
    SUSPICIOUS = "suspicious"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class ClockReason(WireModel):
    """One reason to distrust the clock, and how often it was observed."""

    code: str = Field(
        description="stable: year-reset, ahead, behind, backwards, set-back, factory-time, outside-deployments, zone, "
        "stated-zone, sun, two-cameras, long-ago, no-exif"
    )
    weight: ClockVerdict = Field(description="the verdict that it leads to by itself; `ok` for a mere hint")
    text: str = Field(description="for people; never contains a position")
    occasions: NonNegativeInt = Field(description="how many of the last occasions show it")
    of: NonNegativeInt = Field(description="how many occasions could have shown it")


class ClockEvidence(WireModel):
    """The amount of evidence behind an assessment. An occasion is a trigger: frames of one burst count once."""

    frames: NonNegativeInt = Field(description="all frames of the camera so far")
    occasions: NonNegativeInt = Field(description="recent occasions that are kept, at most 64")
    arrival: NonNegativeInt = Field(description="of these, compared with the time of the upload")
    order: NonNegativeInt = Field(description="of these, with the camera's own numbers")
    sun: NonNegativeInt = Field(description="of these, the infrared light with the sun")


class ClockJudged(Event):
    """The verdict on one camera's clock. Key: `camera`. Published again when the verdict or its reasons change."""

    topic: ClassVar[str] = "camera.clock.judged.v1"

    camera: str
    verdict: ClockVerdict
    reasons: BoundedTuple[ClockReason] = ()
    offset_s: float | None = Field(
        default=None,
        description="what has to be subtracted from the clock's times to set them right, in seconds, where that is "
        "known: above 0, the clock is ahead",
    )
    evidence: ClockEvidence = Field(description="at the time of the assessment")
    last_capture: LocalTime | None = Field(default=None, description="the camera's own clock, at the newest upload")
    last_upload: UtcTime | None = Field(default=None, description="the store's clock")
    judged_at: UtcTime = Field(description="log time of the frame that decided it")
