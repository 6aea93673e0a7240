"""Whether a camera's clock can be believed."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field, NonNegativeInt

from uncia.events.base import BoundedTuple, Event, LocalTime, UtcTime, WireModel


class ClockVerdict(StrEnum):
    """What is thought of a clock. `unknown` while there is too little to judge by."""

    OK = "ok"
    SUSPICIOUS = "suspicious"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class ClockReason(WireModel):
    """One thing that speaks against the clock, and how often it was seen."""

    code: str = Field(
        description="stable: year-reset, ahead, behind, backwards, set-back, factory-time, outside-deployments, zone, "
        "stated-zone, sun, two-cameras, long-ago, no-exif"
    )
    weight: ClockVerdict = Field(description="what it makes of the verdict; `ok` for a mere hint")
    text: str = Field(description="in words; never tells a position")
    occasions: NonNegativeInt = Field(description="how many of the last occasions show it")
    of: NonNegativeInt = Field(description="how many occasions could have shown it")


class ClockEvidence(WireModel):
    """How much the judgement rests on. An occasion is a trigger: frames of one burst count once."""

    frames: NonNegativeInt = Field(description="all frames of the camera so far")
    occasions: NonNegativeInt = Field(description="recent occasions that are kept, at most 64")
    arrival: NonNegativeInt = Field(description="of these, compared with the time of the upload")
    order: NonNegativeInt = Field(description="of these, with the camera's own numbers")
    sun: NonNegativeInt = Field(description="of these, the infrared light with the sun")


class ClockJudged(Event):
    """The verdict on one camera's clock. Key: `camera`. Said again when the verdict or its reasons change."""

    topic: ClassVar[str] = "camera.clock.judged.v1"

    camera: str
    verdict: ClockVerdict
    reasons: BoundedTuple[ClockReason] = ()
    offset_s: float | None = Field(
        default=None,
        description="what has to be subtracted from the clock's times to set them right, in seconds, where that can "
        "be told: above 0, the clock is ahead",
    )
    evidence: ClockEvidence = Field(description="as it was when this was said")
    last_capture: LocalTime | None = Field(default=None, description="the camera's own clock, at the newest upload")
    last_upload: UtcTime | None = Field(default=None, description="the store's clock")
    judged_at: UtcTime = Field(description="log time of the frame that decided it")
